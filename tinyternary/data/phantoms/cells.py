"""The eight kinds of phantom cell: shape of the nucleus, size, stain and granules.

They borrow their looks from the cells of a stained blood smear, but every one is
invented: nothing here is, or stands for, a patient's cell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyternary.data.phantoms._draws import F32, PortableDraws, unit_vector

SEGMENTS = 5
"""A nucleus is a union of up to this many capsules."""

RGB = tuple[float, float, float]
Nucleus = Callable[[PortableDraws, int], F32]
"""Draws n nuclei: (n, SEGMENTS, 5) with ends ax, ay, bx, by and radius, in cell radii."""


@dataclass(frozen=True)
class CellKind:
    """How the cells of one class look.

    Attributes
    ----------
    name : str
        Class name; it says that the cell is a phantom.
    nucleus : callable
        Draws the shape of the nucleus.
    radius : (float, float)
        Smallest and largest cell radius, pixels.
    cytoplasm, chromatin, granule : RGB
        Colours in [0, 1].
    granules : (int, int)
        Smallest and largest number of granules.
    strength : float
        How much a granule covers what is under it, 0 to 1.
    covered : bool
        Whether granules lie over the nucleus too.
    """

    name: str
    nucleus: Nucleus
    radius: tuple[float, float]
    cytoplasm: RGB
    chromatin: RGB
    granule: RGB
    granules: tuple[int, int]
    strength: float
    covered: bool = False


def _capsules(n: int) -> F32:
    """Return n empty nuclei: capsules of negative radius, far from everything."""
    shape = np.zeros((n, SEGMENTS, 5), np.float32)
    shape[..., 4] = -9
    return shape


def _arc(draws: PortableDraws, n: int, points: int, radius: tuple[float, float],
         step: tuple[float, float]) -> tuple[F32, F32]:  # fmt: skip
    """Return x and y (n, points) along an arc; `step` is tan(angle / 2) between points."""
    reach = draws.between(*radius, n)
    cos, sin = unit_vector(draws.between(*step, n))
    x, y = [reach], [np.zeros_like(reach)]
    for _ in range(points - 1):
        x.append(x[-1] * cos - y[-1] * sin)
        y.append(x[-2] * sin + y[-1] * cos)
    return np.stack(x, 1), np.stack(y, 1)


def _chain(x: F32, y: F32, thickness: F32) -> F32:
    """Join consecutive points by capsules of one thickness (n,)."""
    shape = _capsules(len(x))
    for i in range(x.shape[1] - 1):
        ends = (x[:, i], y[:, i], x[:, i + 1], y[:, i + 1])
        shape[:, i] = np.stack((*ends, thickness), 1)
    return shape


def _round(draws: PortableDraws, n: int) -> F32:
    shape = _capsules(n)
    shape[:, 0, :4] = draws.between(-0.12, 0.12, n, 4)
    shape[:, 0, 4] = draws.between(0.68, 0.80, n)
    return shape


def _dense(draws: PortableDraws, n: int) -> F32:
    shape = _capsules(n)
    shape[:, 0, :2] = shape[:, 0, 2:4] = draws.between(-0.22, 0.22, n, 2)
    shape[:, 0, 4] = draws.between(0.44, 0.58, n)
    return shape


def _kidney(draws: PortableDraws, n: int) -> F32:
    x, y = _arc(draws, n, 4, (0.34, 0.46), (0.46, 0.62))
    return _chain(x, y, draws.between(0.32, 0.40, n))


def _band(draws: PortableDraws, n: int) -> F32:
    x, y = _arc(draws, n, 5, (0.46, 0.56), (0.38, 0.52))
    return _chain(x, y, draws.between(0.18, 0.23, n))


def _two_lobes(draws: PortableDraws, n: int) -> F32:
    shape = _capsules(n)
    apart, bend = draws.between(0.40, 0.50, n), draws.between(-0.25, 0.25, n)
    zero = np.zeros_like(apart)
    length = draws.between(0.08, 0.22, n)
    for side, sign in enumerate((-1, 1)):
        radius = draws.between(0.27, 0.36, n)
        ends = (sign * apart, bend - length, sign * apart, bend + length)
        shape[:, side] = np.stack((*ends, radius), 1)
    shape[:, 2] = np.stack((-apart, bend, zero, zero, zero + np.float32(0.09)), 1)
    shape[:, 3] = np.stack((zero, zero, apart, bend, zero + np.float32(0.09)), 1)
    return shape


def _many_lobes(draws: PortableDraws, n: int) -> F32:
    """Three to five beads along an open arc; their smooth union leaves thin bridges."""
    shape = _capsules(n)
    beads = np.float32(3) + np.floor(draws.uniform(n) * np.float32(3))
    x, y = _arc(draws, n, SEGMENTS, (0.50, 0.60), (0.62, 0.74))
    x = x + draws.between(-0.08, 0.08, n, SEGMENTS)
    y = y + draws.between(-0.08, 0.08, n, SEGMENTS)
    radius = draws.between(0.26, 0.33, n, SEGMENTS)
    radius[np.arange(SEGMENTS) >= beads[:, None]] = -9
    shape[...] = np.stack((x, y, x, y, radius), 2)
    return shape


def _irregular(draws: PortableDraws, n: int) -> F32:
    x = draws.between(-0.45, 0.45, n, 4)
    y = draws.between(-0.45, 0.45, n, 4)
    return _chain(x, y, draws.between(0.26, 0.36, n))


def _none(draws: PortableDraws, n: int) -> F32:
    return _capsules(n)


KINDS: tuple[CellKind, ...] = (
    CellKind("phantom round", _round, (5.8, 9.4),
             (0.68, 0.69, 0.86), (0.38, 0.24, 0.57), (0.60, 0.30, 0.60), (0, 3), 0.5),
    CellKind("phantom kidney", _kidney, (7.0, 10.4),
             (0.71, 0.68, 0.83), (0.42, 0.27, 0.60), (0.88, 0.84, 0.92), (2, 9), 0.6),
    CellKind("phantom band", _band, (6.8, 9.8),
             (0.90, 0.76, 0.79), (0.38, 0.24, 0.57), (0.80, 0.60, 0.66), (4, 12), 0.4),
    CellKind("phantom two-lobed", _two_lobes, (6.6, 9.6),
             (0.83, 0.69, 0.78), (0.38, 0.24, 0.57), (0.86, 0.45, 0.42), (36, 64), 0.7),
    CellKind("phantom segmented", _many_lobes, (6.8, 9.8),
             (0.77, 0.68, 0.84), (0.36, 0.22, 0.55), (0.64, 0.44, 0.70), (18, 36), 0.5),
    CellKind("phantom speckled", _irregular, (6.2, 9.4),
             (0.75, 0.64, 0.81), (0.46, 0.32, 0.64), (0.26, 0.14, 0.44), (36, 60), 0.85, True),
    CellKind("phantom dense-core", _dense, (6.4, 9.4),
             (0.76, 0.68, 0.78), (0.31, 0.19, 0.49), (0.60, 0.50, 0.66), (0, 3), 0.4),
    CellKind("phantom fragment", _none, (2.4, 6.0),
             (0.68, 0.52, 0.74), (0.50, 0.30, 0.62), (0.40, 0.20, 0.54), (8, 16), 0.75),
)  # fmt: skip
"""The classes, in the order of their labels."""
