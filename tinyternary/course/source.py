"""The source of a lesson: jupytext percent text, and the part each cell plays in it.

A source is `lessons/source/NN_name.py`. Its cells are told apart by their metadata:

- ``tags=["setup"]``: imports and data that solutions and checks may use;
- ``nbgrader={... "solution": true, "grade_id": "1_2_threshold"}``: exercise 1.2, function
  `threshold`; what stands between ``### BEGIN SOLUTION`` and ``### END SOLUTION`` never
  reaches a learner;
- ``nbgrader={... "grade": true, "points": 2, "grade_id": "1_2_threshold_check"}``: its check,
  with ``### BEGIN HIDDEN TESTS`` ... ``### END HIDDEN TESTS`` for grading only;
- ``variant={"of": "1_2_threshold", "wrong": "why it is"}`` or ``"right"`` in its place: another
  answer, for `course.run_variants`; it is in no built notebook;
- anything else is prose or a demonstration.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tinyternary.course._marks import (
    REGIONS,
    plain,
    replace,
    unmark,
    walk,
)
from tinyternary.course._notebooks import jupytext, nbformat
from tinyternary.errors import LessonError, unknown_name

Role = Literal["prose", "demo", "setup", "solution", "check", "variant"]

_GRADE_ID = re.compile(r"^(\d+)_(\d+)_([a-z_][a-z0-9_]*?)(_check)?$", re.IGNORECASE)


@dataclass(frozen=True)
class Cell:
    """One cell of a source, marks and all."""

    kind: Literal["code", "markdown"]
    source: str
    metadata: dict[str, Any]
    role: Role
    id: str

    @property
    def grade_id(self) -> str:
        """Of nbgrader's metadata; empty where there is none."""
        return str(self.metadata.get("nbgrader", {}).get("grade_id", ""))

    def for_learner(self) -> str:
        """Text with stubs in place of solutions, and without hidden tests."""
        if self.role == "solution":
            number, name = exercise_of(self.grade_id)
            stub = f'raise NotImplementedError("Exercise {number}: {name}")'
            return plain(replace(self.source, "solution", stub))
        return plain(replace(self.source, "hidden", None))

    def for_instructor(self) -> str:
        """Text with solutions, hidden tests and their marks."""
        return plain(self.source)

    def solved(self, *, hidden: bool) -> str:
        """Text with the solution, without marks; hidden tests where asked for."""
        text = unmark(self.source, "solution")
        return plain(unmark(text, "hidden") if hidden else replace(text, "hidden", None))


@dataclass(frozen=True)
class Variant:
    """Another answer to an exercise, right or wrong, and the reason."""

    kind: Literal["right", "wrong"]
    why: str
    source: str
    says: str = ""
    """Words that the check's message must hold (a wrong answer's usual cause)."""


@dataclass(frozen=True)
class Exercise:
    """An exercise: the cell to fill in, its check, its points, its variants."""

    number: str
    name: str
    solution: Cell
    check: Cell
    points: float
    variants: tuple[Variant, ...]


@dataclass(frozen=True)
class Lesson:
    """A lesson as its author wrote it."""

    name: str
    title: str
    path: Path
    cells: tuple[Cell, ...]
    exercises: tuple[Exercise, ...] = field(default=())

    @property
    def points(self) -> float:
        """Sum over the exercises."""
        return sum(exercise.points for exercise in self.exercises)


def exercise_of(grade_id: str) -> tuple[str, str]:
    """Split ``"1_2_threshold"`` into ``("1.2", "threshold")``.

    Raises
    ------
    LessonError
        If the id has another form.
    """
    match = _GRADE_ID.match(grade_id)
    if match is None:
        raise LessonError(f"grade_id {grade_id!r}: expected LESSON_NUMBER_name, as 1_2_threshold")
    return f"{match[1]}.{match[2]}", match[3]


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
        If there is none: an installed package carries no lessons.
    """
    own = Path(__file__).resolve().parents[2]
    for place in [Path(start).resolve()] if start is not None else [Path.cwd(), own]:
        for folder in (place, *place.parents):
            for lessons in (folder, folder / "lessons"):
                if lessons.name == "lessons" and any((lessons / "source").glob("[0-9]*_*.py")):
                    return lessons
            if start is None and place == own:
                break
    raise LessonError(
        f"{start or Path.cwd()}: no folder lessons/source here or above; lessons come with a "
        "checkout of the repository, not with the installed package"
    )


def list_lessons(start: str | Path | None = None) -> list[str]:
    """Names of the lessons of a checkout, in order: ``["01_ternary_basics", ...]``."""
    return sorted(path.stem for path in (find_lessons(start) / "source").glob("[0-9]*_*.py"))


def read_lesson(name: str, start: str | Path | None = None) -> Lesson:
    """Read the source of a lesson.

    Parameters
    ----------
    name : str
        ``"01_ternary_basics"``, or its number, ``"01"``.
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
    known = list_lessons(folder)
    full = next((lesson for lesson in known if name in (lesson, lesson.split("_")[0])), None)
    if full is None:
        raise unknown_name("lesson", name, known)
    return parse_lesson((folder / "source" / f"{full}.py").read_text(encoding="utf-8"), full,
                        folder / "source" / f"{full}.py")  # fmt: skip


def parse_lesson(text: str, name: str, path: Path) -> Lesson:
    """Read a lesson from its text; see `read_lesson`."""
    notebook = jupytext.reads(text, fmt="py:percent")
    cells: list[Cell] = []
    for raw in notebook.cells:
        metadata = dict(raw.metadata)
        if raw.cell_type not in ("code", "markdown"):
            raise LessonError(f"{path}: a {raw.cell_type} cell; expected code or markdown")
        for region in REGIONS:
            walk(raw.source, region)  # marks come in pairs
        nbgrader = metadata.get("nbgrader")
        stem = nbgrader["grade_id"] if nbgrader else nbformat_safe(raw.source)
        same = sum(cell.id.split("~")[0] == stem for cell in cells)
        cells.append(
            Cell(raw.cell_type, raw.source, metadata, _role(raw.cell_type, metadata),
                 f"{stem}~{same}" if same else stem)
        )  # fmt: skip
    # an id may hold no "~": count repeats with a dash at the end
    cells = [Cell(c.kind, c.source, c.metadata, c.role, c.id.replace("~", "-")) for c in cells]
    heading = next((c.source for c in cells if c.kind == "markdown"), "").lstrip("# ")
    title = heading.splitlines()[0] if heading else name
    return Lesson(name, title, path, tuple(cells), _exercises(cells, path))


def nbformat_safe(source: str) -> str:
    """Make a cell id that depends on the cell's text alone (nbformat: 1 to 64 of [A-Za-z0-9_-])."""
    import hashlib

    return hashlib.sha256(source.encode()).hexdigest()[:12]


def notebook_name(notebook: nbformat.NotebookNode, path: Path) -> str:
    """Name of the lesson that a built notebook belongs to: from its metadata, else its file."""
    stored = notebook.metadata.get("tinyternary", {}).get("lesson")
    return str(stored) if stored else path.stem.removesuffix("_solved")


def _role(kind: str, metadata: dict[str, Any]) -> Role:
    if "variant" in metadata:
        return "variant"
    nbgrader = metadata.get("nbgrader", {})
    if nbgrader.get("solution"):
        return "solution"
    if nbgrader.get("grade"):
        return "check"
    if kind == "markdown":
        return "prose"
    return "setup" if "setup" in metadata.get("tags", ()) else "demo"


def _exercises(cells: list[Cell], path: Path) -> tuple[Exercise, ...]:
    checks = {cell.grade_id: cell for cell in cells if cell.role == "check"}
    variants: dict[str, list[Variant]] = {}
    for cell in cells:
        if cell.role == "variant":
            about = cell.metadata["variant"]
            kind: Literal["right", "wrong"] = "right" if "right" in about else "wrong"
            variants.setdefault(about["of"], []).append(
                Variant(kind, about[kind], cell.source, about.get("says", ""))
            )
    exercises = []
    for cell in cells:
        if cell.role != "solution":
            continue
        number, name = exercise_of(cell.grade_id)
        check = checks.pop(f"{cell.grade_id}_check", None)
        if check is None:
            raise LessonError(f"{path}: exercise {cell.grade_id} has no check cell")
        if "### BEGIN SOLUTION" not in cell.source:
            raise LessonError(f"{path}: {cell.grade_id} has no ### BEGIN SOLUTION")
        if f'check.exercise("{number}"' not in check.source:
            raise LessonError(f'{path}: {check.grade_id} does not say check.exercise("{number}")')
        points = float(check.metadata["nbgrader"]["points"])
        exercises.append(
            Exercise(number, name, cell, check, points, tuple(variants.pop(cell.grade_id, ())))
        )
    for lost in (*checks, *variants):
        raise LessonError(f"{path}: {lost} belongs to no exercise")
    return tuple(exercises)
