"""Files that a crash cannot halve, and the folder for those that can be made again."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

DRAFT = ".part"
"""Ending of a draft; one that is left over was being written when its process was killed."""


def cache_folder() -> Path:
    """Return where what can be made again is kept; the folder need not exist yet.

    It is beside Numba's cache if that has been moved, else in the user's cache.
    """
    moved = os.environ.get("NUMBA_CACHE_DIR")
    if moved:
        return Path(moved) / "tinyternary"
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path("~/.cache").expanduser()) / "tinyternary"


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
