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
            verdict = try_answer(judge, exercise.number, source)
            # a wrong answer may earn some of the parts
            status = "failed" if expected == "failed" and verdict.status == "partly" else ""
            status = status or verdict.status
            result = VariantResult(
                exercise.number, exercise.name, kind, why, expected, status, verdict.message
            )
            results.append(result)
            if not result.ok:
                problems.append(
                    f"exercise {exercise.number}, {kind} answer ({why}): expected {expected}, "
                    f"the check says {status}. {verdict.message}"
                )
            elif says.lower() not in verdict.message.lower():
                problems.append(
                    f"exercise {exercise.number}, {kind} answer ({why}): the message does not "
                    f"say {says!r} but {verdict.message!r}"
                )
            whole = sum(part.max_points for part in verdict.parts)
            if kind == "solution" and verdict.parts and whole != exercise.points:
                problems.append(
                    f"exercise {exercise.number}: its parts add up to {whole:g} points, "
                    f"expected {exercise.points:g}"
                )
    return VariantReport(lesson.name, tuple(results), tuple(problems))


def try_answer(judge: Judge, number: str, text: str) -> Verdict:
    """Judge a text as if it stood in the cell of an exercise, in a notebook otherwise empty."""
    # the cell runs after the set-up and what comes before it, as in a notebook
    names = judge.names.before(number, Idle())
    with silence(), suppress(NotImplementedError):  # a stub at the top level
        run_text(text, f"<put in for {number}>", names)
    return judge.judge(number, names)
