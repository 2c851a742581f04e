"""When a compiled kernel may run, and how arrays are shown to it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled.buffers import empty
from tinyternary.compiled.switch import jit_enabled

Array = NDArray[Any]


def compiled(*arrays: Array | None) -> bool:
    """Whether all arrays are float32 with entries, and compiled kernels are on."""
    return jit_enabled() and all(
        a is None or (a.dtype == np.float32 and a.size > 0) for a in arrays
    )


def as_rows(x: Array) -> Array:
    """View (or copy, where strides demand it) as a contiguous matrix (rows, last axis)."""
    return np.ascontiguousarray(x).reshape(-1, x.shape[-1])


def as_line(x: Array) -> Array:
    """View (or copy) as one contiguous line of entries."""
    return np.ascontiguousarray(x).reshape(-1)


def result(out: Array | None, x: Array) -> tuple[Array, Array]:
    """Give the array to hand back, shaped like `x`, and the one to write to.

    They are the same unless `out` has strides of its own or is `x` itself: a loop
    that writes where it reads is not turned into vector code.
    """
    if out is None:
        out = empty(x.shape)
        return out, out
    usable = out.flags.c_contiguous and out.dtype == np.float32
    if usable and not np.may_share_memory(out, x):
        return out, out
    return out, empty(x.shape)


def deliver(out: Array, written: Array) -> Array:
    """Copy what was written to where it was wanted, if those are two places."""
    if written is not out:
        out[...] = written
    return out


EMPTY = np.zeros(1, np.float32)
"""Stands in for an array that a kernel is told not to read."""
EMPTY_ROWS = np.zeros((1, 1), np.float32)
