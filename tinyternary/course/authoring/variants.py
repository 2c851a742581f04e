"""Checks on the checks: wrong answers that each must fail, right ones that must pass.

Every exercise lists in its source at least three plausible wrong answers and two
different right ones. `run_variants` puts each in place of the learner's and runs the
named check. A wrong answer has to be *found* wrong, by a line of the check with a
hint: one that merely stops with an error does not count.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyternary.brief import Brief
from tinyternary.course.judge.judging import Judge
from tinyternary.course.judge.namespaces import Idle, run_text, silence
from tinyternary.course.judge.verdict import Verdict
from tinyternary.course.lesson.model import Lesson
from tinyternary.course.lesson.percent import find_lessons, list_lessons, read_lesson

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

    @property
    def ok(self) -> bool:
        """Whether the check did as expected."""
        return self.status == self.expected


@dataclass(frozen=True, repr=False)
class VariantReport(Brief):
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
            lines.append(f"{sign} {r.exercise:<5} {r.kind:<8}  {r.status:<13} {r.why}")
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
    judge = Judge(lesson)
    return report(lesson, [try_answer(judge, a.exercise, a.source) for a in answers(lesson)])


@dataclass(frozen=True)
class Answer:
    """An answer to put in, and what the check should say of it."""

    exercise: str
    kind: str
    """"solution", "stub", "right" or "wrong"."""
    why: str
    source: str
    expected: str
    says: str = ""


def answers(lesson: Lesson) -> list[Answer]:
    """Return all answers of a lesson: for each exercise solution, stub and listed variants."""
    found = []
    for exercise in lesson.exercises:
        cell = exercise.solution
        own = cell.solved(hidden=True)
        found.append(Answer(exercise.number, "solution", "the source's own", own, "passed"))
        stub = cell.for_learner()
        found.append(Answer(exercise.number, "stub", "as handed out", stub, "not attempted"))
        for v in exercise.variants:
            expected = "passed" if v.kind == "right" else "failed"
            found.append(Answer(exercise.number, v.kind, v.why, v.source, expected, v.says))
    return found


def report(lesson: Lesson, verdicts: Iterable[Verdict]) -> VariantReport:
    """Hold verdicts, one for each of `answers`, against what was expected."""
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
    for answer, verdict in zip(answers(lesson), verdicts, strict=True):
        exercise = lesson.exercise(answer.exercise)
        # a wrong answer may earn some of the parts
        partly = answer.expected == "failed" and verdict.status == "partly"
        status = "failed" if partly else verdict.status
        result = VariantResult(
            exercise.number, exercise.name, answer.kind, answer.why, answer.expected, status,
            verdict.message,
        )  # fmt: skip
        results.append(result)
        what = f"exercise {exercise.number}, {answer.kind} answer ({answer.why})"
        if not result.ok:
            problems.append(
                f"{what}: expected {answer.expected}, the check says {status}. {verdict.message}"
            )
        elif answer.says.lower() not in verdict.message.lower():
            problems.append(
                f"{what}: the message does not say {answer.says!r} but {verdict.message!r}"
            )
        whole = sum(part.max_points for part in verdict.parts)
        if answer.kind == "solution" and verdict.parts and whole != exercise.points:
            problems.append(
                f"exercise {exercise.number}: its parts add up to {whole:g} points, "
                f"expected {exercise.points:g}"
            )
    return VariantReport(lesson.name, tuple(results), tuple(problems))


def try_answer(judge: Judge, number: str, text: str) -> Verdict:
    """Judge a text as if it stood in the cell of an exercise, in a notebook otherwise empty."""
    # the cell runs after the set-up and what comes before it, as in a notebook
    names = judge.names.before(number, Idle())
    try:
        with silence(), suppress(NotImplementedError):  # a stub at the top level
            run_text(text, f"<put in for {number}>", names)
    except Exception as error:  # a cell that does not run to its end leaves nothing to judge
        exercise = judge.lesson.exercise(number)
        said = f"The cell stops: {type(error).__name__}: {error}"
        return Verdict(number, exercise.name, "crashed", said, 0.0, exercise.points)
    return judge.judge(number, names)
