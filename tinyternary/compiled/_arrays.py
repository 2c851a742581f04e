"""How arrays are shown to compiled loops: float32, contiguous."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

F32 = np.dtype(np.float32)
EMPTY = np.zeros(1, F32)
"""Stands in for an array that a loop is told not to read."""
BLOCK = 256
"""Rows whose contributions to a weight's gradient are added up in one partial sum: blocks of
fixed size, so that the number of threads changes no bit."""


def floats(*arrays: Array | None) -> bool:
    """Whether all arrays that are there are float32 with entries."""
    for a in arrays:  # noqa: SIM110 - `all` of a generator takes twice as long, at every operation
        if a is not None and (a.dtype != F32 or not a.size):
            return False
    return True


def as_rows(x: Array) -> Array:
    """View (or copy, where strides demand it) as a contiguous matrix (rows, last axis)."""
    return np.ascontiguousarray(x).reshape(-1, x.shape[-1])


def as_line(x: Array) -> Array:
    """View (or copy) as one contiguous line of entries."""
    return np.ascontiguousarray(x).reshape(-1)
