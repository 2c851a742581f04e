"""Everything of a phantom slide but the cell with the label: background, red cells, optics."""

from __future__ import annotations

import numpy as np

from tinyternary.data.phantoms._draws import F32, PortableDraws
from tinyternary.data.phantoms.field import (
    SIZE,
    X,
    Y,
    over,
    per_image,
    smooth,
)

_F = np.float32


def background(draws: PortableDraws, count: int) -> F32:
    """Empty slides (B, 3, 28, 28), cream with a little of anything else."""
    tint = np.array([0.96, 0.885, 0.815], np.float32)[:, None, None]
    tint = tint + _F(0.02) * draws.between(-1, 1, count, 3, 1, 1)
    return np.broadcast_to(tint, (count, 3, SIZE, SIZE)).copy()


def draw_red_cells(draws: PortableDraws, canvas: F32, texture: F32) -> None:
    """Draw red cells with their pale middle; where two overlap the stain is deeper."""
    count, cells = len(canvas), 6
    far_x, far_y = draws.direction(count, cells)
    reach = draws.between(9.5, 17.0, count, cells)
    radius = draws.between(3.6, 5.6, count, cells)
    present = (draws.uniform(count, cells) < 0.72).astype(np.float32)
    # absorption of red, green and blue light at full thickness
    absorb = np.array([0.16, 0.27, 0.24], np.float32)[:, None, None]
    absorb = absorb * draws.between(0.75, 1.2, count, 1, 1, 1)
    pallor = draws.between(0.15, 0.85, count, cells)
    squash = draws.between(0.82, 1.18, count, cells)
    thickness = np.zeros((count, SIZE, SIZE), np.float32)
    for i in range(cells):
        dx = (X - per_image(_F(13.5) + far_x[:, i] * reach[:, i])) * per_image(squash[:, i])
        dy = Y - per_image(_F(13.5) + far_y[:, i] * reach[:, i])
        distance = np.sqrt(dx * dx + dy * dy) + _F(0.35) * texture
        r = per_image(radius[:, i])
        disc = smooth(distance - r, 1.3)
        dimple = smooth(distance - r * _F(0.45), r * _F(0.55))
        thickness += disc * (1 - per_image(pallor[:, i]) * dimple) * per_image(present[:, i])
    canvas *= 1 - np.minimum(thickness, 2)[:, None] * absorb


def draw_neighbor(draws: PortableDraws, canvas: F32, texture: F32) -> None:
    """Let another stained cell reach into some images: not the one to name."""
    count = len(canvas)
    far_x, far_y = draws.direction(count)
    reach = draws.between(15.5, 20.0, count)
    radius = draws.between(4.5, 8.0, count)
    present = per_image((draws.uniform(count) < 0.45).astype(np.float32))
    dx = X - per_image(_F(13.5) + far_x * reach)
    dy = Y - per_image(_F(13.5) + far_y * reach)
    distance = np.sqrt(dx * dx + dy * dy) + texture - per_image(radius)
    pale = np.array([0.75, 0.68, 0.82], np.float32)[:, None, None]
    dark = np.array([0.38, 0.24, 0.57], np.float32)[:, None, None]
    spread = _F(0.06) * draws.between(-1, 1, count, 3, 1, 1)
    over(canvas, pale + spread, smooth(distance, 1.4) * present * _F(0.9))
    core = smooth(distance + per_image(draws.between(0.8, 3.5, count)), 1.4)
    over(canvas, dark + spread, core * present * _F(0.9))


def stain(draws: PortableDraws, count: int) -> F32:
    """Colour cast (B, 3, 1, 1) of slide and camera: cream, pink or lilac, hardly ever green."""
    warm = draws.between(-0.09, 0.09, count, 1, 1)
    pink = draws.between(-0.07, 0.03, count, 1, 1)
    return 1 + np.stack((warm * _F(0.35), pink, -warm), 1)


def illumination(draws: PortableDraws, count: int) -> F32:
    """Brightness (B, 1, 28, 28), about 1, with a slope and a darker rim."""
    x, y = (X - _F(13.5)) / _F(14), (Y - _F(13.5)) / _F(14)
    slope = draws.between(-0.08, 0.08, count, 2)
    level = draws.between(0.88, 1.04, count)
    rim = draws.between(0.0, 0.06, count)
    field = per_image(level) + per_image(slope[:, 0]) * x + per_image(slope[:, 1]) * y
    light: F32 = field - per_image(rim) * (x * x + y * y)
    return light[:, None]


def blur(draws: PortableDraws, canvas: F32) -> F32:
    """Soften by a three-tap filter of random strength along both axes."""
    weight = draws.between(0.02, 0.22, len(canvas), 1, 1, 1)
    for axis in (2, 3):
        edges = [(0, 0)] * 4
        edges[axis] = (1, 1)
        wide = np.moveaxis(np.pad(canvas, edges, mode="edge"), axis, 0)
        change: F32 = np.moveaxis(wide[:-2] + wide[2:], 0, axis)
        change -= canvas
        change -= canvas
        canvas = canvas + change * weight
    return canvas
