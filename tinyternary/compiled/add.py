"""The sum of two arrays, on all threads where it is worth it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled._arrays import compiled
from tinyternary.compiled.buffers import empty

Array = NDArray[Any]


def add(a: Array, b: Array, out: Array | None = None) -> Array:
    """Add a and b, broadcast as NumPy does.

    Parameters
    ----------
    a, b : float arrays
    out : float array, optional
        Where to write; may be `a` or `b`.
    """
    alike = a.shape == b.shape and a.size >= 1 << 14 and compiled(a, b)
    if not alike or not (a.flags.c_contiguous and b.flags.c_contiguous):
        return np.add(a, b, out=out)
    if out is None:
        out = empty(a.shape)
    elif not out.flags.c_contiguous or out.dtype != np.float32:
        return np.add(a, b, out=out)
    from tinyternary.compiled import _row_loops, threads

    threads.crew.run(
        _row_loops.add, a.size, 1 << 12, 0.15e-9, a.reshape(-1), b.reshape(-1), out.reshape(-1)
    )
    return out
