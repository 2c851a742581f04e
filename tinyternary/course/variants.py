"""Checks on the checks: wrong answers that each must fail, right ones that must pass.

Every exercise lists in its source at least three plausible wrong answers and two
different right ones. `run_variants` puts each in place of the learner's and runs the
named check. A wrong answer has to be *found* wrong, by a line of the check with a
hint: one that merely stops with an error does not count.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyternary.course.checking import Checks
from tinyternary.course.judging import CheckFailed
from tinyternary.course.source import Exercise, Lesson, find_lessons, list_lessons, read_lesson

FEWEST_WRONG = 3
FEWEST_RIGHT = 2


@dataclass(frozen=True)
class VariantResult:
    """One answer put in: what it is, what was expected of the check, what the check said."""

    exercise: str
    name: str
    kind: str
    """"solution", "stub", "right" or "wrong"."""
    why: str
    expected: str
    status: str
    message: str
    without_hidden: str
    """What the learner's own check says, without the hidden tests."""

    @property
    def ok(self) -> bool:
        """Whether the check did as expected."""
        return self.status == self.expected


@dataclass(frozen=True)
class VariantReport:
    """All answers of one lesson."""

    lesson: str
    results: tuple[VariantResult, ...]
    problems: tuple[str, ...]
    """One line for each thing that is not as it must be; empty if all is well."""

    @property
    def ok(self) -> bool:
        """Whether every check did as expected and every exercise lists enough answers."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "lesson": self.lesson,
            "ok": self.ok,
            "problems": list(self.problems),
            "results": [{**vars(result), "ok": result.ok} for result in self.results],
        }

    def table(self) -> str:
        """Return the report as text, one line an answer."""
        lines = [f"{self.lesson}: {len(self.results)} answers put in"]
        for r in self.results:
            sign = "✓" if r.ok else "✗"
            seen = "" if r.without_hidden == r.status else "  (by hidden tests only)"
            lines.append(f"{sign} {r.exercise:<5} {r.kind:<8}  {r.status:<13} {r.why}{seen}")
        return "\n".join([*lines, *(f"! {problem}" for problem in self.problems)])


def run_variants(
    names: Iterable[str] | None = None, root: str | Path | None = None
) -> list[VariantReport]:
    """Put every listed answer into its exercise and run the check.

    Parameters
    ----------
    names : iterable of str, optional
        Lessons, by name or number; by default all.
    root : path, optional
        A checkout or its `lessons` folder.

    Returns
    -------
    list of VariantReport
    """
    folder = find_lessons(root)
    chosen = names or list_lessons(folder)
    return [_run_lesson(read_lesson(name, folder)) for name in chosen]


def _run_lesson(lesson: Lesson) -> VariantReport:
    # figures of a set-up cell need no window
    os.environ.setdefault("MPLBACKEND", "Agg")
    base: dict[str, Any] = {"__name__": "__main__"}
    for cell in lesson.cells:
        if cell.role == "setup":
            exec(compile(cell.source, str(lesson.path), "exec"), base)
    results: list[VariantResult] = []
    problems: list[str] = []
    for exercise in lesson.exercises:
        kinds: list[str] = [variant.kind for variant in exercise.variants]
        for kind, fewest in (("wrong", FEWEST_WRONG), ("right", FEWEST_RIGHT)):
            if kinds.count(kind) < fewest:
                problems.append(
                    f"exercise {exercise.number} lists {kinds.count(kind)} {kind} answers, "
                    f"expected at least {fewest}"
                )
        answers = [
            ("solution", "the source's own", exercise.solution.solved(hidden=True), "passed", ""),
            ("stub", "as handed out", exercise.solution.for_learner(), "not attempted", ""),
        ]
        for v in exercise.variants:
            expected = "passed" if v.kind == "right" else "failed"
            answers.append((v.kind, v.why, v.source, expected, v.says))
        for kind, why, source, expected, says in answers:
            status, message = _try(lesson, exercise, base, source, hidden=True)
            shown, _ = _try(lesson, exercise, base, source, hidden=False)
            result = VariantResult(
                exercise.number, exercise.name, kind, why, expected, status, message, shown
            )
            results.append(result)
            if not result.ok:
                problems.append(
                    f"exercise {exercise.number}, {kind} answer ({why}): expected {expected}, "
                    f"the check says {status}. {message}"
                )
            elif says.lower() not in message.lower():
                problems.append(
                    f"exercise {exercise.number}, {kind} answer ({why}): the message does not "
                    f"say {says!r} but {message!r}"
                )
    return VariantReport(lesson.name, tuple(results), tuple(problems))


def _try(
    lesson: Lesson, exercise: Exercise, base: dict[str, Any], answer: str, *, hidden: bool
) -> tuple[str, str]:
    """Run one answer and its check in a copy of the lesson's names."""
    names = dict(base)
    checks = _Silent(lesson.name, grading=True)
    names["check"] = checks
    exec(compile(answer, f"<{exercise.name}>", "exec"), names)
    check = exercise.check.solved(hidden=hidden)
    with suppress(CheckFailed):  # the outcome says the same
        exec(compile(check, f"<check of {exercise.number}>", "exec"), names)
    outcome = checks.outcomes[exercise.number]
    return str(outcome["status"]), str(outcome["message"])


class _Silent(Checks):
    """Checks that keep outcomes and display nothing."""

    def _display(self, *_: Any) -> None:
        pass
