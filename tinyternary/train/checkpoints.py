"""Checkpoints: safetensors files with a JSON header, written so that a crash keeps the old one.

Nothing is pickled. A file is written under a temporary name, flushed to the
disk and renamed: whoever looks, at whatever moment, finds the old file or the
new one, never half a file (lesson 03).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary import __version__
from tinyternary.brief import Brief
from tinyternary.container import (
    Rules,
    check_content,
    checksum,
    open_container,
    render_container,
)
from tinyternary.errors import CheckpointError
from tinyternary.files import replace_content
from tinyternary.strict_json import parse_object, to_json
from tinyternary.train._migrations import current, current_arrays

READABLE = (1, 2, 3)
"""Formats that are read; the last one is written. From the third on a file has a checksum."""
_KEY = "tinyternary"
_RULES = Rules(CheckpointError, "a checkpoint")


class CheckpointWarning(UserWarning):
    """A file of a run is damaged, and the run goes on without it."""


class OtherFormatError(CheckpointError):
    """A checkpoint of a version that is not known here: no damage, and not to be replaced."""


@dataclass(frozen=True, repr=False)
class Checkpoint(Brief):
    """What a checkpoint file holds.

    Attributes
    ----------
    arrays : dict of str to ndarray
        By name; the part before the first ``/`` says whose ("model", "optimizer",
        "average", "extra").
    header : dict
        JSON values, with ``kind``, ``format`` and ``library`` among them.
    path : Path
        Where it was read.
    """

    arrays: dict[str, NDArray[Any]]
    header: dict[str, Any]
    path: Path

    def part(self, name: str) -> dict[str, NDArray[Any]]:
        """Arrays of one owner, without the prefix."""
        prefix = name + "/"
        return {k[len(prefix) :]: a for k, a in self.arrays.items() if k.startswith(prefix)}

    def field(self, name: str) -> Any:
        """Return a header entry.

        Raises
        ------
        CheckpointError
            If it is missing.
        """
        if name not in self.header:
            raise CheckpointError(f"{self.path}: header has no field {name!r}")
        return self.header[name]


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON (`to_json`) in one stroke. Its folder is made if need be.

    Raises
    ------
    CheckpointError
        If the file cannot be written.
    """
    text = to_json(value, indent=1) + "\n"
    replace_content(path, text.encode(), CheckpointError, make_folder=True)


def read_json(path: str | Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    CheckpointError
        If the file is missing, not JSON, or not an object.
    """
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from None
    found: dict[str, Any] = current(parse_object(text, str(path), CheckpointError, allow_nan=True))
    return found


def save_checkpoint(
    path: str | Path, kind: str, arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any]
) -> None:
    """Write a checkpoint; its folder is made if need be.

    Parameters
    ----------
    path : path
    kind : str
        What the file is for: ``"state"`` (to go on training) or ``"weights"``.
    arrays : mapping of str to ndarray
    header : mapping
        JSON values.

    Raises
    ------
    CheckpointError
        If the file cannot be written, or an array is of a type that it cannot hold.
    """
    full = {"kind": kind, "format": READABLE[-1], "library": __version__, **header}
    text = to_json(full)
    metadata = {_KEY: text, "checksum": checksum(text, arrays)}
    content = render_container(arrays, metadata, _RULES)
    replace_content(path, content, CheckpointError, make_folder=True)


def load_checkpoint(path: str | Path, kind: str | None = None) -> Checkpoint:
    """Read a checkpoint.

    Parameters
    ----------
    path : path
    kind : str, optional
        The kind that is expected.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged (its checksum does not fit), of another version or
        another kind.
    """
    path = Path(path)
    file = open_container(path, _RULES)
    if _KEY not in file.metadata:
        raise CheckpointError(f"{path}: a safetensors file, but no tinyternary checkpoint")
    check_content(file, _KEY, _RULES)
    header = parse_object(file.metadata[_KEY], f"{path}: header", CheckpointError, allow_nan=True)
    if header.get("format") not in READABLE:
        raise OtherFormatError(f"{path}: format {header.get('format')!r}, expected {READABLE[-1]}")
    if "checksum" not in file.metadata and header["format"] == READABLE[-1]:
        raise CheckpointError(f"{path}: checksum: missing; the file is damaged")
    if not isinstance(header.get("kind"), str):
        raise CheckpointError(f"{path}: header says no kind of checkpoint")
    if kind is not None and header.get("kind") != kind:
        raise CheckpointError(f"{path}: holds {header.get('kind')!r}, expected {kind!r}")
    # training goes on in these arrays, so they are copies of the file's
    arrays = {name: np.array(a, a.dtype.newbyteorder("=")) for name, a in file.tensors.items()}
    return Checkpoint(current_arrays(arrays), current(header), path)
