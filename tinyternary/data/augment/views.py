"""Copies of images that show the same thing: mirrored, or moved by whole pixels (lesson 11)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

MIRRORS: dict[str, tuple[tuple[int, ...], ...]] = {
    "none": ((),),
    "horizontal": ((), (2,)),
    "both": ((), (1,), (2,), (1, 2)),
}
"""Axes of (N, H, W, C) that are mirrored in each copy."""


def views(images: NDArray[np.uint8], flips: str, shifts: int) -> Iterator[NDArray[np.uint8]]:
    """Give copies of images, unmoved ones first.

    Parameters
    ----------
    images : (N, H, W, C) uint8
    flips : {"none", "horizontal", "both"}
        1, 2 or 4 copies.
    shifts : int
        Copies moved by up to so many pixels along each axis, edges repeated:
        (2 shifts + 1)^2, times those of `flips`.
    """
    if flips == "none" and not shifts:  # of anything, rows of numbers too
        yield images
        return
    height, width = images.shape[1:3]
    room = np.pad(images, ((0, 0), (shifts, shifts), (shifts, shifts), (0, 0)), mode="edge")
    moves = sorted(product(range(-shifts, shifts + 1), repeat=2), key=lambda m: m != (0, 0))
    for down, right in moves:
        top, left = shifts - down, shifts - right
        moved = room[:, top : top + height, left : left + width]
        for axes in MIRRORS[flips]:
            yield np.ascontiguousarray(np.flip(moved, axes))
