"""Contrast-limited adaptive histogram equalisation of a whole batch (lesson 03).

Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyternary.errors import ConfigError, ShapeError

Bytes = NDArray[np.uint8]
_CHUNK = 256  # images whose tables (16 tiles of 256 entries each) fit the cache


def clahe(images: Bytes, tiles: int = 4, limit: float = 2.0) -> Bytes:
    """Even out the contrast of each part of an image.

    Each tile's brightness histogram is cut at `limit` times its mean, what was cut
    off spread evenly, and its running sum becomes a table; a pixel blends the
    tables of the four nearest tiles. Colours keep their hue: brightness is
    equalised and all channels scale with it.

    Parameters
    ----------
    images : (B, H, W, C) uint8
        C is 1 or 3.
    tiles : int
        Tiles along each side.
    limit : float
        At least 1; 1 changes least.

    Returns
    -------
    (B, H, W, C) uint8

    Raises
    ------
    ShapeError
        If the images are not bytes of this form.
    ConfigError
        If `tiles` or `limit` is impossible.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
        raise ShapeError(
            f"images: expected uint8 (B, H, W, 1 or 3), got {images.dtype} {images.shape}"
        )
    if not 1 <= tiles <= min(images.shape[1:3]):
        raise ConfigError(f"tiles: expected 1 to {min(images.shape[1:3])}, got {tiles}")
    if not limit >= 1:
        raise ConfigError(f"limit: expected 1 or more, got {limit}")
    out = np.empty_like(images)
    for start in range(0, len(images), _CHUNK):
        part = images[start : start + _CHUNK]
        gray = _brightness(part)
        new = _equalize(gray, tiles, limit)
        if images.shape[3] == 1:
            out[start : start + _CHUNK] = np.rint(new)[..., None].astype(np.uint8)
            continue
        gain = new / np.maximum(gray, 1)
        colored = np.minimum(np.rint(part * gain[..., None]), 255)
        out[start : start + _CHUNK] = colored.astype(np.uint8)
    return out


def _brightness(images: Bytes) -> Bytes:
    """Luma (B, H, W) of ITU-R BT.601, in integers."""
    if images.shape[3] == 1:
        return images[..., 0]
    wide = images.astype(np.uint32)
    luma = 77 * wide[..., 0] + 150 * wide[..., 1] + 29 * wide[..., 2] + 128
    return (luma >> 8).astype(np.uint8)


def _equalize(gray: Bytes, tiles: int, limit: float) -> NDArray[np.float32]:
    count, height, width = gray.shape
    # tiles of equal size: what is missing is reflected
    tall, wide = -(-height // tiles), -(-width // tiles)
    edge = ((0, 0), (0, tall * tiles - height), (0, wide * tiles - width))
    padded = np.pad(gray, edge, mode="symmetric")
    cells = padded.reshape(count, tiles, tall, tiles, wide).transpose(0, 1, 3, 2, 4)
    first = np.arange(count * tiles * tiles)[:, None] * 256
    values = cells.reshape(count * tiles * tiles, tall * wide)
    histogram = np.bincount((first + values).ravel(), minlength=first.size * 256)
    counts: NDArray[np.float32] = histogram.reshape(-1, 256).astype(np.float32)
    cap = np.float32(limit * tall * wide / 256)
    excess = np.maximum(counts - cap, 0).sum(1, keepdims=True)
    tables = np.cumsum(np.minimum(counts, cap) + excess / 256, 1) * np.float32(255 / (tall * wide))
    tables = np.minimum(tables, 255).reshape(count, tiles, tiles, 256)
    top, bottom, down = _neighbors(height, tall, tiles)
    left, right, across = _neighbors(width, wide, tiles)
    b = np.arange(count)[:, None, None]

    def mapped(row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = tables[b, row[:, None], column, gray]
        return found

    a, c = mapped(top, left), mapped(bottom, left)
    upper: NDArray[np.float32] = a + (mapped(top, right) - a) * across
    lower: NDArray[np.float32] = c + (mapped(bottom, right) - c) * across
    upper += (lower - upper) * down[:, None]
    return upper


def _neighbors(
    length: int, size: int, tiles: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return the tiles before and after each pixel, and the share of the one after."""
    place = (np.arange(length) + 0.5) / size - 0.5
    low = np.floor(place)
    share = (place - low).astype(np.float32)
    before, after = (np.clip(low + i, 0, tiles - 1).astype(np.int64) for i in (0, 1))
    return before, after, share
