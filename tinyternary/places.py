"""Folders to write to: every question for one is answered here.

A container may run as a user without a name: then there is no home, and ``~`` means nothing. Or
there is one that cannot be written to. The net is a folder of this user's own among temporary
files, so that what is kept is made anew once and not at every start.
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat
from pathlib import Path


def home() -> Path:
    """Return the user's home; where there is none, a folder of theirs among temporary files."""
    found = os.path.expanduser("~")
    return Path(found) if os.path.isabs(found) else _net()


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path whose leading ``~`` is `home`; ``~name`` stays where there is no such user."""
    parts = Path(path).parts
    if parts and parts[0] == "~":
        return home().joinpath(*parts[1:])
    return Path(os.path.expanduser(path))


def cache_folder() -> Path:
    """Return where what can be made again is kept; the folder need not exist yet.

    It is beside Numba's cache if that has been moved, else in the user's cache; where neither
    can be written to, among temporary files.
    """
    moved = os.environ.get("NUMBA_CACHE_DIR")
    if moved:
        return Path(moved) / "tinyternary"
    base = os.environ.get("XDG_CACHE_HOME", "")
    place = (Path(base) if os.path.isabs(base) else home() / ".cache") / "tinyternary"
    return place if _can_be_made(place) else _net() / "tinyternary"


def give_matplotlib_a_folder() -> None:
    """Say where matplotlib may keep its fonts if it would find no place itself.

    Some versions end in an error without a home, others warn at every start.
    """
    if os.environ.get("MPLCONFIGDIR"):
        return
    found = os.path.expanduser("~")
    if not os.path.isabs(found) or not _can_be_made(Path(found, ".config", "matplotlib")):
        os.environ["MPLCONFIGDIR"] = str(_net() / "matplotlib")


def _can_be_made(place: Path) -> bool:
    """Whether a folder is there to be written to, or can be made."""
    for folder in (place, *place.parents):
        if os.path.lexists(folder):
            return os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)
    return False


def _net() -> Path:
    """Return a folder of this user's among temporary files, which nobody else can write to.

    What is kept is run: a folder that somebody else laid out under its name is not used.
    """
    import tempfile  # takes a while to load, and is seldom needed

    try:
        base = tempfile.gettempdir()
    except OSError:  # no place at all: whoever wants to write there will say so
        return Path(os.sep, "tmp", "tinyternary")
    user = os.geteuid() if hasattr(os, "geteuid") else 0
    place = Path(base, f"tinyternary-{user}")
    with contextlib.suppress(OSError):  # there already, and then it matters whose it is
        os.mkdir(place, 0o700)
    return place if _is_ours(place, user) else _of_this_process(base)


def _is_ours(place: Path, user: int) -> bool:
    try:
        facts = os.lstat(place)
    except OSError:
        return False
    others = stat.S_IWGRP | stat.S_IWOTH
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == user and not facts.st_mode & others


@functools.cache
def _of_this_process(base: str) -> Path:
    import tempfile

    return Path(tempfile.mkdtemp(prefix="tinyternary-", dir=base))
