"""What an operation keeps for backward must still be there in backward (lesson 02).

Forward keeps arrays, not copies: whoever writes into one before backward would get the
gradient of another function, without a word. So a checksum of each is taken in forward
and compared in backward: of a leaf's whole array, since leaves are what users and
optimizers write to, and of the first entries of whatever else was kept.
"""

from __future__ import annotations

from typing import Any, TypeAlias
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tinyternary.errors import TinyTernaryError

Array = NDArray[Any]
Watched: TypeAlias = tuple[Array, Array, int]

FIRST = 64
"""Entries by which an array that is no leaf's is known again."""


def watch(kept: tuple[Any, ...], leaves: list[Array]) -> list[Watched]:
    """Take checksums of the arrays that an operation keeps: (array, what is read of it, sum)."""
    watched = []
    for array in kept:
        if isinstance(array, np.ndarray):
            part = array
            if array.size > FIRST and not any(array is leaf for leaf in leaves):
                line = array.ravel() if array.flags.c_contiguous else array[(0,) * (array.ndim - 1)]
                part = line[:FIRST]
            watched.append((array, part, _checksum(part)))
    return watched


def check(name: str, watched: list[Watched]) -> None:
    """Raise an error if an array is not what it was."""
    for array, part, before in watched:
        if _checksum(part) != before:
            raise TinyTernaryError(
                f"backward: an array of shape {array.shape} that {name} was computed from was "
                "changed after forward; call backward() first, or give forward a copy"
            )


def _checksum(part: Array) -> int:
    return crc32(np.ascontiguousarray(part).data)
