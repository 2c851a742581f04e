"""Buffers that are used again: a training step asks for the same arrays every time (lesson 08).

Fresh memory comes from the system in pages that it must clear first, which
costs more than many a kernel. `empty` hands out an array over a buffer that
nobody looks at any more; whether anybody does, Python's reference count of the
buffer tells (every view of an array counts), so that nothing has to be given
back by hand.
"""

from __future__ import annotations

import sys
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled.locks import Guard

Array = NDArray[Any]

SMALLEST = 1 << 16
"""Bytes from which on a buffer is worth keeping."""
_LINE = 64  # bytes of a line of the cache: vectors that lie across two cost twice
_AGE = 512  # arrays handed out between two looks for buffers that went out of use
_UNUSED = 6  # looks that a buffer outlives without use


def _references(entry: list[Any]) -> int:
    return sys.getrefcount(entry[0])


_FREE = _references([np.empty(1, np.uint8), 0])
"""What a buffer counts that only its entry holds."""


class Pool:
    """Buffers by size, kept when freed, so that a step asks the system for none."""

    def __init__(self) -> None:
        self._buffers: dict[int, list[list[Any]]] = {}  # size: [buffer, last look at use]
        self._guard = Guard()
        self._given = 0
        self._look = 0

    def empty(self, shape: tuple[int, ...], dtype: Any = np.float32) -> Array:
        """Return an array of arbitrary contents, which begins at a line of the cache."""
        size = prod(shape) * np.dtype(dtype).itemsize
        if size < SMALLEST:
            return np.empty(shape, dtype)
        with self._guard.lock:
            self._given += 1
            if self._given % _AGE == 0:
                self._forget()
            entries = self._buffers.setdefault(size, [])
            for entry in entries:
                if _references(entry) == _FREE:
                    break
            else:
                entry = [np.empty(size + _LINE, np.uint8), 0]
                entries.append(entry)
            entry[1] = self._look
            skip = -entry[0].ctypes.data % _LINE
            return entry[0][skip : skip + size].view(dtype).reshape(shape)

    def _forget(self) -> None:
        """Let go of free buffers that were not used for some time."""
        self._look += 1
        for size, entries in list(self._buffers.items()):
            kept = [e for e in entries if _references(e) > _FREE or self._look - e[1] < _UNUSED]
            if kept:
                self._buffers[size] = kept
            else:
                del self._buffers[size]

    @property
    def nbytes(self) -> int:
        """Bytes of all buffers, in use or not."""
        with self._guard.lock:
            return sum(size * len(entries) for size, entries in self._buffers.items())

    def clear(self) -> None:
        """Let go of all buffers; arrays that use one keep it alive."""
        with self._guard.lock:
            self._buffers.clear()


pool = Pool()


def empty(shape: tuple[int, ...], dtype: Any = np.float32) -> Array:
    """Return an array of arbitrary contents, over a used buffer where there is one."""
    return pool.empty(shape, dtype)


def copy(x: Array) -> Array:
    """Return a contiguous copy."""
    out = pool.empty(x.shape, x.dtype)
    np.copyto(out, x)
    return out
