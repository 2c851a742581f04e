"""The marks in a source's cells: what a solution is, and what only grading sees."""

from __future__ import annotations

import re

from tinyternary.errors import LessonError

REGIONS = {
    "solution": ("### BEGIN SOLUTION", "### END SOLUTION"),
    "hidden": ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"),
}


def plain(source: str) -> str:
    """Leave out notes to our formatter, which tell a reader nothing."""
    return re.sub(r" *# fmt: (skip|on|off)$", "", source, flags=re.MULTILINE)


def replace(source: str, region: str, stub: str | None) -> str:
    """Put `stub`, at the depth of the mark, in place of each marked region."""
    out: list[str] = []
    for line, inside, mark in walk(source, region):
        if mark == "begin" and stub is not None:
            out.append(line[: len(line) - len(line.lstrip())] + stub)
        elif not inside and not mark:
            out.append(line)
    return "\n".join(out).rstrip()


def unmark(source: str, region: str) -> str:
    """Leave out the marks of a region and keep what is between them."""
    return "\n".join(line for line, _, mark in walk(source, region) if not mark)


def walk(source: str, region: str) -> list[tuple[str, bool, str]]:
    """Tell the lines of a cell apart.

    Parameters
    ----------
    source : str
    region : {"solution", "hidden"}

    Returns
    -------
    list of (str, bool, str)
        Each line, whether it is inside the region, and "begin", "end" or "".

    Raises
    ------
    LessonError
        If a mark has no counterpart.
    """
    begin, end = REGIONS[region]
    out = []
    inside = False
    for line in source.splitlines():
        mark = {begin: "begin", end: "end"}.get(line.strip(), "")
        if mark and (mark == "begin") == inside:
            raise LessonError(f"{line.strip()} without its counterpart, in: {source[:60]!r}")
        inside = {"begin": True, "end": False}.get(mark, inside)
        out.append((line, inside, mark))
    if inside:
        raise LessonError(f"{begin} without {end}, in: {source[:60]!r}")
    return out
