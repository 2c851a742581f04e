"""What grading a notebook gives: points per exercise, and why."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any, Literal

from tinyternary.brief import Brief

Status = Literal[
    "passed", "partly", "failed", "crashed", "not attempted", "timeout", "died", "tampered"
]

_SIGNS: dict[str, str] = {"passed": "✓", "partly": "◐", "not attempted": "○"}


@dataclass(frozen=True, repr=False)
class ExerciseGrade(Brief):
    """How one exercise was answered.

    Attributes
    ----------
    exercise, name : str
        ``"1.2"``, ``"threshold"``.
    points, max_points : float
    status : str
        "passed"; "partly" (some of its parts); "failed" (the check says why); "crashed" (it
        stopped with an error); "not attempted"; "timeout"; "died" (it took the process with
        it); "tampered" (a wrong answer passed too, in that notebook's process).
    message : str
        For the learner.
    seconds : float
    """

    exercise: str
    name: str
    points: float
    max_points: float
    status: Status
    message: str
    seconds: float
    parts: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class WrittenAnswer:
    """A question in words: for a person to read.

    Attributes
    ----------
    exercise, name : str
    max_points : float
    text : str
        What the learner wrote; empty if nothing.
    rubric : str
        How it is read.
    """

    exercise: str
    name: str
    max_points: float
    text: str
    rubric: str


@dataclass(frozen=True, repr=False)
class GradeReport(Brief):
    """A graded notebook.

    Attributes
    ----------
    lesson, notebook : str
        Name of the lesson, path of the file.
    exercises : tuple of ExerciseGrade
        Every exercise of the lesson, in order, whether the notebook has it or not.
    written : tuple of WrittenAnswer
        Questions in words; their points are not in `points`.
    seconds : float
    notes : tuple of str
        What else went wrong: cells of the learner's own that failed, processes that died.
    """

    lesson: str
    notebook: str
    exercises: tuple[ExerciseGrade, ...]
    seconds: float
    notes: tuple[str, ...] = ()
    written: tuple[WrittenAnswer, ...] = ()

    @property
    def points(self) -> float:
        """Points earned in all exercises."""
        return sum(item.points for item in self.exercises)

    @property
    def max_points(self) -> float:
        """Points that could be earned."""
        return sum(item.max_points for item in self.exercises)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "lesson": self.lesson,
            "notebook": self.notebook,
            "points": self.points,
            "max_points": self.max_points,
            "seconds": round(self.seconds, 2),
            "exercises": [
                {
                    "exercise": item.exercise,
                    "name": item.name,
                    "points": item.points,
                    "max_points": item.max_points,
                    "status": item.status,
                    "message": item.message,
                    "seconds": round(item.seconds, 2),
                    "parts": list(item.parts),
                }
                for item in self.exercises
            ],
            "written": [vars(answer) for answer in self.written],
            "notes": list(self.notes),
        }

    def table(self, width: int = 96) -> str:
        """Return the report as text: one line an exercise, what went wrong below it.

        Parameters
        ----------
        width : int
            Columns at which messages wrap.
        """
        longest = max((len(item.name) for item in self.exercises), default=0)
        lines = [f"{self.lesson}: {self.notebook}", ""]
        for item in self.exercises:
            sign = _SIGNS.get(item.status, "✗")
            score = f"{item.points:g} / {item.max_points:g}"
            lines.append(
                f"{sign} {item.exercise:<5} {item.name:<{longest}}  {score:>7}  {item.status}"
            )
            if item.status != "passed":
                lines += _wrapped(item.message, width)
        for answer in self.written:
            state = "to be read by a person" if answer.text else "nothing written"
            lines.append(
                f"✎ {answer.exercise:<5} {answer.name:<{longest}}  {answer.max_points:>7g}  {state}"
            )
        lines += ["", f"{self.points:g} of {self.max_points:g} points in {self.seconds:.1f} s"]
        for note in self.notes:
            lines += _wrapped(f"note: {note}", width)
        return "\n".join(lines)


def _wrapped(message: str, width: int) -> list[str]:
    indent = " " * 8
    return [
        line
        for part in message.splitlines()
        for line in textwrap.wrap(part, width, initial_indent=indent, subsequent_indent=indent)
    ]
