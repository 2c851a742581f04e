"""Where a token comes from: position embeddings (lesson 05)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tinyternary.config.positions import sinusoidal_positions as sinusoidal_positions
from tinyternary.errors import ShapeError


def resize_positions(
    table: NDArray[np.float32],
    grid: int,
    old: tuple[int, int] | None = None,
    *,
    antialias: bool = True,
) -> NDArray[np.float32]:
    """Interpolate position embeddings to another grid (bicubic).

    Parameters
    ----------
    table : (R * C, D) float32
        One row per patch, row by row.
    grid : int
        New number of patches along a side.
    old : (int, int), optional
        Rows R and columns C of the old grid; by default as many of each.
    antialias : bool
        Whether a smaller grid averages over all old patches that a new one covers, as timm
        does. transformers does not.

    Returns
    -------
    (grid * grid, D) float32

    Raises
    ------
    ShapeError
        If the table is not that of a square grid, or not of the one given.

    Notes
    -----
    Keys' cubic convolution at pixel centres, as PyTorch's ``interpolate(mode="bicubic",
    align_corners=False)`` computes it with and without ``antialias``: a = -0.5 and what lies
    beyond the edge left out, or a = -0.75 and the edge repeated.
    """
    rows, columns = old or (math.isqrt(len(table)),) * 2
    if rows * columns != len(table):
        grid_said = f"no grid of {rows} x {columns}" if old else "no square grid"
        raise ShapeError(f"positions: {len(table)} rows are {grid_said}")
    weights = _averaging_matrix if antialias else _cubic_matrix
    square = table.reshape(rows, columns, -1).astype(np.float64)
    resized: NDArray[np.float64] = np.einsum(
        "ri,cj,ijd->rcd", weights(rows, grid), weights(columns, grid), square
    )
    return resized.reshape(grid * grid, -1).astype(np.float32)


def _cubic_matrix(old: int, new: int) -> NDArray[np.float64]:
    """Row r holds the weights of the old points in new point r: of four, the edge repeated."""
    at = (np.arange(new) + 0.5) * old / new - 0.5
    first = np.floor(at).astype(int) - 1
    matrix = np.zeros((new, old))
    for tap in range(4):
        index = first + tap
        weight = _keys(at - index, -0.75)
        np.add.at(matrix, (np.arange(new), np.clip(index, 0, old - 1)), weight)
    return matrix


def _averaging_matrix(old: int, new: int) -> NDArray[np.float64]:
    """Row r holds the weights of the old points in new point r: the kernel as wide as a step."""
    wide = max(old / new, 1.0)
    at = (np.arange(new)[:, None] + 0.5) * old / new - 0.5
    weights = _keys((np.arange(old) - at) / wide, -0.5)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def _keys(x: NDArray[np.float64], a: float) -> NDArray[np.float64]:
    """Keys' kernel, "Cubic convolution interpolation", 1981, equation 15."""
    d = np.abs(x)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = (((d - 5) * d + 8) * d - 4) * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))
