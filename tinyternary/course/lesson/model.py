"""A lesson: cells, the part each of them plays, and the exercises they make up.

Cells are told apart by their metadata:

- ``tags=["setup"]``: imports and small data that answers and checks may use;
- ``nbgrader={... "solution": true, "grade_id": "1_2_best_scale"}``: exercise 1.2; what stands
  between ``### BEGIN SOLUTION`` and ``### END SOLUTION`` never reaches a learner;
- ``nbgrader={... "grade": true, "points": 2, "grade_id": "1_2_best_scale_check"}``: its check,
  with ``### BEGIN HIDDEN TESTS`` ... ``### END HIDDEN TESTS`` that the notebook does not show;
- a markdown cell with both ``"solution": true`` and ``"grade": true``: a written question, read
  by a person; ``rubric={"of": "1_10_latents"}`` is a cell that says how;
- ``hints={"of": "1_2_best_scale"}``: a list, one hint an item, given out one by one;
- ``variant={"of": "1_2_best_scale", "wrong": "why it is"}`` or ``"right"`` in its place: another
  answer, to test the check with;
- ``tags=["drawn"]``, in an assignment: what a seed draws from, see `lesson.drawn`;
- anything else is prose or a demonstration.

Hints, rubrics, variants and what is drawn from are in no built notebook.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from tinyternary.brief import Brief
from tinyternary.course.lesson._marks import plain, replace, unmark
from tinyternary.errors import LessonError

Role = Literal[
    "prose", "demo", "setup", "solution", "check", "written", "variant", "hints", "rubric", "drawn"
]
UNSHOWN = ("variant", "hints", "rubric", "drawn")
"""Roles of cells that no built notebook has."""

GUARD = """### BEGIN HIDDEN TESTS
raise RuntimeError(
    "No points: a notebook that is run as it stands can replace its own checks. "
    "Autograde with the nbgrader_config.py that `tinyternary lessons course` writes."
)
### END HIDDEN TESTS"""
"""Ends an instructor's check: where nbgrader runs a notebook without our grader, nothing scores."""

_GRADE_ID = re.compile(r"^(\d+)_(\d+)_([a-z_][a-z0-9_]*?)(_check)?$", re.IGNORECASE)
_HINT = re.compile(r"^\s*(?:[-*]|\d+\.)\s+", re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """One cell of a source, marks and all."""

    kind: Literal["code", "markdown"]
    source: str
    metadata: dict[str, Any]
    id: str

    @property
    def role(self) -> Role:
        """The part it plays."""
        for unshown in ("variant", "hints", "rubric"):
            if unshown in self.metadata:
                return unshown
        nbgrader = self.metadata.get("nbgrader", {})
        if nbgrader.get("solution"):
            return "written" if self.kind == "markdown" else "solution"
        if nbgrader.get("grade"):
            return "check"
        if self.kind == "markdown":
            return "prose"
        tags = self.metadata.get("tags", ())
        if "drawn" in tags:
            return "drawn"
        return "setup" if "setup" in tags else "demo"

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
        if self.role == "written":
            return replace(self.source, "solution", "*Write your answer here.*")
        return plain(replace(self.source, "hidden", None))

    def for_instructor(self) -> str:
        """Text with solutions, hidden tests and their marks; a check ends in `GUARD`."""
        text = plain(self.source)
        return f"{text}\n\n\n{GUARD}" if self.role == "check" else text

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
    """An exercise: the cell to fill in, its check, its points, hints, and other answers."""

    number: str
    name: str
    solution: Cell
    check: Cell
    points: float
    variants: tuple[Variant, ...] = ()
    hints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """A question that is answered in words and read by a person, with the rubric for it."""

    number: str
    name: str
    cell: Cell
    points: float
    rubric: str


@dataclass(frozen=True, repr=False)
class Lesson(Brief):
    """A lesson as its author wrote it. Made by `lesson_of`."""

    name: str
    title: str
    cells: tuple[Cell, ...]
    exercises: tuple[Exercise, ...] = field(default=())
    questions: tuple[Question, ...] = field(default=())

    @property
    def points(self) -> float:
        """Sum over the exercises that a check judges."""
        return sum(exercise.points for exercise in self.exercises)

    def exercise(self, number: str) -> Exercise:
        """Return the exercise of that number, ``"1.2"``.

        Raises
        ------
        LessonError
            If the lesson has none.
        """
        for exercise in self.exercises:
            if exercise.number == number:
                return exercise
        known = ", ".join(exercise.number for exercise in self.exercises)
        raise LessonError(f"lesson {self.name} has no exercise {number!r}; it has {known}")


def lesson_of(name: str, cells: Iterable[Cell], where: object = "") -> Lesson:
    """Put cells together to a lesson.

    Raises
    ------
    LessonError
        If they break a rule: an exercise without a check, a mark without its end, something
        that belongs to no exercise. `where` is named in the message.
    """
    cells = tuple(cells)
    where = where or name
    heading = next((c.source for c in cells if c.kind == "markdown"), "").lstrip("# ")
    title = heading.splitlines()[0] if heading else name
    checks = {cell.grade_id: cell for cell in cells if cell.role == "check"}
    variants: dict[str, list[Variant]] = {}
    hints: dict[str, tuple[str, ...]] = {}
    rubrics: dict[str, str] = {}
    for cell in cells:
        if cell.role == "variant":
            about = cell.metadata["variant"]
            kind: Literal["right", "wrong"] = "right" if "right" in about else "wrong"
            variants.setdefault(about["of"], []).append(
                Variant(kind, about[kind], cell.source, about.get("says", ""))
            )
        elif cell.role == "hints":
            hints[cell.metadata["hints"]["of"]] = _items(cell.source)
        elif cell.role == "rubric":
            rubrics[cell.metadata["rubric"]["of"]] = cell.source
    exercises = []
    questions = []
    for cell in cells:
        if cell.role not in ("solution", "written"):
            continue
        number, short = exercise_of(cell.grade_id)
        if "### BEGIN SOLUTION" not in cell.source:
            raise LessonError(f"{where}: {cell.grade_id} has no ### BEGIN SOLUTION")
        if cell.role == "written":
            points = float(cell.metadata["nbgrader"]["points"])
            questions.append(
                Question(number, short, cell, points, rubrics.pop(cell.grade_id, ""))
            )  # fmt: skip
            continue
        check = checks.pop(f"{cell.grade_id}_check", None)
        if check is None:
            raise LessonError(f"{where}: exercise {cell.grade_id} has no check cell")
        if f'check.exercise("{number}"' not in check.source:
            raise LessonError(f'{where}: {check.grade_id} does not say check.exercise("{number}")')
        exercises.append(
            Exercise(
                number, short, cell, check, float(check.metadata["nbgrader"]["points"]),
                tuple(variants.pop(cell.grade_id, ())), hints.pop(cell.grade_id, ()),
            )
        )  # fmt: skip
    for lost in (*checks, *variants, *hints, *rubrics):
        raise LessonError(f"{where}: {lost} belongs to no exercise")
    return Lesson(name, title, cells, tuple(exercises), tuple(questions))


def exercise_of(grade_id: str) -> tuple[str, str]:
    """Split ``"1_2_best_scale"`` into ``("1.2", "best_scale")``.

    Raises
    ------
    LessonError
        If the id has another form.
    """
    match = _GRADE_ID.match(grade_id)
    if match is None:
        raise LessonError(f"grade_id {grade_id!r}: expected LESSON_NUMBER_name, as 1_2_threshold")
    return f"{match[1]}.{match[2]}", match[3]


def _items(source: str) -> tuple[str, ...]:
    return tuple(" ".join(item.split()) for item in _HINT.split(source) if item.strip())
