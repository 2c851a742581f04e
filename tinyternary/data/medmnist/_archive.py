"""Read arrays out of an `.npz` file that may be damaged, foreign or hostile.

``np.load`` would trust the sizes that the file states and report damage with a
dozen different exceptions. Here every size is read and checked before memory is
taken, nothing is ever unpickled, and whatever is wrong becomes one
`DataFileError` that names the file and the array.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tinyternary.errors import DataFileError, TinyTernaryError

LIMIT_BYTES = 1 << 30
"""Largest array that is read unless a caller allows more; the largest official
array at 28 x 28 takes 212 MB."""
DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError,
    OverflowError,
)  # fmt: skip
"""What zipfile and numpy.lib.format raise on damaged input (NotImplementedError and RuntimeError:
unknown compression, encryption)."""


class Archive:
    """An open `.npz` file; use it in a ``with`` statement through `open_archive`."""

    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self.path = path
        self._file = file

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the arrays in the file."""
        return tuple(n.removesuffix(".npy") for n in self._file.namelist() if n.endswith(".npy"))

    def read(self, key: str, limit_bytes: int = LIMIT_BYTES) -> NDArray[Any]:
        """Return one array.

        Parameters
        ----------
        key : str
            Its name in the file.
        limit_bytes : int
            An array that takes more bytes in memory is refused unread.

        Raises
        ------
        DataFileError
            If the array is missing, damaged, of Python objects or too large.
        """
        if key not in self.keys:
            raise DataFileError(
                f"{self.path}: expected an array {key!r}, found {', '.join(self.keys) or 'none'}"
            )
        method = self._file.getinfo(f"{key}.npy").compress_type
        if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataFileError(f"{self.path}: array {key!r} is compressed in an unknown way")
        with self._file.open(f"{key}.npy") as stream:
            shape, fortran, dtype = read_array_header(stream)
            if dtype.hasobject:
                raise DataFileError(f"{self.path}: array {key!r} holds Python objects, not numbers")
            # Python integers: a stated shape cannot overflow
            nbytes = prod(shape) * dtype.itemsize
            if nbytes > limit_bytes:
                raise DataFileError(
                    f"{self.path}: array {key!r} {dtype} {shape} would take {nbytes:,} bytes, "
                    f"more than the limit of {limit_bytes:,}"
                )
            stated = self._file.getinfo(f"{key}.npy").file_size - stream.tell()
            if nbytes != stated:
                raise DataFileError(
                    f"{self.path}: array {key!r} {dtype} {shape} needs {nbytes:,} bytes, "
                    f"the file holds {stated:,}"
                )
            array = np.empty(prod(shape), dtype)
            _fill(stream, array.view(np.uint8).data if nbytes else memoryview(b""))
        return array.reshape(shape, order="F" if fortran else "C")


def _fill(stream: IO[bytes], view: memoryview) -> None:
    """Read exactly ``len(view)`` bytes, then find the end and so let zipfile check the CRC."""
    start, chunk = 0, 1 << 20
    while start < len(view):
        piece = stream.read(min(chunk, len(view) - start))
        if not piece:
            raise EOFError(f"ends after {start:,} of {len(view):,} bytes")
        view[start : start + len(piece)] = piece
        start += len(piece)
    if stream.read(1):
        raise ValueError("more bytes than stated")


def read_array_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, Fortran order and dtype of an ``.npy`` stream.

    Raises
    ------
    ValueError
        If it does not begin as such a stream does.
    """
    try:
        version = npy.read_magic(stream)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, fortran, dtype = read(stream)
    # NumPy parses the header as Python text: damage shows as TokenError, SyntaxError,
    # RecursionError, KeyError and more
    except Exception as error:
        raise ValueError(f"array header: {type(error).__name__}: {error}") from error
    if any(n < 0 for n in shape):
        raise ValueError(f"negative shape {shape}")
    return shape, fortran, dtype


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open an `.npz` file and turn whatever is wrong with it into one kind of error.

    Raises
    ------
    DataFileError
        If the file is missing, unreadable, not an `.npz` file or damaged; also for
        damage that shows while arrays are read inside the ``with`` block.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "not found"
        raise DataFileError(f"{path}: {what}; expected a MedMNIST .npz file")
    try:
        with zipfile.ZipFile(path) as file:
            yield Archive(path, file)
    except DAMAGE as error:
        if isinstance(error, TinyTernaryError):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataFileError(f"{path}: damaged or not an .npz file ({reason[:200]})") from error
    except OSError as error:
        raise DataFileError(f"{path}: cannot be read ({error.strerror or error})") from error
    except MemoryError as error:
        raise DataFileError(f"{path}: not enough memory to read it") from error
