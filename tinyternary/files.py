"""Files that a crash cannot halve, and folders for one process at a time."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

DRAFT = ".part"
"""Ending of a draft; one that is left over was being written when its process was killed."""


LOCK = ".lock"
"""Empty file in a folder that one process at a time may work in."""
_locks: set[int] = set()  # descriptors of the locks that this process holds


def made_folder(path: str | os.PathLike[str], error: type[Exception]) -> Path:
    """Make a folder, those above it too, unless it is there; return its path.

    Raises
    ------
    error
        If it cannot be made.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise error(f"{folder}: cannot be made: {problem.strerror or problem}") from problem
    return folder


def replace_content(
    path: str | os.PathLike[str],
    content: bytes,
    error: type[Exception] = OSError,
    *,
    make_folder: bool = False,
) -> None:
    """Replace a file's content in one stroke.

    The bytes go to a draft in the same folder, are flushed to the disk, and take the name by
    a rename, which file systems do atomically. A link keeps pointing where it pointed: its
    target is replaced.

    Parameters
    ----------
    path : path-like
    content : bytes
    error : exception class
        What is raised, in one line, if the file cannot be written.
    make_folder : bool
        Whether its folder is made if need be; else a folder that is missing is an error.

    Raises
    ------
    error
        If it cannot be written; the old file is as it was.
    """
    target = Path(os.path.realpath(path))
    if os.path.isdir(target):
        raise error(f"{os.fspath(path)}: is a folder; expected a file name")
    try:
        if make_folder:
            target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, content)
    except OSError as problem:
        reason = problem.strerror or problem
        raise error(f"{os.fspath(path)}: cannot be written: {reason}") from problem


def _replace(target: Path, content: bytes) -> None:
    draft = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}{DRAFT}")
    try:
        with open(draft, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # on the disk before the name points at it
        os.replace(draft, target)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):  # not every system opens folders
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the rename itself is on the disk only then
        finally:
            os.close(folder)


@contextlib.contextmanager
def one_at_a_time(folder: Path, busy: Exception) -> Iterator[None]:
    """Keep a folder to this block: whoever asks meanwhile, here or in another process, gets `busy`.

    The lock is the operating system's: it ends with the process, however that ends, and no
    file that is left behind means that somebody is there. On a disk without locks, or one
    that cannot be written (which whoever writes will say), the block runs all the same.

    Parameters
    ----------
    folder : Path
        Made if need be.
    busy : Exception
        What is raised if somebody else has it.
    """
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    with opened_lock(folder / LOCK) as lock:
        if lock is not None and not try_lock(lock):
            raise busy
        yield


@contextlib.contextmanager
def opened_lock(path: Path) -> Iterator[int | None]:
    """Open a lock's file for `try_lock`; None where it cannot be. At the end the lock is free."""
    lock = None
    with contextlib.suppress(OSError):
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    if lock is None:
        yield None
        return
    _locks.add(lock)
    try:
        yield lock
    finally:
        if lock in _locks:  # not in a forked child
            _locks.discard(lock)
            _let_go(lock)
            os.close(lock)


if sys.platform == "win32":
    import msvcrt

    def try_lock(lock: int) -> bool:
        """Try to get the lock; False if somebody else has it."""
        try:
            msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _let_go(lock: int) -> None:
        """Do nothing: closing the file lets go of its lock."""

else:
    import fcntl

    def try_lock(lock: int) -> bool:
        """Try to get the lock; False if somebody else has it, True also where there are none."""
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def _let_go(lock: int) -> None:
        """Free the lock at once: a child that was just forked may have the file open as well."""
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_UN)

    def _close_locks() -> None:
        for lock in _locks:  # a child that outlives its parent must not keep the folder
            os.close(lock)
        _locks.clear()

    os.register_at_fork(after_in_child=_close_locks)
