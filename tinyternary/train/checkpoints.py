"""Checkpoints: safetensors files with a JSON header, written so that a crash keeps the old one.

Nothing is pickled. A file is written under a temporary name, flushed to the
disk and renamed: whoever looks, at whatever moment, finds the old file or the
new one, never half a file (lesson 03).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from tinyternary import __version__
from tinyternary.errors import CheckpointError
from tinyternary.files import replace_content
from tinyternary.train._migrations import current, current_arrays

READABLE = (1, 2)
"""Formats that are read; the last one is written."""
_KEY = "tinyternary"


@dataclass(frozen=True)
class Checkpoint:
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


def write_bytes(path: str | Path, content: bytes) -> None:
    """Replace a file's content in one stroke; its folder is made if need be."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    replace_content(path, content)


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON in one stroke; NumPy numbers become plain ones."""
    text = json.dumps(value, indent=1, default=_plain) + "\n"
    write_bytes(path, text.encode())


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} does not go into JSON")


def read_json(path: str | Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    CheckpointError
        If the file is missing, not JSON, or not an object.
    """
    try:
        value = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise CheckpointError(f"{path}: not JSON ({error})") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: expected a JSON object, got {type(value).__name__}")
    found: dict[str, Any] = current(value)
    return found


def save_checkpoint(
    path: str | Path, kind: str, arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any]
) -> None:
    """Write a checkpoint.

    Parameters
    ----------
    path : path
    kind : str
        What the file is for: ``"state"`` (to go on training) or ``"weights"``.
    arrays : mapping of str to ndarray
    header : mapping
        JSON values.
    """
    full = {"kind": kind, "format": READABLE[-1], "library": __version__, **header}
    # not ascontiguousarray, which makes an array of one of a single number
    plain = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    write_bytes(path, save(plain, {_KEY: json.dumps(full, default=_plain)}))


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
        If the file is missing, damaged, of another version or another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: damaged or not a safetensors file ({error})") from None
    if _KEY not in metadata:
        raise CheckpointError(f"{path}: a safetensors file, but no tinyternary checkpoint")
    try:
        header = json.loads(metadata[_KEY])
    except ValueError as error:
        raise CheckpointError(f"{path}: header is not JSON ({error})") from None
    if not isinstance(header, dict) or header.get("format") not in READABLE:
        found = header.get("format") if isinstance(header, dict) else None
        raise CheckpointError(f"{path}: format {found!r}, expected {READABLE[-1]}")
    if kind is not None and header.get("kind") != kind:
        raise CheckpointError(f"{path}: holds {header.get('kind')!r}, expected {kind!r}")
    return Checkpoint(current_arrays(arrays), current(header), path)
