"""A lesson inside the package: what checks and graders read, wherever the library is installed.

`tinyternary lessons build` writes `course/packs/NN_name.json` from the source, and
`tinyternary lessons check` fails where the two differ. A learner's kernel reads it without
any notebook package. Lessons of a teacher's own lie in a folder that `TINYTERNARY_PACKS` names.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tinyternary.course.lesson.drawn import draw, find, template_of
from tinyternary.course.lesson.model import Cell, Lesson
from tinyternary.errors import LessonError

PACKS = Path(__file__).resolve().parents[1] / "packs"
"""Folder of the lessons that the package carries."""
OTHER_PACKS = "TINYTERNARY_PACKS"
"""Environment variable: a folder with more, which come first."""
_FORMAT = 1
_at_hand: dict[str, Lesson] = {}


def keep_at_hand(lesson: Lesson) -> None:
    """Let this process find a lesson that is not packed: its set-up asks for it by name."""
    _at_hand[lesson.name] = lesson


@contextlib.contextmanager
def left_as_found() -> Iterator[None]:
    """Let lessons be at hand inside the block only: a teacher's version of one that is packed."""
    before = dict(_at_hand)
    try:
        yield
    finally:
        _at_hand.clear()
        _at_hand.update(before)


def packed_lessons() -> list[str]:
    """Names of the lessons that can be had, in order."""
    return sorted({*_paths(), *_at_hand})


def packed_assignments() -> list[str]:
    """Names of the assignments that can be had, without a seed: ``["assignment-01", ...]``."""
    return sorted(_templates())


def is_packed(name: str) -> bool:
    """Whether a lesson, or an assignment with its seed, can be had under that full name."""
    return name in packed_lessons() or template_of(name) in packed_assignments()


def packed_lesson(name: str) -> Lesson:
    """Read a packed lesson.

    Parameters
    ----------
    name : str
        ``"01_ternary_basics"``, or its number, ``"01"``; ``"assignment-01-2027"`` is the
        assignment that goes with it, drawn by the seed 2027.

    Raises
    ------
    ConfigError
        If there is none of that name.
    LessonError
        If the file is damaged.
    """
    if name in _at_hand:
        return _at_hand[name]
    full, path = find(name, _paths(), _templates())
    return _read(path, full, path.stat().st_mtime_ns)


def _paths(pattern: str = "[0-9]*_*.json") -> dict[str, Path]:
    other = os.environ.get(OTHER_PACKS)
    folders = [PACKS, *([Path(other)] if other else [])]
    return {path.stem: path for folder in folders for path in folder.glob(pattern)}


def _templates() -> dict[str, Path]:
    return _paths("assignment-*.json")


@functools.cache
def _read(path: Path, name: str, changed: int) -> Lesson:
    return from_pack(path.read_text(encoding="utf-8"), path, name)


def pack_text(lesson: Lesson) -> str:
    """Return a lesson as JSON; the same lesson gives the same text."""
    cells: list[dict[str, Any]] = [
        {"kind": c.kind, "id": c.id, "metadata": c.metadata, "source": c.source.splitlines()}
        for c in lesson.cells
    ]
    content = {"format": _FORMAT, "lesson": lesson.name, "cells": cells}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def from_pack(text: str, path: Path, name: str | None = None) -> Lesson:
    """Read a lesson from its JSON; under `name`, an assignment is drawn from its template.

    Raises
    ------
    LessonError
        If it is none, or of another format.
    """
    try:
        content = json.loads(text)
        if content["format"] != _FORMAT:
            raise LessonError(f"{path}: format {content['format']!r}, expected {_FORMAT}")
        cells = [
            Cell(c["kind"], "\n".join(c["source"]), c["metadata"], c["id"])
            for c in content["cells"]
        ]
        return draw(name or content["lesson"], cells, path)
    except (ValueError, KeyError, TypeError) as error:
        raise LessonError(f"{path}: not a packed lesson ({error!r})") from None
