"""The source of a lesson, `lessons/source/NN_name.py`: jupytext's percent text, read into cells."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tinyternary.course._notebooks import jupytext
from tinyternary.course.lesson._marks import REGIONS, walk
from tinyternary.course.lesson.drawn import draw, find
from tinyternary.course.lesson.model import Cell, Lesson
from tinyternary.errors import LessonError


def find_lessons(start: str | Path | None = None) -> Path:
    """Find the folder `lessons` that holds `source/`.

    Parameters
    ----------
    start : path, optional
        That folder, a checkout, or anything inside one. By default the working
        directory, then the checkout that this package was imported from.

    Raises
    ------
    LessonError
        If there is none: an installed package carries no sources.
    """
    own = Path(__file__).resolve().parents[3]
    for place in [Path(start).resolve()] if start is not None else [Path.cwd(), own]:
        for folder in (place, *place.parents):
            for lessons in (folder, folder / "lessons"):
                if lessons.name == "lessons" and any((lessons / "source").glob("[0-9]*_*.py")):
                    return lessons
            if start is None and place == own:
                break
    raise LessonError(
        f"{start or Path.cwd()}: no folder lessons/source here or above; the sources of lessons "
        "come with a checkout of the repository, not with the installed package"
    )


def list_lessons(start: str | Path | None = None) -> list[str]:
    """Names of the lessons of a checkout, in order: ``["01_ternary_basics", ...]``."""
    return sorted(path.stem for path in (find_lessons(start) / "source").glob("[0-9]*_*.py"))


def list_assignments(start: str | Path | None = None) -> list[str]:
    """Names of the assignments of a checkout, without a seed: ``["assignment-01", ...]``."""
    return sorted(_templates(find_lessons(start)))


def _templates(folder: Path) -> dict[str, Path]:
    paths = (folder / "source" / "assignments").glob("[0-9]*_*.py")
    return {f"assignment-{path.stem[:2]}": path for path in paths}


def read_lesson(name: str, start: str | Path | None = None) -> Lesson:
    """Read the source of a lesson, and answers by another hand where `source/answers` has them.

    Parameters
    ----------
    name : str
        ``"01_ternary_basics"``, or its number, ``"01"``; ``"assignment-01-2027"`` is the
        assignment that goes with it, drawn by the seed 2027.
    start : path, optional
        See `find_lessons`.

    Raises
    ------
    ConfigError
        If there is no lesson of that name.
    LessonError
        If the source breaks a rule: an exercise without a check, a mark without its
        end, an id used twice.
    """
    folder = find_lessons(start)
    lessons = {lesson: source_path(folder, lesson) for lesson in list_lessons(folder)}
    full, path = find(name, lessons, _templates(folder))
    return parse_lesson(path.read_text(encoding="utf-8"), full, path, _answers(folder, full))


def source_path(folder: Path, name: str) -> Path:
    """Return where the source of a lesson lies in a folder `lessons`."""
    return folder / "source" / f"{name}.py"


def answers_path(folder: Path, name: str) -> Path:
    """Return where answers by another hand lie: variants by someone who did not write the check."""
    return folder / "source" / "answers" / f"{name}.py"


def parse_lesson(text: str, name: str, path: Path, answers: Iterable[Cell] = ()) -> Lesson:
    """Read a lesson from its text, with further variants; see `read_lesson`."""
    return draw(name, [*_cells(text, path), *answers], path)


def _answers(folder: Path, name: str) -> list[Cell]:
    path = answers_path(folder, name)
    if not path.is_file():
        return []
    cells = _cells(path.read_text(encoding="utf-8"), path)
    for cell in cells:
        if cell.role not in ("variant", "prose"):
            raise LessonError(f"{path}: a cell that is no variant: {cell.source[:60]!r}")
    # ids of their own: an answer may read like one in the lesson
    return [replace(cell, id=f"answers-{cell.id}") for cell in cells if cell.role == "variant"]


def _cells(text: str, path: Path) -> list[Cell]:
    notebook = jupytext.reads(text, fmt="py:percent")
    cells: list[Cell] = []
    seen: dict[str, int] = {}
    for raw in notebook.cells:
        metadata = dict(raw.metadata)
        if raw.cell_type not in ("code", "markdown"):
            raise LessonError(f"{path}: a {raw.cell_type} cell; expected code or markdown")
        for region in REGIONS:
            walk(raw.source, region)  # marks come in pairs
        nbgrader = metadata.get("nbgrader")
        stem = nbgrader["grade_id"] if nbgrader else text_id(raw.source)
        repeat = seen[stem] = seen.get(stem, -1) + 1
        cells.append(
            Cell(raw.cell_type, raw.source, metadata, f"{stem}-{repeat}" if repeat else stem)
        )
    return cells


def text_id(source: str) -> str:
    """Make a cell id that depends on the cell's text alone (nbformat: 1 to 64 of [A-Za-z0-9_-])."""
    return hashlib.sha256(source.encode()).hexdigest()[:12]
