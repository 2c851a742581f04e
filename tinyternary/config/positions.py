"""Fixed positions: a formula of the grid and the width, so that files need not hold them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyternary.errors import ConfigError


def sinusoidal_positions(grid: int, width: int) -> NDArray[np.float32]:
    """Return fixed positions: sines and cosines of each patch's row and column.

    Parameters
    ----------
    grid : int
        Patches along a side.
    width : int
        Token width D, a multiple of 4: a quarter each for sine and cosine of the
        column and of the row, at frequencies from 1 down to 1 / 10,000.

    Returns
    -------
    (grid * grid, D) float32

    Raises
    ------
    ConfigError
        If the width is not a multiple of 4.

    Notes
    -----
    Vaswani et al., "Attention Is All You Need", section 3.5, for each of two
    axes, as in Chen et al., "MoCo v3", arXiv 2104.02057.
    """
    if width % 4:
        raise ConfigError(f"width: sinusoidal positions need a multiple of 4, got {width}")
    quarter = width // 4
    frequency = 10_000.0 ** (-np.arange(quarter) / max(quarter, 1))
    angle = np.arange(grid)[:, None] * frequency  # (grid, D / 4)
    waves = np.concatenate([np.sin(angle), np.cos(angle)], axis=1)  # (grid, D / 2)
    shape = (grid, grid, width // 2)
    columns = np.broadcast_to(waves[None, :, :], shape)
    rows = np.broadcast_to(waves[:, None, :], shape)
    return np.concatenate([columns, rows], axis=2).reshape(grid * grid, width).astype(np.float32)
