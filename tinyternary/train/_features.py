"""What distillation compares inside teacher and student (lesson 07)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from tinyternary.autograd import Tensor
from tinyternary.config import ViTConfig


def attention_map(tokens: Tensor) -> Tensor:
    """Where a network looks: mean squared activation per token, as a unit vector.

    The activation-based attention of Zagoruyko and Komodakis (ICLR 2017, eq. 2):
    it needs no attention weights, so teacher and student may differ in heads and width.

    Parameters
    ----------
    tokens : (B, T, D) Tensor

    Returns
    -------
    (B, T) Tensor
    """
    energy = (tokens * tokens).mean(axis=-1)
    return energy / ((energy * energy).sum(axis=-1, keepdims=True) + 1e-12).sqrt()


def teacher_features(
    record: dict[str, Any], config: ViTConfig, grid: int, maps: bool
) -> NDArray[np.float32]:
    """Teacher's last tokens or attention map, on the student's grid.

    Parameters
    ----------
    record : dict
        What the teacher's forward pass recorded.
    config : ViTConfig
        The teacher's.
    grid : int
        Patches along a side of the student's image; another grid is interpolated
        to (bilinear).
    maps : bool
        Attention maps in place of tokens.

    Returns
    -------
    (B, T, D) or (B, T) float32
        T = grid^2.
    """
    tokens: Tensor = record[f"blocks.{config.depth - 1}"]
    values = tokens.numpy()
    values = values[:, config.front :]  # what stands in front has no place in the grid
    if config.grid != grid:
        square = values.reshape(len(values), config.grid, config.grid, -1)
        scale = grid / config.grid
        square = zoom(square, (1, scale, scale, 1), order=1, grid_mode=True, mode="nearest")
        values = square.reshape(len(values), grid * grid, -1)
    if not maps:
        return values
    energy = (values * values).mean(-1)
    unit = energy / np.sqrt((energy * energy).sum(-1, keepdims=True) + 1e-12)
    return np.asarray(unit, np.float32)
