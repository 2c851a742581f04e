"""Turn, scale and shift a batch of small images, and change their bytes by tables.

The inner loop of augmentation (lesson 03): bilinear sampling with borders
reflected (d c b a | a b c d | d c b a), beside the NumPy code that it equals bit
for bit.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled.switch import jit_enabled, njit
from tinyternary.errors import ShapeError

Bytes = NDArray[np.uint8]
F32 = NDArray[np.float32]


def warp_bytes(images: Bytes, matrices: F32, tables: Bytes) -> Bytes:
    """Sample each image along an affine map and look every byte up in a table.

    Parameters
    ----------
    images : (B, H, W, C) uint8
    matrices : (B, 2, 3) float32
        From a pixel (row, column, 1) of the result to (row, column) in the image.
    tables : (B, C, 256) uint8
        New value of each value, per image and channel.

    Returns
    -------
    (B, H, W, C) uint8

    Raises
    ------
    ShapeError
        If shapes or dtypes do not fit, or a matrix is not finite.
    """
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ShapeError(f"images: expected uint8 (B, H, W, C), got {images.dtype} {images.shape}")
    count, _, _, channels = images.shape
    if matrices.shape != (count, 2, 3) or not np.isfinite(matrices).all():
        raise ShapeError(f"matrices: expected finite ({count}, 2, 3), got {matrices.shape}")
    if tables.dtype != np.uint8 or tables.shape != (count, channels, 256):
        raise ShapeError(
            f"tables: expected uint8 ({count}, {channels}, 256), got {tables.dtype} {tables.shape}"
        )
    matrices = np.ascontiguousarray(matrices, np.float32)
    if not images.size or not jit_enabled():
        return warp_bytes_numpy(images, matrices, tables)
    out = np.empty(images.shape, np.uint8)
    _compiled()(np.ascontiguousarray(images), matrices, np.ascontiguousarray(tables), out)
    return out


def warp_bytes_numpy(images: Bytes, matrices: F32, tables: Bytes) -> Bytes:
    """Plain form of `warp_bytes`."""
    count, height, width, channels = images.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    m = matrices[:, :, :, None, None]
    y = m[:, 0, 0] * rows + m[:, 0, 1] * columns + m[:, 0, 2]
    x = m[:, 1, 0] * rows + m[:, 1, 1] * columns + m[:, 1, 2]
    top, left = np.floor(y), np.floor(x)
    down, right = (y - top)[..., None], (x - left)[..., None]
    y0, y1 = (_reflect(top.astype(np.int64) + i, height) for i in (0, 1))
    x0, x1 = (_reflect(left.astype(np.int64) + i, width) for i in (0, 1))
    b = np.arange(count)[:, None, None]
    a, c = images[b, y0, x0].astype(np.float32), images[b, y1, x0].astype(np.float32)
    upper = a + (images[b, y0, x1].astype(np.float32) - a) * right
    lower = c + (images[b, y1, x1].astype(np.float32) - c) * right
    value = (upper + (lower - upper) * down + np.float32(0.5)).astype(np.uint8)
    return tables[b[..., None], np.arange(channels), value]


def _reflect(index: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    around = index % (2 * length)
    return np.minimum(around, 2 * length - 1 - around)


@cache
def _compiled() -> Any:
    """Compile on first use: importing this module must not load Numba."""
    return njit()(_warp_loop)


def _warp_loop(images: Any, matrices: Any, tables: Any, out: Any) -> None:  # pragma: no cover
    count, height, width, channels = images.shape
    half = np.float32(0.5)
    for b in range(count):
        m00, m01, m02 = matrices[b, 0, 0], matrices[b, 0, 1], matrices[b, 0, 2]
        m10, m11, m12 = matrices[b, 1, 0], matrices[b, 1, 1], matrices[b, 1, 2]
        for row in range(height):
            for column in range(width):
                r, c = np.float32(row), np.float32(column)
                y = m00 * r + m01 * c + m02
                x = m10 * r + m11 * c + m12
                top, left = np.floor(y), np.floor(x)
                down, right = y - top, x - left
                y0, x0 = np.int64(top), np.int64(left)
                y1, x1 = y0 + 1, x0 + 1
                # most pixels lie inside: the division is for the others
                if y0 < 0 or y1 >= height:
                    y0, y1 = y0 % (2 * height), y1 % (2 * height)
                    y0, y1 = min(y0, 2 * height - 1 - y0), min(y1, 2 * height - 1 - y1)
                if x0 < 0 or x1 >= width:
                    x0, x1 = x0 % (2 * width), x1 % (2 * width)
                    x0, x1 = min(x0, 2 * width - 1 - x0), min(x1, 2 * width - 1 - x1)
                for k in range(channels):
                    a = np.float32(images[b, y0, x0, k])
                    d = np.float32(images[b, y1, x0, k])
                    upper = a + (np.float32(images[b, y0, x1, k]) - a) * right
                    lower = d + (np.float32(images[b, y1, x1, k]) - d) * right
                    value = upper + (lower - upper) * down + half
                    out[b, row, column, k] = tables[b, k, np.uint8(value)]
