"""Where a token comes from: position embeddings (lesson 05)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tinyternary.config.positions import sinusoidal_positions as sinusoidal_positions
from tinyternary.errors import ShapeError


def resize_positions(table: NDArray[np.float32], grid: int) -> NDArray[np.float32]:
    """Interpolate position embeddings to another grid (bicubic, edges repeated).

    Parameters
    ----------
    table : (G * G, D) float32
        One row per patch of a square grid, row by row.
    grid : int
        New number of patches along a side.

    Returns
    -------
    (grid * grid, D) float32

    Raises
    ------
    ShapeError
        If the table is not that of a square grid.

    Notes
    -----
    Keys' cubic convolution with a = -0.75 and pixel centres, as PyTorch's
    ``interpolate(mode="bicubic", align_corners=False)`` computes it.
    """
    side = math.isqrt(len(table))
    if side * side != len(table):
        raise ShapeError(f"positions: {len(table)} rows are no square grid")
    weights = _cubic_matrix(side, grid)  # (grid, G)
    square = table.reshape(side, side, -1).astype(np.float64)
    resized: NDArray[np.float64] = np.einsum("ri,cj,ijd->rcd", weights, weights, square)
    return resized.reshape(grid * grid, -1).astype(np.float32)


def _cubic_matrix(old: int, new: int) -> NDArray[np.float64]:
    """Row r holds the weights of the old points in new point r."""
    at = (np.arange(new) + 0.5) * old / new - 0.5
    first = np.floor(at).astype(int) - 1
    matrix = np.zeros((new, old))
    for tap in range(4):
        index = first + tap
        # Keys' kernel, "Cubic convolution interpolation", 1981, equation 15
        d = np.abs(at - index)
        a = -0.75
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        far = ((d - 5) * d + 8) * d * a - 4 * a
        np.add.at(matrix, (np.arange(new), np.clip(index, 0, old - 1)), np.where(d <= 1, near, far))
    return matrix
