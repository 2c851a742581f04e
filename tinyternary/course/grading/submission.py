"""A learner's notebook: reading it, and what of it is run when it is graded."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tinyternary.course._notebooks import nbformat, new, untyped
from tinyternary.course.lesson.model import UNSHOWN, Cell, Lesson
from tinyternary.course.lesson.pack import is_packed, packed_lesson, packed_lessons
from tinyternary.course.lesson.percent import parse_lesson, read_lesson
from tinyternary.course.parsing import parse
from tinyternary.errors import ConfigError, LessonError

FILE = 64 << 20
"""Bytes that a notebook's file may have."""
CELLS = 2000
"""Cells that a notebook may have."""
CELL = 200_000
"""Characters that a cell may have."""

# what `parse` raises on text that is no program, or one nested too deeply
_UNPARSED = (SyntaxError, ValueError, RecursionError, MemoryError)
_NEWLINE = re.compile(r"\r\n|\r|\n")  # as Python's parser counts lines
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
    for cell in apart(given.cells, lesson):
        home = home_of(cell, lesson)
        if cell.cell_type != "code":
            for question in lesson.questions:
                if home is question.cell and not _same(cell.source, home.for_learner()):
                    written[question.number] = cell.source.strip()
            continue
        if home is not None and home.role == "check":
            number = _number(lesson, home)
            places[number] = len(steps)
            steps.append(Step("judge", exercise=number))
            continue
        if not cell.source.strip():
            continue
        unchanged = home is not None and _same(cell.source, home.for_learner())
        if unchanged and home is not None and home.role in ("setup", "demo"):
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


def home_of(cell: nbformat.NotebookNode, lesson: Lesson) -> Cell | None:
    """Find the lesson's cell that a notebook's cell was, of the same kind; ``None``: their own."""
    shown = [c for c in lesson.cells if c.role not in UNSHOWN and c.kind == cell.cell_type]
    if cell.cell_type == "code":
        match = _CHECK.search(cell.source)
        found = next((e for e in lesson.exercises if match and e.number == match[1]), None)
        if found is not None:
            return found.check
    grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
    for key in (grade_id, cell.get("id")):
        home = next((c for c in shown if key and key in (c.grade_id, c.id)), None)
        if home is not None:
            return home
    return next((c for c in shown if _same(cell.source, c.for_learner())), None)


def apart(
    cells: Iterable[nbformat.NotebookNode], lesson: Lesson
) -> list[nbformat.NotebookNode]:  # fmt: skip
    """Take cells apart in which an answer and its check were merged; others stay as they are."""
    ours = {
        ast.dump(node)
        for exercise in lesson.exercises
        for node in parse(exercise.check.for_instructor()).body
    }
    out = []
    for cell in cells:
        theirs, checks = _parted(cell.source, ours) if cell.cell_type == "code" else ("", [])
        if not theirs:
            out.append(cell)
            continue
        own = copy.deepcopy(cell)
        if cell.metadata.get("nbgrader", {}).get("grade"):
            own = new.new_code_cell()
        own.source = theirs
        out += [own, *(new.new_code_cell(check) for check in checks)]
    return out


def _parted(source: str, ours: set[str]) -> tuple[str, list[str]]:
    """Split a cell that holds checks: the learner's statements in it, and the checks."""
    if not _CHECK.search(source):
        return "", []
    try:
        body = parse(source).body
    except _UNPARSED:  # a check that was damaged: its place is all that counts
        return "", []
    lines = [line.encode() for line in _NEWLINE.split(source)]
    theirs, checks = [], []
    for node in body:
        text = _text(lines, node)
        if _CHECK.search(text):
            checks.append(text)
        elif _dump(node) not in ours:
            theirs.append(text)
    return "\n\n\n".join(theirs), checks


def _text(lines: list[bytes], node: ast.stmt) -> str:
    """Return a statement's source; `ast.get_source_segment` splits all of it for each."""
    decorators = getattr(node, "decorator_list", [])  # whose lines the node's own leave out
    first = decorators[0].lineno if decorators else node.lineno
    assert node.end_lineno is not None
    own = lines[first - 1 : node.end_lineno]
    own[-1] = own[-1][: node.end_col_offset]
    if not decorators:
        own[0] = own[0][node.col_offset :]
    return b"\n".join(own).decode()


def _dump(node: ast.stmt) -> str:
    try:
        return ast.dump(node)
    except RecursionError:  # nested deeper than anything of ours
        return ""


def _number(lesson: Lesson, home: Cell | None) -> str:
    return next((e.number for e in lesson.exercises if home in (e.solution, e.check)), "")


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
        size = path.stat().st_size
        if size > FILE:
            raise LessonError(f"{path}: {size:,} bytes; a notebook may have {FILE:,}")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; expected a learner's notebook") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LessonError(f"{path}: cannot be read as a notebook ({error})") from None
    return notebook_of(text, path)


def notebook_of(text: str, path: Path) -> nbformat.NotebookNode:
    """Read a notebook from its text; see `read_notebook`."""
    try:
        notebook: nbformat.NotebookNode = untyped.reads(text, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # nbformat raises whatever its parts raise on foreign JSON
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise LessonError(f"{path}: not a notebook ({reason[:120]})") from None
    for owner in (notebook, *notebook.cells):  # the format lets metadata be anything
        for mark in ("tinyternary", "nbgrader"):
            if not isinstance(owner.metadata.get(mark, {}), dict):
                del owner.metadata[mark]
    longest = max((len(cell.source) for cell in notebook.cells), default=0)
    for what, found, most in (("cells", len(notebook.cells), CELLS),
                              ("characters in a cell", longest, CELL)):  # fmt: skip
        if found > most:
            raise LessonError(f"{path}: {found:,} {what}; a notebook may have {most:,}")
    return notebook


def lesson_name(notebook: nbformat.NotebookNode, path: Path) -> str:
    """Name of the lesson that a notebook belongs to: from its metadata, else its file."""
    stored = notebook.metadata.get("tinyternary", {}).get("lesson")
    return str(stored)[:120] if stored else path.stem.removesuffix("_solved")


def lesson_for(given: nbformat.NotebookNode, path: Path, source: str | Path | None) -> Lesson:
    """Find the lesson that a notebook belongs to.

    Parameters
    ----------
    given, path
        The notebook and its file.
    source : path, optional
        A lesson's source, a course's instructor's notebook, or a checkout; by default the
        lesson is the package's own.

    Raises
    ------
    LessonError, ConfigError
        If it cannot be found.
    """
    name = lesson_name(given, path)
    if source is not None:
        file = Path(source)
        if file.suffix == ".ipynb":
            from tinyternary.course.grading.source import read_source

            return read_source(file)
        if file.is_file():
            return parse_lesson(file.read_text(encoding="utf-8"), file.stem, file)
        return read_lesson(name, file)
    if is_packed(name):
        return packed_lesson(name)
    short = name.split("_")[0]
    if any(known.split("_")[0] == short for known in packed_lessons()):
        return packed_lesson(short)
    try:
        return read_lesson(name, path.resolve().parent)
    except LessonError:  # no sources around the notebook
        return read_lesson(name)
