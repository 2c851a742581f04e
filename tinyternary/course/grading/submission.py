"""A learner's notebook: reading it, and what of it is run when it is graded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tinyternary.course._notebooks import nbformat, untyped
from tinyternary.course.lesson.model import Cell, Lesson
from tinyternary.course.lesson.pack import packed_lesson, packed_lessons
from tinyternary.course.lesson.percent import parse_lesson, read_lesson
from tinyternary.errors import ConfigError, LessonError

_CHECK = re.compile(r"^@check\.exercise\(\s*[\"'](\d+\.\d+)[\"']", re.MULTILINE)


@dataclass
class Step:
    """Something to do: run a cell, or judge an exercise."""

    kind: Literal["setup", "cell", "judge"]
    source: str = ""
    exercise: str = ""
    """The exercise that is judged, or whose answer the cell is; empty for other cells."""


@dataclass
class Plan:
    """What grading a notebook takes.

    Attributes
    ----------
    steps : list of Step
    touched : bool
        Whether the notebook holds any code that it was not handed out with.
    written : dict of str to str
        Answers to questions in words, by number; empty text where there is none.
    """

    steps: list[Step]
    touched: bool
    written: dict[str, str]


def plan(given: nbformat.NotebookNode, lesson: Lesson) -> Plan:
    """Lay out what is run: the lesson's set-up, the learner's cells in their order, our checks.

    A check stands where the learner's notebook has it (the last time, if twice), or at the end
    if it has none. A cell is known by its grade id, its own id, or its text: notebooks lose the
    first two on the way through other programs. Unchanged demonstrations are not run.
    """
    steps = [Step("setup", cell.source) for cell in lesson.cells if cell.role == "setup"]
    places: dict[str, int] = {}
    touched = False
    written = {question.number: "" for question in lesson.questions}
    for cell in given.cells:
        home = _home(cell, lesson)
        if cell.cell_type != "code":
            for question in lesson.questions:
                if home is question.cell and not _same(cell.source, home.for_learner()):
                    written[question.number] = cell.source
            continue
        number = _checked(cell, home)
        if number is not None and any(e.number == number for e in lesson.exercises):
            places[number] = len(steps)
            steps.append(Step("judge", exercise=number))
            continue
        if not cell.source.strip():
            continue
        unchanged = home is not None and _same(cell.source, home.for_learner())
        if unchanged and home is not None and home.role in ("setup", "demo", "check"):
            continue
        touched = touched or not unchanged
        answers = home is not None and home.role == "solution"
        steps.append(Step("cell", cell.source, _number(lesson, home) if answers else ""))
    kept = [
        step for place, step in enumerate(steps)
        if step.kind != "judge" or places[step.exercise] == place
    ]  # fmt: skip
    kept += [
        Step("judge", exercise=exercise.number)
        for exercise in lesson.exercises
        if exercise.number not in places
    ]
    return Plan(kept, touched, written)


def _home(cell: nbformat.NotebookNode, lesson: Lesson) -> Cell | None:
    """Find the lesson's cell that a notebook's cell was."""
    grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
    shown = [c for c in lesson.cells if c.role not in ("variant", "hints", "rubric")]
    for key in (grade_id, cell.get("id")):
        found = next((c for c in shown if key and key == c.id), None)
        if found is not None:
            return found
    return next((c for c in shown if _same(cell.source, c.for_learner())), None)


def _checked(cell: nbformat.NotebookNode, home: Cell | None) -> str | None:
    """Return the number of the exercise that a cell checks."""
    match = _CHECK.search(cell.source)
    if match is not None:
        return match[1]
    if home is not None and home.role == "check":  # emptied, but still in its place
        match = _CHECK.search(home.source)
        return match[1] if match else None
    return None


def _number(lesson: Lesson, home: Cell | None) -> str:
    return next((e.number for e in lesson.exercises if e.solution is home), "")


def _same(text: str, other: str) -> bool:
    return [line.rstrip() for line in text.strip().splitlines()] == [
        line.rstrip() for line in other.strip().splitlines()
    ]


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """Read a learner's notebook, whatever state the file is in.

    Raises
    ------
    ConfigError
        If there is no such file.
    LessonError
        If it is no notebook.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; expected a learner's notebook") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LessonError(f"{path}: cannot be read as a notebook ({error})") from None
    try:
        notebook: nbformat.NotebookNode = untyped.reads(text, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # nbformat raises whatever its parts raise on foreign JSON
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise LessonError(f"{path}: not a notebook ({reason[:120]})") from None
    return notebook


def lesson_name(notebook: nbformat.NotebookNode, path: Path) -> str:
    """Name of the lesson that a notebook belongs to: from its metadata, else its file."""
    stored = notebook.metadata.get("tinyternary", {}).get("lesson")
    return str(stored) if stored else path.stem.removesuffix("_solved")


def lesson_for(given: nbformat.NotebookNode, path: Path, source: str | Path | None) -> Lesson:
    """Find the lesson that a notebook belongs to.

    Parameters
    ----------
    given, path
        The notebook and its file.
    source : path, optional
        A lesson's source, or a checkout; by default the lesson is the package's own.

    Raises
    ------
    LessonError, ConfigError
        If it cannot be found.
    """
    name = lesson_name(given, path)
    if source is not None:
        file = Path(source)
        if file.is_file():
            return parse_lesson(file.read_text(encoding="utf-8"), file.stem, file)
        return read_lesson(name, file)
    short = name.split("_")[0]
    if name in packed_lessons() or any(p.split("_")[0] == short for p in packed_lessons()):
        return packed_lesson(name if name in packed_lessons() else short)
    try:
        return read_lesson(name, path.resolve().parent)
    except LessonError:  # no sources around the notebook
        return read_lesson(name)
