"""Machine code as something that Python can call (lesson 10_deployment)."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

ENTRY = "tinyternary_entry"
"""Name of the function that is called from outside: ``int entry(const int64_t *arguments)``."""

_Entry = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)  # lets go of Python's lock while it runs


class NativeFunction:
    """A function in memory that takes int64s and C-contiguous arrays.

    Arguments go into a table of 64-bit numbers: an integer as it is, an array as its address
    and its extents.

    Parameters
    ----------
    address : int
    kinds : sequence of str
        ``"int64"``, or dtype and number of dimensions, for each argument.
    """

    def __init__(self, address: int, kinds: Sequence[str]) -> None:
        self._entry = _Entry(address)
        self._kinds = list(kinds)
        self._expected = [
            None if kind == "int64" else (np.dtype(kind.split()[0]), int(kind.split()[1]))
            for kind in kinds
        ]

    def __call__(self, *arguments: Any) -> None:
        """Call it.

        Raises
        ------
        TypeError
            If an argument is not of the kind that was compiled for.
        RuntimeError
            If the code reports an error, which this library's never does.
        """
        if len(arguments) != len(self._expected):
            raise TypeError(f"expected {len(self._expected)} arguments, got {len(arguments)}")
        words: list[int] = []
        for i, (argument, expected) in enumerate(zip(arguments, self._expected)):
            if expected is None:
                words.append(argument)
            elif isinstance(argument, Placed):
                words += argument.words
            else:
                words += _words(argument, expected, i)
        status = self._entry((ctypes.c_int64 * len(words))(*words))
        if status:
            raise RuntimeError(f"compiled code reports error {status}")


class Placed:
    """An array whose address was looked up once; keeps it alive."""

    __slots__ = ("array", "words")

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array
        self.words = [array.ctypes.data, *array.shape]


def _words(array: Any, expected: tuple[np.dtype[Any], int], i: int) -> list[int]:
    dtype, dimensions = expected
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != dimensions:
        raise TypeError(f"argument {i}: expected a {dtype} array of {dimensions} dimensions")
    if not array.flags.c_contiguous:
        raise TypeError(f"argument {i}: expected a C-contiguous array")
    return [array.ctypes.data, *array.shape]
