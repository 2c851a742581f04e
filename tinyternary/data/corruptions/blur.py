"""Blur: out of focus, moved, zoomed. All are weighted means over neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Bytes = NDArray[np.uint8]


def gaussian_blur(x: Bytes, amount: int, rng: np.random.Generator) -> Bytes:
    """Weight `amount` pixels along each axis by a normal density of sigma 0.15 amount + 0.35."""
    distance = np.arange(amount) - (amount - 1) / 2
    weights = np.exp(-0.5 * (distance / (0.15 * amount + 0.35)) ** 2)
    weights /= weights.sum()
    blurred = x.astype(np.float64)
    for axis in (0, 1):
        blurred = ndimage.correlate1d(blurred, weights, axis, mode="mirror")
    return np.rint(blurred).astype(np.uint8)


def motion_blur(x: Bytes, amount: tuple[int, float], rng: np.random.Generator) -> Bytes:
    """Smear in a random direction of -45 to 45 degrees, by half a normal density.

    `amount` is (radius, sigma): steps i = 0 ... 2 radius, of weight exp(-i^2 / 2 sigma^2). What
    lies beyond the edge is like the edge.
    """
    radius, sigma = amount
    angle = np.deg2rad(rng.uniform(-45, 45))
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    weights /= weights.sum()
    down = np.ceil(steps * np.sin(angle) - 0.5).astype(int)
    right = np.ceil(steps * np.cos(angle) - 0.5).astype(int)
    height, width = x.shape[:2]
    smeared = np.zeros(x.shape)
    for weight, dy, dx in zip(weights, down, right):
        rows = np.clip(np.arange(height) + dy, 0, height - 1)
        columns = np.clip(np.arange(width) + dx, 0, width - 1)
        smeared += weight * x[rows][:, columns]
    return smeared.astype(np.uint8)


def defocus_blur(x: Bytes, amount: tuple[float, float], rng: np.random.Generator) -> Bytes:
    """Spread each point over a disc, as a lens out of focus does.

    `amount` is (radius, sigma): sigma softens the edge of the disc, over three pixels.
    """
    radius, sigma = amount
    reach = np.arange(-8, 9)
    disc = (reach[:, None] ** 2 + reach**2 <= radius**2).astype(np.float64)
    disc /= disc.sum()
    soft = np.exp(-(np.arange(-1, 2) ** 2) / (2 * sigma**2))
    soft /= soft.sum()
    for axis in (0, 1):
        disc = ndimage.correlate1d(disc, soft, axis, mode="mirror")
    # OpenCV keeps weights in float32: their sum is not quite 1, which decides a byte here and there
    weights = disc.astype(np.float32)[..., None]
    spread = ndimage.correlate(x / 255, weights, mode="mirror")
    return np.asarray(np.clip(spread, 0, 1) * 255, np.uint8)


def zoom_blur(x: Bytes, amount: Sequence[float], rng: np.random.Generator) -> Bytes:
    """Take the mean of the image and of itself enlarged by each factor of `amount`."""
    plain = (x / 255).astype(np.float32)
    total = np.zeros_like(plain)
    for factor in amount:
        total += _enlarged(plain, factor)
    mean = np.clip((plain + total) / (len(amount) + 1), 0, 1) * 255
    return mean.astype(np.uint8)


def _enlarged(x: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """Cut out the middle 1 / factor of an image and bring it to the size of the whole."""
    size = len(x)
    part = int(np.ceil(size / factor))
    start = (size - part) // 2
    middle = x[start : start + part, start : start + part]
    large: NDArray[np.float32] = ndimage.zoom(middle, (factor, factor, 1), order=1)
    trim = (len(large) - size) // 2
    return large[trim : trim + size, trim : trim + size]
