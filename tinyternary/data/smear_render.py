"""Draw many phantom cells at once: from shapes and colours to noisy pixels.

Everything is float32 with the four operations, square roots, minima and maxima,
on arrays (B, 28, 28): bit for bit the same everywhere (see `portable_draws`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyternary.data.portable_draws import F32, PortableDraws
from tinyternary.data.smear_cells import KINDS, SEGMENTS, CellKind

SIZE = 28
_F = np.float32
_Y, _X = (axis.astype(np.float32) for axis in np.mgrid[0:SIZE, 0:SIZE])


def render(draws: PortableDraws, labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Draw one image per label.

    Parameters
    ----------
    draws : PortableDraws
        Source of all variation.
    labels : (B,) int

    Returns
    -------
    (B, 28, 28, 3) uint8
    """
    count = len(labels)
    texture = _texture(draws, count, 3)
    canvas = _background(draws, count)
    _red_cells(draws, canvas, texture[..., 1])
    _white_cell(draws, canvas, labels, texture)
    stain = 1 + _F(0.06) * draws.between(-1, 1, count, 1, 1, 3)
    light = _illumination(draws, count)
    canvas = _blur(draws, canvas) * stain * light[..., None]
    noise = draws.bell(count, SIZE, SIZE, 3) * draws.between(1.5, 6.0, count, 1, 1, 1)
    pixels = canvas * _F(255) + noise + _F(0.5)
    return np.clip(pixels, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class _Pose:
    """Where the cells lie: centre in pixels, direction, radius in pixels, squash; each (B,)."""

    x: F32
    y: F32
    cos: F32
    sin: F32
    radius: F32
    squash: F32

    @classmethod
    def draw(cls, draws: PortableDraws, kinds: list[CellKind]) -> _Pose:
        count = len(kinds)
        low, high = (np.array([k.radius[i] for k in kinds], np.float32) for i in (0, 1))
        radius = draws.between(low, high, count)
        shift = _F(13.5) + draws.between(-2.6, 2.6, 2, count)
        cos, sin = draws.direction(count)
        return cls(shift[0], shift[1], cos, sin, radius, draws.between(0.85, 1.0, count))

    def cell_axes(self) -> tuple[F32, F32]:
        """Each pixel's place (u, v) along the cell's own axes, in cell radii."""
        dx, dy = _X - _per_image(self.x), _Y - _per_image(self.y)
        cos, sin = _per_image(self.cos), _per_image(self.sin)
        u = (dx * cos + dy * sin) / _per_image(self.radius)
        return u, (dy * cos - dx * sin) / _per_image(self.radius * self.squash)

    def pixels(self, u: F32, v: F32) -> tuple[F32, F32]:
        """Inverse of `cell_axes` for points (B, P)."""
        along, across = u * self.radius[:, None], v * (self.radius * self.squash)[:, None]
        cos, sin = self.cos[:, None], self.sin[:, None]
        return (
            self.x[:, None] + along * cos - across * sin,
            self.y[:, None] + along * sin + across * cos,
        )


def _per_image(values: F32) -> F32:
    return values[:, None, None]


def _smooth(distance: F32, width: F32 | float) -> F32:
    """Coverage 1 inside (negative distance) to 0 outside, over `width` pixels."""
    t = np.clip(_F(0.5) - distance / width, 0, 1)
    return t * t * (_F(3) - (t + t))


def _over(canvas: F32, colour: F32, coverage: F32) -> None:
    """Lay a colour (B, 1, 1, 3) over the canvas."""
    canvas += (colour - canvas) * coverage[..., None]


def _texture(draws: PortableDraws, count: int, octaves_cell: int) -> F32:
    """Smooth random fields (B, 28, 28, 3) in about [-1, 1]: coarse, middle, fine grain."""
    fields = []
    for step in (9, 5, 2):
        cells = SIZE // step + 2
        grid = draws.between(-1, 1, count, cells, cells)
        position = np.arange(SIZE, dtype=np.float32) / _F(step)
        low = position.astype(np.int64)
        t = position - low.astype(np.float32)
        t = t * t * (_F(3) - (t + t))
        rows = grid[:, low] + (grid[:, low + 1] - grid[:, low]) * t[:, None]
        fields.append(rows[:, :, low] + (rows[:, :, low + 1] - rows[:, :, low]) * t)
    return np.stack(fields, -1)


def _background(draws: PortableDraws, count: int) -> F32:
    tint = np.array([0.96, 0.885, 0.815], np.float32)
    tint = tint + _F(0.035) * draws.between(-1, 1, count, 1, 1, 3)
    return np.broadcast_to(tint, (count, SIZE, SIZE, 3)).copy()


def _illumination(draws: PortableDraws, count: int) -> F32:
    """Brightness with a slope and a darker rim, about 1."""
    x, y = (_X - _F(13.5)) / _F(14), (_Y - _F(13.5)) / _F(14)
    slope = draws.between(-0.08, 0.08, count, 2)
    level = draws.between(0.88, 1.04, count)
    rim = draws.between(0.0, 0.06, count)
    field = _per_image(level) + _per_image(slope[:, 0]) * x + _per_image(slope[:, 1]) * y
    return field - _per_image(rim) * (x * x + y * y)


def _red_cells(draws: PortableDraws, canvas: F32, texture: F32) -> None:
    """Red cells with their pale middle; where two overlap the stain is deeper."""
    count, cells = len(canvas), 6
    far_x, far_y = draws.direction(count, cells)
    reach = draws.between(9.5, 17.0, count, cells)
    radius = draws.between(3.6, 5.6, count, cells)
    present = draws.uniform(count, cells) < 0.72
    # absorption of red, green and blue light at full thickness
    absorb = np.array([0.16, 0.27, 0.24], np.float32)
    absorb = absorb * draws.between(0.75, 1.2, count, 1, 1, 1)
    pallor = draws.between(0.15, 0.85, count, cells)
    squash = draws.between(0.82, 1.18, count, cells)
    thickness = np.zeros((count, SIZE, SIZE), np.float32)
    for i in range(cells):
        dx = (_X - _per_image(_F(13.5) + far_x[:, i] * reach[:, i])) * _per_image(squash[:, i])
        dy = _Y - _per_image(_F(13.5) + far_y[:, i] * reach[:, i])
        distance = np.sqrt(dx * dx + dy * dy) + _F(0.35) * texture
        r = _per_image(radius[:, i])
        disc = _smooth(distance - r, 1.3)
        dimple = _smooth(distance - r * _F(0.45), r * _F(0.55))
        thickness += disc * (1 - _per_image(pallor[:, i]) * dimple) * _per_image(present[:, i])
    canvas *= 1 - np.minimum(thickness, 2)[..., None] * absorb


def _white_cell(draws: PortableDraws, canvas: F32, labels: NDArray[np.int64], texture: F32) -> None:
    """The cell that gives the image its label."""
    count = len(labels)
    kinds = [KINDS[label] for label in labels]
    pose = _Pose.draw(draws, kinds)
    u, v = pose.cell_axes()
    wobble = texture[..., 0] * _F(0.10) + texture[..., 1] * _F(0.05)
    body = (np.sqrt(u * u + v * v) - 1 + wobble) * _per_image(pose.radius)
    inside = _smooth(body, 1.4)

    def colours(field: str, spread: float) -> F32:
        base = np.array([getattr(k, field) for k in kinds], np.float32)[:, None, None]
        return base + _F(spread) * draws.between(-1, 1, count, 1, 1, 3)

    cytoplasm = colours("cytoplasm", 0.05)
    _over(canvas, cytoplasm, inside * draws.between(0.80, 0.96, count, 1, 1))
    # a thin darker membrane
    rim = inside * _smooth(-body - _F(0.9), 1.6)
    canvas *= 1 - rim[..., None] * _F(0.14)

    nucleus = _nucleus(draws, labels, u, v, wobble) * _per_image(pose.radius)
    core = np.minimum(_smooth(nucleus, 1.2), inside)
    grain = 1 + _F(0.16) * texture[..., 2] + _F(0.10) * texture[..., 1]
    granule = colours("granule", 0.05)
    speckle = np.minimum(_granules(draws, kinds, pose), 1) * inside
    over = np.array([k.covered for k in kinds])
    visible = np.where(_per_image(over), speckle, speckle * (1 - core))
    strength = np.array([k.strength for k in kinds], np.float32)
    chromatin = colours("chromatin", 0.045)
    canvas += (chromatin * grain[..., None] - canvas) * (core * _F(0.94))[..., None]
    _over(canvas, granule, visible * _per_image(strength))


def _nucleus(draws: PortableDraws, labels: NDArray[np.int64], u: F32, v: F32, wobble: F32) -> F32:
    """Signed distance to the nucleus, in cell radii: a smooth union of capsules."""
    shapes = np.empty((len(labels), SEGMENTS, 5), np.float32)
    for label, kind in enumerate(KINDS):
        chosen = labels == label
        shapes[chosen] = kind.nucleus(draws, int(chosen.sum()))
    blend = _F(0.16)
    union = np.full_like(u, 9)
    for i in range(SEGMENTS):
        ax, ay, bx, by, r = (_per_image(shapes[:, i, j]) for j in range(5))
        ex, ey = bx - ax, by - ay
        length = np.maximum(ex * ex + ey * ey, _F(1e-6))
        px, py = u - ax, v - ay
        along = np.clip((px * ex + py * ey) / length, 0, 1)
        px, py = px - ex * along, py - ey * along
        capsule = np.sqrt(px * px + py * py) - r
        near = np.maximum(blend - np.abs(union - capsule), 0)
        union = np.minimum(union, capsule) - near * near / (_F(4) * blend)
    return union + wobble * _F(0.5)


def _granules(draws: PortableDraws, kinds: list[CellKind], pose: _Pose) -> F32:
    """Coverage by granules: dots shared among the four nearest pixels in 1/256, so exactly."""
    count, most = len(kinds), max(k.granules[1] for k in kinds)
    low, high = (np.array([k.granules[i] for k in kinds], np.float32) for i in (0, 1))
    wanted = draws.between(low, high, count)
    out_u, out_v = draws.direction(count, most)
    reach = np.sqrt(draws.uniform(count, most)) * _F(0.92)
    x, y = pose.pixels(out_u * reach, out_v * reach)
    x, y = np.clip(x, 0, SIZE - 2), np.clip(y, 0, SIZE - 2)
    left, top = x.astype(np.int64), y.astype(np.int64)
    right_share = ((x - left.astype(np.float32)) * _F(16)).astype(np.int64)
    low_share = ((y - top.astype(np.float32)) * _F(16)).astype(np.int64)
    there = (np.arange(most) < wanted[:, None]).astype(np.int64)
    total = np.zeros(count * SIZE * SIZE)
    first = np.arange(count)[:, None] * (SIZE * SIZE)
    for row, share_y in ((0, 16 - low_share), (1, low_share)):
        for column, share_x in ((0, 16 - right_share), (1, right_share)):
            pixel = first + (top + row) * SIZE + left + column
            weight = share_x * share_y * there
            # whole numbers in float64: the order of addition does not matter
            total += np.bincount(pixel.ravel(), weight.ravel(), len(total))
    return total.reshape(count, SIZE, SIZE).astype(np.float32) * _F(1 / 256)


def _blur(draws: PortableDraws, canvas: F32) -> F32:
    """Soften by a three-tap filter of random strength along both axes."""
    weight = draws.between(0.02, 0.22, len(canvas), 1, 1, 1)
    for axis in (1, 2):
        before = np.concatenate((canvas.take([0], axis), canvas.take(range(SIZE - 1), axis)), axis)
        after = np.concatenate((canvas.take(range(1, SIZE), axis), canvas.take([-1], axis)), axis)
        canvas = canvas + (before + after - (canvas + canvas)) * weight
    return canvas
