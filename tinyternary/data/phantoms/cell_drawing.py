"""Draw the phantom cell that gives an image its label: body, nucleus, granules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyternary.data.phantoms._draws import F32, PortableDraws
from tinyternary.data.phantoms.cells import KINDS, SEGMENTS, CellKind
from tinyternary.data.phantoms.field import (
    SIZE,
    X,
    Y,
    over,
    per_image,
    smooth,
)

_F = np.float32


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
        shift = _F(13.5) + draws.between(-3.4, 3.4, 2, count)
        cos, sin = draws.direction(count)
        return cls(shift[0], shift[1], cos, sin, radius, draws.between(0.85, 1.0, count))

    def cell_axes(self) -> tuple[F32, F32]:
        """Each pixel's place (u, v) along the cell's own axes, in cell radii."""
        dx, dy = X - per_image(self.x), Y - per_image(self.y)
        cos, sin = per_image(self.cos), per_image(self.sin)
        u = (dx * cos + dy * sin) / per_image(self.radius)
        return u, (dy * cos - dx * sin) / per_image(self.radius * self.squash)

    def pixels(self, u: F32, v: F32) -> tuple[F32, F32]:
        """Inverse of `cell_axes` for points (B, P)."""
        along, across = u * self.radius[:, None], v * (self.radius * self.squash)[:, None]
        cos, sin = self.cos[:, None], self.sin[:, None]
        return (
            self.x[:, None] + along * cos - across * sin,
            self.y[:, None] + along * sin + across * cos,
        )


def draw_cell(
    draws: PortableDraws, canvas: F32, labels: NDArray[np.int64], texture: list[F32]
) -> None:
    """Draw the cell that gives the image its label."""
    count = len(labels)
    kinds = [KINDS[label] for label in labels]
    pose = _Pose.draw(draws, kinds)
    u, v = pose.cell_axes()
    wobble = texture[0] * _F(0.10) + texture[1] * _F(0.05)
    body = (np.sqrt(u * u + v * v) - 1 + wobble) * per_image(pose.radius)
    inside = smooth(body, 1.4)

    depth = draws.between(-0.05, 0.07, count, 1, 1, 1)  # a lighter or deeper stain

    def colors(field: str, spread: float) -> F32:
        base = np.array([getattr(k, field) for k in kinds], np.float32)[:, :, None, None]
        return base + depth + _F(spread) * draws.between(-1, 1, count, 3, 1, 1)

    cytoplasm = colors("cytoplasm", 0.05)
    over(canvas, cytoplasm, inside * draws.between(0.80, 0.96, count, 1, 1))
    # a thin darker membrane
    rim = inside * smooth(-body - _F(0.9), 1.6)
    canvas *= 1 - rim[:, None] * _F(0.14)

    nucleus = _nucleus(draws, labels, u, v, wobble) * per_image(pose.radius)
    core = np.minimum(smooth(nucleus, 1.2), inside)
    grain = 1 + _F(0.16) * texture[2] + _F(0.10) * texture[1]
    granule = colors("granule", 0.05)
    speckle = np.minimum(_granules(draws, kinds, pose), 1) * inside
    covered = np.array([k.covered for k in kinds])[:, None, None]
    visible = np.where(covered, speckle, speckle * (1 - core))
    strength = np.array([k.strength for k in kinds], np.float32)
    chromatin = colors("chromatin", 0.045)
    over(canvas, chromatin * grain[:, None], core * _F(0.94))
    over(canvas, granule, visible * per_image(strength))


def _nucleus(draws: PortableDraws, labels: NDArray[np.int64], u: F32, v: F32, wobble: F32) -> F32:
    """Signed distance to the nucleus, in cell radii: a smooth union of capsules."""
    shapes = np.empty((len(labels), SEGMENTS, 5), np.float32)
    for label, kind in enumerate(KINDS):
        chosen = labels == label
        shapes[chosen] = kind.nucleus(draws, int(chosen.sum()))
    blend = _F(0.16)
    union = np.full_like(u, 9)
    for i in range(SEGMENTS):
        ax, ay, bx, by, r = (per_image(shapes[:, i, j]) for j in range(5))
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
    total: NDArray[np.float64] = np.zeros(count * SIZE * SIZE)
    first = np.arange(count)[:, None] * (SIZE * SIZE)
    for row, share_y in ((0, 16 - low_share), (1, low_share)):
        for column, share_x in ((0, 16 - right_share), (1, right_share)):
            pixel = first + (top + row) * SIZE + left + column
            weight = share_x * share_y * there
            # whole numbers in float64: the order of addition does not matter
            total += np.bincount(pixel.ravel(), weight.ravel(), len(total))
    return (total.reshape(count, SIZE, SIZE) / 256).astype(np.float32)
