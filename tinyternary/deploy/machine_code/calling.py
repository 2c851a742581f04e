"""Machine code as something that Python can call (lesson 10_deployment)."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

ENTRY = "tinyternary_entry"
"""Name of the function that is called from outside: ``int entry(const int64_t *arguments)``."""
INTEGER = "int"

_Entry = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)  # lets go of Python's lock while it runs
_DIGITS = "0123456789"


def kind_of(dtype: Any, dimensions: int) -> str:
    """Return how an argument is written down: a letter for the dtype, and its dimensions."""
    kind: str = dtype.char + _DIGITS[dimensions]
    return kind


def _note(array: NDArray[Any], words: list[int], kinds: list[str]) -> None:
    """Append what there is to know of an array."""
    if not isinstance(array, np.ndarray) or not (flags := array.flags).c_contiguous:
        raise TypeError("compiled code takes integers and C-contiguous arrays")
    if flags.writeable and array.size:
        words.append(_addressof(_one_byte(array)))
    else:  # this is for all arrays, and takes four times as long
        words.append(array.ctypes.data)
    shape = array.shape
    words += shape
    kinds.append(array.dtype.char + _DIGITS[len(shape)])


_addressof: Any = ctypes.addressof
_one_byte: Any = ctypes.c_char.from_buffer


class NativeFunction:
    """A function in memory that takes int64s and C-contiguous arrays.

    Arguments go into a table of 64-bit numbers: an integer as it is, an array as its address
    and its extents.

    Parameters
    ----------
    address : int
    kinds : sequence of str
        `INTEGER` or a `kind_of` for each argument.
    """

    def __init__(self, address: int, kinds: Sequence[str]) -> None:
        self._entry = _Entry(address)
        self._kinds = list(kinds)
        numbers = sum(1 if kind == INTEGER else 1 + int(kind[1:]) for kind in kinds)
        self._table = struct.Struct(f"={numbers}q")

    def __call__(self, *parts: int | NDArray[Any]) -> None:
        """Call it with integers and arrays.

        Raises
        ------
        TypeError
            If these are not the kinds of arguments that it was compiled for.
        RuntimeError
            If the code reports an error.
        """
        words: list[int] = []
        kinds: list[str] = []
        for part in parts:
            if isinstance(part, int):
                words.append(part)
                kinds.append(INTEGER)
            else:
                _note(part, words, kinds)
        if kinds != self._kinds:  # wrong ones would be read as addresses
            raise TypeError(f"expected arguments {' '.join(self._kinds)}, got {' '.join(kinds)}")
        status = self._entry(self._table.pack(*words))
        if status:
            raise RuntimeError(f"compiled code reports error {status}")
