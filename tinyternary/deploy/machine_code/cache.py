"""The files in which machine code is kept (lesson 10_deployment).

A file says exactly what it was made for: its key is a hash of this library's version, of the
sources from which the code is made and the compiler's versions (`compiled.source_files`), and of
the processor. Whatever changes, the key is another one, and the file is not found. That it is
whole and the user's own is for `tinyternary.kept_files` to see to.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import tinyternary
from tinyternary import kept_files
from tinyternary.compiled.source_files import fingerprint
from tinyternary.deploy.machine_code.calling import INTEGER
from tinyternary.kept_files import Damaged
from tinyternary.kernels import processor
from tinyternary.places import cache_folder

VERSION = 2
"""Of the file's form and of the way in which code is called."""
KEPT = 16
"""Files in the folder; of more, the oldest go."""
_ENDING = ".machine"
_ARGUMENT = re.compile(rf"{INTEGER}|[A-Za-z?]\d")


def key_of(name: str, source: Path) -> str:
    """Return the key of code called ``name`` that is made from ``source`` and what it imports.

    Raises
    ------
    NotUsable
        If no compiler is installed whose version could be part of it.
    """
    facts = [f"{VERSION} {tinyternary.__version__} {name}", fingerprint(source)]
    facts += (f"{field}: {value}" for field, value in sorted(processor.described().items()))
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def path_of(name: str, key: str) -> Path:
    """Return the file of code called ``name`` with this key."""
    return cache_folder() / f"{name}-{key[:16]}{_ENDING}"


def write(name: str, key: str, facts: dict[str, Any], code: bytes) -> Path:
    """Keep an object file; readable by this user only.

    Parameters
    ----------
    name, key : str
    facts : dict
        Plain JSON that `read` gives back: ``arguments``, the kinds of them as
        `calling.NativeFunction` takes them, or ``because``, why there is no code.
    code : bytes
        An object file.

    Raises
    ------
    NotUsable
        If it cannot be written.
    """
    text = json.dumps({"key": key, **facts}).encode()
    path = path_of(name, key)
    kept_files.write(path, len(text).to_bytes(4, "little") + text + code)
    for old in kept_files.oldest(path.parent.glob(f"*{_ENDING}"), KEPT):
        with contextlib.suppress(OSError):
            old.unlink()
    return path


def read(name: str, key: str) -> tuple[dict[str, Any], bytes]:
    """Return facts and object file as `write` got them.

    Raises
    ------
    Missing
        If there is no such file.
    Damaged
        If its content is not what was written, or was made for something else.
    NotUsable
        If it cannot be read, or another user could have written it.
    """
    path = path_of(name, key)
    body = kept_files.read(path)
    length = 4 + int.from_bytes(body[:4], "little")
    try:
        facts = json.loads(body[4:length])
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{path}: not a file of machine code: {error}") from None
    if not isinstance(facts, dict) or facts.pop("key", None) != key:
        raise Damaged(f"{path}: made for something else")
    if not isinstance(facts.get("because"), str) and not _is_known(facts.get("arguments")):
        raise Damaged(f"{path}: says neither how its code is called nor why there is none")
    return facts, body[length:]


def _is_known(arguments: Any) -> bool:
    return isinstance(arguments, list) and all(
        isinstance(kind, str) and _ARGUMENT.fullmatch(kind) for kind in arguments
    )
