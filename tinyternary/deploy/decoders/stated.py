"""What a file says of its numbers, and the one rule by which every decoder goes (lesson 10).

A network was trained on 8-bit grey or RGB, upright, for a screen. Whatever else a file
says its numbers mean is *applied*, where that takes no guess (orientation, palette,
colour profile, the window of a DICOM file), or the file is *refused* (`check`). Nothing is
ignored. And sizes are read from headers, so that a file is refused before memory is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyternary.deploy.memory import too_large
from tinyternary.errors import DataFileError

SMALLEST = 2
"""Pixels that each side of an image must have."""


@dataclass(frozen=True, eq=False)
class Read:
    """One image of a file, or why there is none.

    Attributes
    ----------
    name : str
        The file; ``file.npz[images][3]`` for image 3 of an array in it.
    pixels : (S, S, C) uint8, optional
        Of the network's size and channels.
    notes : tuple of str
        What was done to the image.
    error : str, optional
        One line.
    """

    name: str
    pixels: NDArray[np.uint8] | None = None
    notes: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Stated:
    """What a file states of its image before any pixel is decoded.

    Attributes
    ----------
    width, height : int
        Pixels.
    memory : int
        Most bytes that decoding takes.
    colors : str
        ``"grey"``, ``"RGB"`` or what else they are.
    bits : int
        Per channel, after what the decoder applies.
    frames : int
        Pictures in the file.
    other : str
        Anything else that changes what the numbers mean and is not applied, in words.
    """

    width: int
    height: int
    memory: int
    colors: str = "grey"
    bits: int = 8
    frames: int = 1
    other: str = ""


def check(where: str, stated: Stated, limit: int) -> None:
    """Refuse what would have to be guessed, and what takes more than `limit` bytes.

    Raises
    ------
    DataFileError
    """
    reason = ""
    if stated.frames != 1:
        reason = f"holds {stated.frames} pictures, expected one; save the one that is meant alone"
    elif stated.colors not in ("grey", "RGB"):
        reason = f"{stated.colors} colours, expected grey or RGB"
    elif stated.bits > 8:
        reason = (
            f"more than 8 bits per channel ({stated.bits}); convert it to 8-bit grey or RGB with "
            "a window of your choice"
        )
    elif stated.other:
        reason = stated.other
    elif min(stated.width, stated.height) < SMALLEST:
        reason = (
            f"{stated.width} x {stated.height} pixels, expected at least {SMALLEST} x {SMALLEST}"
        )
    else:
        reason = too_large(
            f"an image of {stated.width} x {stated.height} pixels", stated.memory, limit
        )
    if reason:
        raise DataFileError(f"{where}: {reason}")


def first_line(error: BaseException) -> str:
    """Return what another package says is wrong, short."""
    return next(iter(str(error).splitlines()), "")[:120] or type(error).__name__
