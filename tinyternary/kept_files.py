"""Files of machine code: whole, the user's own, and made by one process at a time.

Running damaged or foreign code crashes or lies. So a file has a checksum and is used only if this
user owns it and nobody else may write to it; it is written under another name and then renamed,
so that readers see all of it or nothing. What a killed writer left behind goes with the next
writing, and of many processes that find nothing, one makes it while the others wait.

Two caches rest on this: `tinyternary.compiled.kept_loops` and `tinyternary.deploy.machine_code`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from tinyternary.files import DRAFT, opened_lock, try_lock

MAGIC = b"tinyternary machine code\n"
MOST_BYTES = 2**24
DEAD_AFTER = 3600.0
"""Seconds after which a draft is taken for a killed writer's."""
WAIT = 600.0
"""Seconds to wait for another process that makes a file; then this one makes it as well."""


class NotUsable(Exception):
    """Machine code cannot be kept or used here, and why; Numba takes over."""


class Missing(NotUsable):
    """There is no file yet."""


class Damaged(NotUsable):
    """What is there is not what was written."""


def check_writable(place: Path) -> None:
    """Raise `NotUsable` where no file could be written: before a compiler works for nothing."""
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise NotUsable(f"machine code cannot be kept in {place}: {error.strerror}") from None
    if not os.access(place, os.W_OK | os.X_OK):
        raise NotUsable(f"machine code cannot be kept in {place}: it cannot be written to")


def write(path: Path, content: bytes) -> None:
    """Keep ``content``; readable by this user only.

    Raises
    ------
    NotUsable
        If it cannot be written; an older file is as it was.
    """
    check_writable(path.parent)
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}{DRAFT}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(handle, "wb") as file:
                file.write(MAGIC + hashlib.sha256(content).digest() + content)
            os.replace(draft, path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise NotUsable(f"machine code cannot be kept in {path.parent}: {error.strerror}") from None
    _remove_dead_drafts(path.parent)


def read(path: Path) -> bytes:
    """Return the content as `write` got it.

    Raises
    ------
    Missing
        If there is no such file.
    Damaged
        If its content is not what was written.
    NotUsable
        If it cannot be read, or another user could have written it.
    """
    whole = _content(path)
    start = len(MAGIC) + 32
    content = whole[start:]
    if not whole.startswith(MAGIC):
        raise Damaged(f"{path}: not a file of machine code")
    if hashlib.sha256(content).digest() != whole[len(MAGIC) : start]:
        raise Damaged(f"{path}: damaged: its checksum does not fit")
    return content


@contextlib.contextmanager
def one_maker(path: Path) -> Iterator[None]:
    """Wait until no other process is making ``path``, and keep others waiting meanwhile.

    The system lets go of the lock when its holder ends, however that is. Where there are no such
    locks nobody waits: a file may then be made twice, which costs time only.
    """
    place = path.with_name(f".{path.name}.lock")
    with opened_lock(place) as lock:
        held = False
        until = time.monotonic() + WAIT
        while lock is not None and time.monotonic() < until:
            held = try_lock(lock)
            if held:
                break
            time.sleep(0.05)
        try:
            yield
        finally:
            if held:  # who comes now finds the file itself, and who waited looks for it
                with contextlib.suppress(OSError):
                    place.unlink(missing_ok=True)


def oldest(paths: Iterator[Path], keep: int) -> list[Path]:
    """Return all but the ``keep`` youngest of these paths."""
    found = []
    for path in paths:
        with contextlib.suppress(OSError):  # another process was faster
            found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found)[:-keep]]


def _content(path: Path) -> bytes:
    """Read a file that this user owns and nobody else may write to."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | _NO_WAIT)
    except (FileNotFoundError, NotADirectoryError):
        raise Missing(f"{path} is made when it is first needed") from None
    except OSError as error:
        raise NotUsable(f"{path}: {error.strerror}") from None
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > MOST_BYTES:
            raise NotUsable(f"{path}: not a file of machine code")
        others = stat.S_IWGRP | stat.S_IWOTH
        if hasattr(os, "geteuid") and (facts.st_uid != os.geteuid() or facts.st_mode & others):
            raise NotUsable(f"{path}: another user owns it or may write to it")
        with open(handle, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(handle)


_NO_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Of a pipe there is nothing to wait for."""


def _remove_dead_drafts(place: Path) -> None:
    for draft in place.glob(f".*{DRAFT}"):
        with contextlib.suppress(OSError):
            if time.time() - draft.stat().st_mtime > DEAD_AFTER:
                draft.unlink()
