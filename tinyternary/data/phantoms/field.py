"""Arithmetic on stacks of small images that phantoms are drawn with.

Everything is float32 with the four operations, square roots, minima and maxima,
on arrays (B, 28, 28): bit for bit the same everywhere (see `portable_draws`).
"""

from __future__ import annotations

import numpy as np

from tinyternary.data.phantoms._draws import F32, PortableDraws

SIZE = 28
"""Height and width of a phantom image, pixels."""

Y, X = (axis.astype(np.float32) for axis in np.mgrid[0:SIZE, 0:SIZE])


def per_image(values: F32) -> F32:
    """Shape one number per image (B,) so that it meets pixels (B, H, W)."""
    return values[:, None, None]


def smooth(distance: F32, width: F32 | float) -> F32:
    """Coverage 1 inside (negative distance) to 0 outside, over `width` pixels."""
    t = np.clip(np.float32(0.5) - distance / width, 0, 1)
    covered: F32 = t * t * (np.float32(3) - (t + t))
    return covered


def over(canvas: F32, color: F32, coverage: F32) -> None:
    """Lay a colour (B, 3, 1, 1) or picture (B, 3, H, W) over the canvas (B, 3, H, W)."""
    canvas += (color - canvas) * coverage[:, None]


def texture_fields(draws: PortableDraws, count: int) -> list[F32]:
    """Smooth random fields (B, 28, 28) in [-1, 1]: coarse, middle and fine grain."""
    fields: list[F32] = []
    for step in (9, 5, 2):
        cells = SIZE // step + 2
        grid = draws.between(-1, 1, count, cells, cells)
        position = np.arange(SIZE, dtype=np.float32) / np.float32(step)
        low = position.astype(np.int64)
        t = position - low.astype(np.float32)
        t = t * t * (np.float32(3) - (t + t))
        rows = grid[:, low] + (grid[:, low + 1] - grid[:, low]) * t[:, None]
        fields.append(rows[:, :, low] + (rows[:, :, low + 1] - rows[:, :, low]) * t)
    return fields
