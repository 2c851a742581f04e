"""`my`: the functions of a lesson by name, the learner's own where they have passed.

A demonstration says ``my.threshold(w, 0.5)``. Until the learner's `threshold` has passed its
check, that is the lesson's, and a banner says so once. Nothing is ever bound in the notebook.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tinyternary.course.judge.namespaces import (
    Idle,
    Namespaces,
    answer_file,
    cell_text,
    names_bound,
    run_text,
    silence,
)
from tinyternary.course.learner._present import show
from tinyternary.course.learner.progress import Progress
from tinyternary.course.lesson.model import Lesson
from tinyternary.course.lesson.pack import packed_lesson
from tinyternary.errors import LessonError

if TYPE_CHECKING:
    from tinyternary.course.learner.checks import Checks

_WHY_NOT = {
    "unchecked": "has not been checked yet",
    "passed": "was changed since its check",
    "failed": "is not right yet",
}
"""Why an exercise's answer is not taken, by the status of its last check."""


class Mine:
    """The functions and classes of a lesson, by name."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._told: set[str] = set()
        self._key: object = None
        self._names: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        checks = self._checks
        answers = self._answers()
        if self._key != answers:
            self._names = assemble(checks.lesson, checks.judge.names, answers)
            self._key = answers
        if name not in self._names:
            known = ", ".join(e.name for e in checks.lesson.exercises)
            raise AttributeError(f"my.{name}: this lesson's exercises make {known}")
        number = self._makers.get(name)
        if number is not None and number not in answers:
            if checks.strict:
                raise LessonError(f"my.{name}: exercise {number} is not solved")
            self._tell(name, number)
        return self._names[name]

    @functools.cached_property
    def _makers(self) -> dict[str, str]:
        return makers(self._checks.lesson)

    def __dir__(self) -> list[str]:
        return [exercise.name for exercise in self._checks.lesson.exercises]

    def _answers(self) -> dict[str, str]:
        """Texts of the answers that have passed and stand unchanged, by exercise."""
        checks = self._checks
        found = {}
        for number, verdict in checks.verdicts.items():
            if verdict.status == "passed" and verdict.answer and not self._changed(number):
                found[number] = verdict.answer
        return found

    def _changed(self, number: str) -> bool:
        """Whether the notebook now holds another function than the one that passed."""
        names = self._checks._namespace or {}
        own = names.get(self._checks.lesson.exercise(number).name)
        text = cell_text(own) if own is not None else ""
        return bool(text) and text not in self._checks.verdicts[number].answer

    def _tell(self, name: str, number: str) -> None:
        verdict = self._checks.verdicts.get(number)
        status = verdict.status if verdict is not None else "unchecked"
        why = _WHY_NOT.get(status, f"is {status}")
        if f"{name} {why}" not in self._told:
            self._told.add(f"{name} {why}")
            show("note", f"Going on with the lesson's `{name}`.", f"Exercise {number} {why}.")


def makers(lesson: Lesson) -> dict[str, str]:
    """Return, for each name that exercises make, the number of the last one that does."""
    found: dict[str, str] = {}
    for exercise in lesson.exercises:
        text = exercise.solution.solved(hidden=False)
        found |= dict.fromkeys(names_bound(text), exercise.number)
    return found


class Carried:
    """What a learner solved in another lesson, by name; the lesson's own where they did not.

    Attributes
    ----------
    yours : frozenset of str
        The names that are the learner's: for a report that says whose code ran.
    """

    def __init__(self, lesson: Lesson) -> None:
        answers = Progress(lesson.name).answers()
        self.yours = frozenset().union(*map(names_bound, answers.values()))
        self._names = assemble(lesson, Namespaces(lesson), answers)
        open_ones = [e.name for e in lesson.exercises if e.number not in answers]
        if open_ones:
            some = ", ".join(f"`{name}`" for name in open_ones)
            show("note", f"From lesson {lesson.name[:2]}, the lesson's own: {some}.",
                 "Solve them there, in the same folder, and yours will stand here.")  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_names"][name]
        except KeyError:
            raise AttributeError(name) from None


def mine(lesson: str) -> Carried:
    """Return what the learner solved in an earlier lesson, by name.

    Parameters
    ----------
    lesson : str
        ``"02_autograd"`` or ``"02"``.

    Returns
    -------
    Carried
        ``course.mine("02").Value`` is the learner's own class if they solved it in this
        folder, else the lesson's.

    Raises
    ------
    ConfigError
        If there is no such lesson.
    """
    return Carried(packed_lesson(lesson))


def assemble(lesson: Lesson, names: Namespaces, answers: Mapping[str, str]) -> dict[str, Any]:
    """Make one namespace of a lesson's exercises, from answers where there are any.

    Parameters
    ----------
    lesson, names
    answers : mapping of str to str
        Texts, by the exercise's number; the lesson's solution stands in for the others.
    """
    made = names.base(Idle())
    for exercise in lesson.exercises:
        if exercise.number not in answers:
            names.solve(exercise.number, made)
            continue
        with silence():
            run_text(answers[exercise.number], answer_file(exercise.number, 0), made)
    return made
