"""The files in which machine code is kept (lesson 10_deployment).

Running the wrong code crashes or lies, and so a file says exactly what it was made for: its
key is a hash of this library's version and of the sources from which the code is made, of the
compiler's versions and of the processor. Whatever changes, the key is another one, and the
file is not found. A checksum tells a damaged file; files of other users are not touched. A
file is written under another name and then renamed: readers see all of it or nothing.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tinyternary
from tinyternary.deploy.machine_code.elf import Damaged
from tinyternary.files import cache_folder
from tinyternary.kernels import processor
from tinyternary.kernels._pages import NotUsable

VERSION = 1
"""Of the file's form and of the way in which code is called."""
MAGIC = b"tinyternary machine code\n"
MOST_BYTES = 2**24
KEPT = 16
"""Files in the folder; of more, the oldest go."""
_ENDING = ".machine"


class Missing(NotUsable):
    """There is no file yet."""


def key_of(name: str, sources: Iterable[Path]) -> str:
    """Return the key of code called ``name`` that is made from ``sources``.

    Raises
    ------
    NotUsable
        If no compiler is installed whose version could be part of it.
    """
    digest = hashlib.sha256(f"{VERSION} {tinyternary.__version__} {name}".encode())
    for package in ("numba", "llvmlite"):
        spec = importlib.util.find_spec(package)  # finds it without loading it
        if spec is None or spec.origin is None:
            raise NotUsable(f"{package} is not installed")
        digest.update(Path(spec.origin).with_name("_version.py").read_bytes())
    for field, value in sorted(processor.described().items()):
        digest.update(f"\n{field}: {value}".encode())
    for path in sorted(sources):
        content = path.read_bytes()
        digest.update(f"\n{path.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def path_of(name: str, key: str) -> Path:
    """Return the file of code called ``name`` with this key."""
    return cache_folder() / f"{name}-{key[:16]}{_ENDING}"


def check_writable() -> None:
    """Raise `NotUsable` where no file could be written: before a compiler works for nothing."""
    place = cache_folder()
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise NotUsable(f"machine code cannot be kept in {place}: {error.strerror}") from None
    if not os.access(place, os.W_OK | os.X_OK):
        raise NotUsable(f"machine code cannot be kept in {place}: it cannot be written to")


def write(name: str, key: str, facts: dict[str, Any], code: bytes) -> Path:
    """Keep an object file; readable by this user only.

    Parameters
    ----------
    name, key : str
    facts : dict
        Plain JSON that `read` gives back.
    code : bytes
        An object file.

    Raises
    ------
    NotUsable
        If it cannot be written.
    """
    text = json.dumps({"key": key, **facts}).encode()
    body = len(text).to_bytes(4, "little") + text + code
    path = path_of(name, key)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    check_writable()
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(handle, "wb") as file:
                file.write(MAGIC + hashlib.sha256(body).digest() + body)
            os.replace(draft, path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise NotUsable(f"machine code cannot be kept in {path.parent}: {error.strerror}") from None
    _tidy(path.parent)
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
    content = _content(path)
    start = len(MAGIC) + 32
    body = content[start:]
    if not content.startswith(MAGIC) or len(body) < 4:
        raise Damaged(f"{path}: not a file of machine code")
    if hashlib.sha256(body).digest() != content[len(MAGIC) : start]:
        raise Damaged(f"{path}: damaged: its checksum does not fit")
    length = 4 + int.from_bytes(body[:4], "little")
    facts = json.loads(body[4:length])
    if facts.pop("key", None) != key:
        raise Damaged(f"{path}: made for something else")
    return facts, body[length:]


def _content(path: Path) -> bytes:
    """Read a file that this user owns and nobody else may write to."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        raise Missing(f"{path} is made when it is first needed") from None
    except OSError as error:
        raise NotUsable(f"{path}: {error.strerror}") from None
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > MOST_BYTES:
            raise NotUsable(f"{path}: not a file of machine code")
        if facts.st_uid != os.geteuid() or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise NotUsable(f"{path}: another user owns it or may write to it")
        with open(handle, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(handle)


def _tidy(place: Path) -> None:
    """Delete the oldest files when there are more than `KEPT`."""
    found = []
    for path in place.glob(f"*{_ENDING}"):
        try:
            found.append((path.stat().st_mtime, path))
        except OSError:  # another process was faster
            continue
    for _, path in sorted(found)[:-KEPT]:
        try:
            path.unlink()
        except OSError:
            continue
