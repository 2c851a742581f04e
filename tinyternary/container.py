"""The one reader and writer of safetensors files: named arrays in a file (lesson 10).

A safetensors file is eight bytes (the length of the header, little-endian), a
JSON header (name, dtype, shape and byte range of each array, and a map of
strings under ``__metadata__``), then the arrays back to back. Nothing in it can
run code. This reader maps the file into memory, copies nothing that it need
not, and takes nothing on trust: every number in the header is checked against
the file's size before it is used.

Packed models, checkpoints and other people's weights are such files. What each
of them allows, and the error that its readers raise, is a `Rules`.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinyternary.strict_json import parse_object, to_json
from tinyternary.text import named, quoted

_ALIGNMENT = 64  # the arrays start on a cache line, so that a mapped file is read by whole lines
_STORED: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),  # the upper half of a float32, which NumPy has no name for
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
_NAMES = {dtype: name for name, dtype in _STORED.items() if name != "BF16"}
_MAX_DIMENSIONS = 64  # NumPy's own limit


@dataclass(frozen=True)
class Rules:
    """What is asked of a file beyond the format, and what is raised if it is not so.

    Attributes
    ----------
    error : exception class
        Its one line names the file, the field, and what was expected.
    expected : str
        What the file should be: ``"a packed model"``.
    dtypes : tuple of str
        The format's names of the types that are read and written.
    max_header_bytes : int
        Longest JSON header.
    aligned : bool
        Whether an array that starts between two of its elements is an error; else it is copied.
    """

    error: type[Exception]
    expected: str
    dtypes: tuple[str, ...] = tuple(_STORED)
    max_header_bytes: int = 100_000_000  # what the safetensors library allows itself
    aligned: bool = False


@dataclass(frozen=True, eq=False)
class Container:
    """What a safetensors file holds.

    Attributes
    ----------
    where : str
        The file's name, for error messages.
    metadata : dict of str to str
    tensors : dict of str to ndarray
        In the order of the file. Read-only views of it, but for what had to be copied:
        bfloat16, which becomes float32, and what is not aligned.
    header_bytes, data_bytes : int
        Bytes before the arrays (the eight of the length included) and of the arrays.
    """

    where: str
    metadata: dict[str, str]
    tensors: dict[str, NDArray[Any]]
    header_bytes: int
    data_bytes: int


def open_container(path: str | os.PathLike[str], rules: Rules) -> Container:
    """Map a safetensors file into memory and check its header.

    Raises
    ------
    rules.error
        If the file is missing, cannot be read, or is not a sound safetensors file.
    """
    where = os.fspath(path)
    try:
        with open(where, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise rules.error(f"{where}: the file is empty; expected {rules.expected}")
            # the map keeps the file's content alive after the file is closed, or replaced
            buffer = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise rules.error(f"{where}: no such file; expected {rules.expected}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise rules.error(f"{where}: cannot be read: {reason}") from None
    return parse_container(buffer, rules, where)


def parse_container(buffer: Any, rules: Rules, where: str) -> Container:
    """Check the header of a safetensors file that lies in memory (bytes or a memory map).

    Raises
    ------
    rules.error
        If anything in the header contradicts the format, the rules or the buffer's size.
    """
    size = len(buffer)
    if size < 8:
        raise rules.error(
            f"{where}: header length: the file has {size} bytes; truncated, or not {rules.expected}"
        )
    length = int.from_bytes(buffer[:8], "little")
    most = min(size - 8, rules.max_header_bytes)
    if length > most:
        raise rules.error(
            f"{where}: header length: {length} bytes, expected at most {most}; truncated, or not "
            f"{rules.expected}"
        )
    text = bytes(buffer[8 : 8 + length])
    if not text.startswith(b"{"):
        raise rules.error(f"{where}: header: expected JSON; this is not {rules.expected}")
    header = parse_object(text, f"{where}: header", rules.error)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise rules.error(f"{where}: __metadata__: expected a map of strings to strings")
    start = 8 + length
    tensors: dict[str, NDArray[Any]] = {}
    position = 0
    for entry in sorted(_entries(header, rules, where), key=lambda entry: entry[:2]):
        label = f"{where}: {entry.label}: data_offsets"
        if entry.begin != position:
            raise rules.error(
                f"{label}: starts at {entry.begin}, expected {position} (arrays lie back to back)"
            )
        if entry.end > size - start:
            raise rules.error(
                f"{label}: ends at byte {entry.end} of {size - start}; the file is truncated"
            )
        if rules.aligned and (start + entry.begin) % _STORED[entry.dtype].itemsize:
            raise rules.error(f"{label}: not a multiple of {_STORED[entry.dtype].itemsize}")
        tensors[entry.name] = _array(buffer, start, entry, rules, where)
        position = entry.end
    if position != size - start:
        raise rules.error(
            f"{where}: data: {size - start} bytes, expected {position} from the header"
        )
    return Container(where, metadata, tensors, start, position)


class _Entry(NamedTuple):
    """One array as the header has it, checked."""

    begin: int
    end: int
    name: str
    label: str
    dtype: str
    shape: tuple[int, ...]


def _entries(header: dict[str, Any], rules: Rules, where: str) -> list[_Entry]:
    found = []
    for name, fields in header.items():
        label = named(name)
        whole = f"{where}: {label}"
        if not isinstance(fields, dict) or set(fields) != {"dtype", "shape", "data_offsets"}:
            raise rules.error(f"{whole}: expected dtype, shape and data_offsets")
        dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
        if dtype not in rules.dtypes:
            raise rules.error(
                f"{whole}: dtype: {quoted(dtype)}, expected one of {', '.join(rules.dtypes)}"
            )
        if not _counts(shape) or len(shape) > _MAX_DIMENSIONS:
            raise rules.error(f"{whole}: shape: expected a list of counts")
        if not _counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
            raise rules.error(f"{whole}: data_offsets: expected two rising byte counts")
        size = math.prod(shape) * _STORED[dtype].itemsize
        if size != offsets[1] - offsets[0]:
            raise rules.error(
                f"{whole}: data_offsets: {offsets[1] - offsets[0]} bytes, expected "
                f"{quoted(size)} for its shape"
            )
        if math.prod(max(extent, 1) for extent in shape) >= 1 << 59:
            # no bytes, but strides that no array can have
            raise rules.error(f"{whole}: shape: too large, even for an array without elements")
        found.append(_Entry(offsets[0], offsets[1], name, label, dtype, tuple(shape)))
    return found


def _counts(values: Any) -> bool:
    # bool is a subclass of int in Python and must not pass for a number
    return isinstance(values, list) and all(type(v) is int and 0 <= v < 1 << 62 for v in values)


def _array(buffer: Any, start: int, entry: _Entry, rules: Rules, where: str) -> NDArray[Any]:
    stored = _STORED[entry.dtype]
    count = (entry.end - entry.begin) // stored.itemsize
    # of no elements NumPy makes no view
    array = (
        np.frombuffer(buffer, stored, count, start + entry.begin) if count else np.empty(0, stored)
    )
    if entry.dtype == "BF16":
        array = (array.astype(np.uint32) << np.uint32(16)).view(np.float32)
    elif entry.dtype == "BOOL" and (array.view(np.uint8) > 1).any():
        raise rules.error(f"{where}: {entry.label}: holds a byte that is neither 0 nor 1")
    elif not array.flags.aligned:
        array = array.copy()
    return array.reshape(entry.shape)


def checksum(text: str, tensors: Mapping[str, NDArray[Any]]) -> str:
    """Return ``"sha256:..."`` over a text and over each array's name, dtype, shape and bytes.

    The arrays count as they lie in a file, little-endian, whatever order they have here.
    """
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = np.asarray(tensors[name])
        stored = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        digest.update(f"\n{name} {stored.dtype.str} {array.shape}\n".encode())
        digest.update(stored.reshape(-1).view(np.uint8).data)
    return f"sha256:{digest.hexdigest()}"


def check_content(container: Container, header: str, rules: Rules) -> None:
    """Compare a file's ``checksum`` with that of its arrays and of the entry `header`.

    A file without one, of an earlier version or of somebody else, is not judged.

    Raises
    ------
    rules.error
        If they differ: bits have changed since it was written.
    """
    said = container.metadata.get("checksum")
    if said is None:
        return
    found = checksum(container.metadata[header], container.tensors)
    if said != found:
        raise rules.error(
            f"{container.where}: checksum: the file says {said[:23]!r}, its content gives "
            f"{found[:23]!r}; the file is damaged"
        )


def render_container(
    tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str], rules: Rules
) -> bytes:
    """Return the bytes of a safetensors file; the same input gives the same bytes.

    Arrays may have any strides and byte order. They are laid out by falling element size,
    then name, so that each is aligned.

    Raises
    ------
    rules.error
        If an array is of a type, or the header of a length, that the rules do not allow.
    """
    arrays = {name: np.asarray(array) for name, array in tensors.items()}
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    parts = []
    position = 0
    for name in sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name)):
        array = arrays[name]
        stored = array.dtype.newbyteorder("<")
        if name == "__metadata__":
            raise rules.error("'__metadata__': the format keeps this name for itself")
        if _NAMES.get(stored) not in rules.dtypes:
            raise rules.error(
                f"{quoted(name)}: cannot be stored as {array.dtype}, expected one of "
                f"{', '.join(rules.dtypes)}"
            )
        header[name] = {
            "dtype": _NAMES[stored],
            "shape": list(array.shape),
            "data_offsets": [position, position + array.nbytes],
        }
        parts.append(np.ascontiguousarray(array, stored).tobytes())
        position += array.nbytes
    text = to_json(header, compact=True).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)
    if len(text) > rules.max_header_bytes:
        raise rules.error(f"header: {len(text)} bytes, expected at most {rules.max_header_bytes}")
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])
