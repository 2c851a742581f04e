"""A learner's notebook: reading it, and what of it is run when it is graded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tinyternary.course._notebooks import nbformat, untyped
from tinyternary.course.source import (
    Exercise,
    Lesson,
    find_lessons,
    notebook_name,
    parse_lesson,
    read_lesson,
)
from tinyternary.errors import ConfigError, LessonError


@dataclass
class Step:
    """Something to run: the lesson's set-up, a cell of the learner's, an answer, a check."""

    kind: Literal["setup", "own", "edited", "answer", "check"]
    source: str
    exercise: Exercise | None = None


def plan(given: nbformat.NotebookNode, lesson: Lesson) -> tuple[set[str], list[Step]]:
    """Lay the learner's answers and own cells among the source's set-up and checks.

    Returns
    -------
    (set of str, list of Step)
        Grade ids of the exercises that hold more than the stub; what to run.
    """
    known = {cell.id: cell for cell in lesson.cells if cell.role != "variant"}
    before: dict[str, list[Step]] = {}
    texts: dict[str, list[str]] = {}
    waiting: list[Step] = []
    for cell in given.cells:
        key = key_of(cell)
        home = known.get(key)
        if home is None or home.role == "prose":
            if cell.cell_type == "code" and cell.source.strip():
                waiting.append(Step("own", cell.source))
            continue
        before.setdefault(key, []).extend(waiting)
        waiting = []
        if home.role == "solution":
            texts.setdefault(key, []).append(cell.source)
        elif home.role in ("setup", "demo") and _differs(cell.source, home.for_learner()):
            before.setdefault(key + "/after", []).append(Step("edited", cell.source))
    by_id = {exercise.solution.grade_id: exercise for exercise in lesson.exercises}
    by_check = {exercise.check.grade_id: exercise for exercise in lesson.exercises}
    answers = set()
    steps = []
    for key, cell in known.items():
        steps += before.get(key, [])
        if cell.role == "setup":
            steps.append(Step("setup", cell.source))
        elif cell.role == "solution":
            written = [text for text in texts.get(key, []) if _differs(text, cell.for_learner())]
            if written:
                answers.add(key)
                steps += [Step("answer", text, by_id[key]) for text in written]
        elif cell.role == "check" and by_check[key].solution.grade_id in answers:
            steps.append(Step("check", "", by_check[key]))
        steps += before.get(key + "/after", [])
    return answers, steps + waiting


def key_of(cell: nbformat.NotebookNode) -> str:
    """Return what names a cell in the lesson: nbgrader's grade id, else the cell's own id."""
    return str(cell.metadata.get("nbgrader", {}).get("grade_id") or cell.get("id", ""))


def _differs(text: str, other: str) -> bool:
    return [line.rstrip() for line in text.strip().splitlines()] != [
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


def source_of(given: nbformat.NotebookNode, path: Path, source: str | Path | None) -> Lesson:
    """Find the lesson that a notebook belongs to: see `tinyternary.course.grade`."""
    name = notebook_name(given, path)
    if source is not None:
        file = Path(source)
        if file.is_file():
            return parse_lesson(file.read_text(encoding="utf-8"), file.stem, file)
        return read_lesson(name, find_lessons(file))
    try:
        return read_lesson(name, find_lessons(path.resolve().parent))
    except (LessonError, ConfigError):
        return read_lesson(name)
