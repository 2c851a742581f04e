"""The outermost layer of a packed file: named arrays in one safetensors file (lesson 10).

A safetensors file is eight bytes (the length of the header, little-endian), a
JSON header (name, dtype, shape and byte range of each array, and a map of
strings under ``__metadata__``), then the arrays back to back. Nothing in it can
run code. This reader maps the file into memory, copies nothing, and takes
nothing on trust: every number in the header is checked against the file's size
before it is used.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.errors import PackedFileError
from tinyternary.files import replace_content

MAX_HEADER_BYTES = 4 << 20
"""Longest JSON header that is read: 4 MiB, hundreds of times what a ViT needs."""

_ALIGNMENT = 64  # the arrays start on a cache line, so that a mapped file is read by whole lines
_DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


@dataclass(frozen=True, eq=False)
class Container:
    """What a safetensors file holds.

    Attributes
    ----------
    where : str
        The file's name, for error messages.
    metadata : dict of str to str
    tensors : dict of str to ndarray
        Read-only views of the mapped file.
    header_bytes, data_bytes : int
        Bytes before the arrays (the eight of the length included) and of the arrays.
    """

    where: str
    metadata: dict[str, str]
    tensors: dict[str, NDArray[Any]]
    header_bytes: int
    data_bytes: int


def open_container(path: str | os.PathLike[str]) -> Container:
    """Map a safetensors file into memory and check its header.

    Raises
    ------
    PackedFileError
        If the file is missing, cannot be read, or is not a sound safetensors file.
    """
    where = os.fspath(path)
    try:
        with open(where, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise PackedFileError(f"{where}: the file is empty; expected a packed model")
            # the map keeps the file's content alive after the file is closed, or replaced
            buffer = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise PackedFileError(f"{where}: no such file; expected a packed model") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PackedFileError(f"{where}: cannot be read: {reason}") from None
    return parse_container(buffer, where)


def parse_container(buffer: Any, where: str = "packed model") -> Container:
    """Check the header of a safetensors file that lies in memory (bytes or a memory map).

    Raises
    ------
    PackedFileError
        If anything in the header contradicts the format or the buffer's size.
    """
    size = len(buffer)
    if size < 8:
        raise PackedFileError(
            f"{where}: header length: the file has {size} bytes; truncated, or not a packed model"
        )
    length = int.from_bytes(buffer[:8], "little")
    if length > size - 8 or length > MAX_HEADER_BYTES:
        raise PackedFileError(
            f"{where}: header length: {length} bytes, expected at most "
            f"{min(size - 8, MAX_HEADER_BYTES)}; truncated, or not a packed model"
        )
    header = _parse_json(bytes(buffer[8 : 8 + length]), where)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise PackedFileError(f"{where}: __metadata__: expected a map of strings to strings")
    start = 8 + length
    ranges = [_entry(name, fields, where) for name, fields in header.items()]
    tensors: dict[str, NDArray[Any]] = {}
    position = 0
    for name, dtype, shape, begin, end in sorted(ranges, key=lambda entry: entry[3:]):
        if begin != position:
            raise PackedFileError(
                f"{where}: {name}: data_offsets: starts at {begin}, expected {position} "
                "(arrays lie back to back)"
            )
        if end > size - start:
            raise PackedFileError(
                f"{where}: {name}: data_offsets: ends at byte {end} of {size - start}; "
                "the file is truncated"
            )
        if (start + begin) % dtype.itemsize:
            raise PackedFileError(
                f"{where}: {name}: data_offsets: not a multiple of {dtype.itemsize}"
            )
        count = (end - begin) // dtype.itemsize
        array = np.frombuffer(buffer, dtype, count, start + begin) if count else np.empty(0, dtype)
        tensors[name] = array.reshape(shape)
        position = end
    if position != size - start:
        raise PackedFileError(
            f"{where}: data: {size - start} bytes, expected {position} from the header"
        )
    return Container(where, metadata, tensors, start, position)


def parse_object(text: str | bytes, where: str, field: str) -> dict[str, Any]:
    """Parse a JSON object strictly: no NaN, no repeated key, nothing nested without end.

    Raises
    ------
    PackedFileError
        Naming `field`.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) != len(pairs):
            raise ValueError("a name occurs twice")
        return table

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not JSON")

    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError) as error:  # JSON and UTF-8 errors are ValueErrors
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise PackedFileError(f"{where}: {field}: not valid JSON ({reason})") from None
    if not isinstance(value, dict):
        raise PackedFileError(
            f"{where}: {field}: expected a JSON object, got {type(value).__name__}"
        )
    return value


def _parse_json(text: bytes, where: str) -> dict[str, Any]:
    if not text.startswith(b"{"):
        raise PackedFileError(f"{where}: header: expected JSON; this is not a packed model")
    return parse_object(text, where, "header")


def _entry(
    name: str, fields: Any, where: str
) -> tuple[str, np.dtype[Any], tuple[int, ...], int, int]:
    """Check one array's entry: name, dtype, shape, begin and end."""
    label = name if len(name) <= 80 and name.isprintable() else repr(name[:80])
    if not isinstance(fields, dict) or set(fields) != {"dtype", "shape", "data_offsets"}:
        raise PackedFileError(f"{where}: {label}: expected dtype, shape and data_offsets")
    dtype = _DTYPES.get(fields["dtype"]) if isinstance(fields["dtype"], str) else None
    if dtype is None:
        raise PackedFileError(
            f"{where}: {label}: dtype: {str(fields['dtype'])[:20]!r}, expected one of "
            f"{', '.join(_DTYPES)}"
        )
    shape, offsets = fields["shape"], fields["data_offsets"]
    if not _counts(shape) or len(shape) > 8:
        raise PackedFileError(f"{where}: {label}: shape: expected a list of counts")
    if not _counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise PackedFileError(f"{where}: {label}: data_offsets: expected two rising byte counts")
    size = dtype.itemsize
    for extent in shape:
        size *= extent
    if size != offsets[1] - offsets[0]:
        raise PackedFileError(
            f"{where}: {label}: data_offsets: {offsets[1] - offsets[0]} bytes, expected "
            f"{str(size)[:20]} for its shape"
        )
    return name, dtype, tuple(shape), offsets[0], offsets[1]


def _counts(values: Any) -> bool:
    # bool is a subclass of int in Python and must not pass for a number
    return isinstance(values, list) and all(type(v) is int and 0 <= v < 1 << 62 for v in values)


def render_container(tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> bytes:
    """Return the bytes of a safetensors file; the same input gives the same bytes.

    Arrays are laid out by falling element size, then name, so that each is aligned.
    """
    order = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    position = 0
    for name in order:
        array = tensors[name]
        header[name] = {
            "dtype": _NAMES[array.dtype.newbyteorder("<")],
            "shape": list(array.shape),
            "data_offsets": [position, position + array.nbytes],
        }
        position += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)
    if len(text) > MAX_HEADER_BYTES:
        raise PackedFileError(f"header: {len(text)} bytes, expected at most {MAX_HEADER_BYTES}")
    parts = [len(text).to_bytes(8, "little"), text]
    parts += [
        np.ascontiguousarray(tensors[name], tensors[name].dtype.newbyteorder("<")).tobytes()
        for name in order
    ]
    return b"".join(parts)


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that a crash or a full disk leaves the old one, or the new one, whole.

    Raises
    ------
    PackedFileError
        If the file cannot be written.
    """
    target = Path(path)
    if target.is_dir():
        raise PackedFileError(f"{target}: is a folder; expected a file name")
    try:
        replace_content(target, content)
    except OSError as error:
        raise PackedFileError(f"{path}: cannot be written: {error.strerror or error}") from None
