"""From tokens to the image: what the head reads of them, and where their patches lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import ViTConfig

F32 = NDArray[np.float32]


def read_by_head(flow: F32, config: ViTConfig) -> F32:
    """Return what reaches the head from each patch: the rows of the tokens that it reads.

    The mean over patches' rows where the head reads their mean, the class token's row, or the
    mean of the two rows of a class and a distillation token. Registers are read by no head.

    Parameters
    ----------
    flow : (B, T, T)
        From each first token (columns) to each last one (rows).
    config : ViTConfig

    Returns
    -------
    (B, grid^2)
    """
    if config.pool == "mean":
        rows = flow[:, config.front :]
    else:
        rows = flow[:, :1] if config.pool == "cls" else flow[:, :2]
    return np.asarray(rows[:, :, config.front :].mean(axis=1))


def to_pixels(tokens: F32, config: ViTConfig) -> F32:
    """Spread a number per patch over its pixels; where patches overlap, take their mean.

    Parameters
    ----------
    tokens : (B, grid^2)
        Row by row.
    config : ViTConfig
        Says where patches lie; what of them lies in the padding is left out.

    Returns
    -------
    (B, image_size, image_size)
    """
    rows = _covers(config) / _covers(config).sum(axis=1, keepdims=True)  # (pixels, grid)
    grid = tokens.reshape(len(tokens), config.grid, config.grid)
    return np.asarray(rows @ grid @ rows.T)


def _covers(config: ViTConfig) -> F32:
    """Which patches cover which pixels along one side: (image_size, grid) of 0 and 1.

    Patches are squares on a grid, so that a pixel is covered by the products of both sides.
    """
    first = config.step * np.arange(config.grid) - config.padding
    pixel = np.arange(config.image_size)[:, None]
    return ((first <= pixel) & (pixel < first + config.patch_size)).astype(np.float32)
