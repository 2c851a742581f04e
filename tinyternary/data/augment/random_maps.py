"""The two kinds of maps that augmentation is made of: affine (B, 2, 3) and tables (B, C, 256)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Bytes = NDArray[np.uint8]

_LEVELS = np.arange(256) / 255


def affine(
    angle: F64, size: F64, shear: F64, shift: F64, flips: NDArray[np.bool_],
    transpose: NDArray[np.bool_],
) -> F32:  # fmt: skip
    """Affine maps from result to source, about the centre.

    Parameters
    ----------
    angle : (B,) radians
    size : (B, 2)
        Factors of height and width; 2 makes what is seen twice as large.
    shear : (B,)
    shift : (B, 2) pixels (rows, columns)
    flips : (B, 2) bool
        Upside down; left to right.
    transpose : (B,) bool

    Returns
    -------
    (B, 2, 3) float32
    """
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack((np.stack((cos, sin), 1), np.stack((-sin, cos), 1)), 1)
    lean = np.zeros_like(turn)
    lean[:, 0, 0] = lean[:, 1, 1] = 1
    lean[:, 1, 0] = shear
    stretch = np.where(flips, -1.0, 1.0) / size
    linear = stretch[:, :, None] * multiply(turn, lean)
    linear = np.where(transpose[:, None, None], linear[:, ::-1], linear)
    return np.concatenate((linear, -(linear @ shift[:, :, None])), 2).astype(np.float32)


def multiply(first: F64, second: F64) -> F64:
    """Product of stacks of 2 x 2 matrices."""
    product: F64 = np.einsum("bij,bjk->bik", first, second)
    return product


def compose(outer: F32, inner: F32) -> F32:
    """Map through `inner` first, then through `outer`."""
    linear: F32 = np.einsum("bij,bjk->bik", outer[:, :, :2], inner)
    linear[:, :, 2] += outer[:, :, 2]
    return linear


def about_center(matrices: F32, height: int, width: int) -> F32:
    """Turn maps of distances from the centre into maps of pixel positions."""
    center = np.array([(height - 1) / 2, (width - 1) / 2], np.float32)
    moved = matrices.copy()
    moved[:, :, 2] += center - matrices[:, :, :2] @ center
    return moved


def tone_tables(gain: F64, offset: F64, power: F64 | None = None) -> Bytes:
    """Tables of gain x^power + offset on [0, 1], for gains and offsets (B, C)."""
    levels = _LEVELS if power is None else _LEVELS ** power[..., None]
    return to_bytes(gain[..., None] * levels + offset[..., None])


def to_bytes(values: NDArray[np.floating]) -> Bytes:
    """Round values on [0, 1] to bytes; what lies outside is cut off."""
    scaled: NDArray[np.floating] = np.clip(values, 0, 1) * 255 + 0.5
    return scaled.astype(np.uint8)


def boxes(
    start: NDArray[np.int64], extent: NDArray[np.int64], height: int, width: int
) -> NDArray[np.bool_]:
    """Which pixels (B, H, W) lie in rectangles from `start` (B, 2) of size `extent` (B, 2)."""
    inside = []
    for axis, length in enumerate((height, width)):
        place = np.arange(length)
        low = start[:, axis, None]
        inside.append((place >= low) & (place < low + extent[:, axis, None]))
    return inside[0][:, :, None] & inside[1][:, None, :]


def random_choices(
    images: Bytes, choices: int, magnitude: float, rng: np.random.Generator
) -> tuple[F32, Bytes]:
    """Draw operations for each image, as RandAugment does, and join them into one map and table.

    Geometric: rotate, shear, stretch, shift. Tones: brightness, contrast, gamma,
    posterise, tint. Solarising is left out: it would invert a slide's background.
    Each image gets `choices` of the nine, repeats allowed.

    Returns
    -------
    matrices : (B, 2, 3) float32
        About the centre.
    tables : (B, C, 256) uint8
    """
    count, height, _, channels = images.shape
    often = np.zeros((count, 9))
    drawn = rng.integers(0, 9, (count, choices))
    np.add.at(often, (np.arange(count)[:, None], drawn), 1)
    strength = magnitude * often * np.where(rng.random((count, 9)) < 0.5, -1.0, 1.0)
    rotate, shear, stretch, shift_y, brightness, contrast, tone, coarse, tint = strength.T
    matrices = affine(
        angle=np.deg2rad(30) * rotate,
        size=np.exp(0.3 * stretch)[:, None] * np.ones(2),
        shear=0.3 * shear,
        shift=np.stack((0.2 * height * shift_y, np.zeros(count)), 1),
        flips=np.zeros((count, 2), bool),
        transpose=np.zeros(count, bool),
    )
    middle = images.mean((1, 2), dtype=np.float64) / 255  # (B, C): contrast turns about it
    levels = _LEVELS ** np.exp(0.5 * tone)[:, None, None]
    color = 1 + 0.3 * tint[:, None, None] * rng.uniform(-1, 1, (count, channels, 1))
    levels = (levels * color - middle[..., None]) * np.exp(0.6 * contrast)[:, None, None]
    levels = levels + (middle + 0.25 * brightness[:, None])[..., None]
    steps = np.rint(256 / 2 ** np.minimum(5, 5 * np.abs(coarse)))[:, None, None]
    levels = np.where(coarse[:, None, None] != 0, np.rint(levels * steps) / steps, levels)
    return matrices, to_bytes(levels)
