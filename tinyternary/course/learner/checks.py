"""The object that learners' notebooks call: checks, hints, predictions, the learner's own names.

A check is a function whose arguments are named after what it checks::

    check = course.checks("01_ternary_basics")
    my = check.mine

    @check.exercise("1.2")
    def _(best_scale):
        check.close(best_scale(w, t), 1.5, "Only weights that were kept can feel alpha.")

It is judged at once, by the lesson's own check of that number (hidden tests included), which
the package carries. The learner's names stay theirs; demonstrations ask for ``my.best_scale``,
which is the learner's once it has passed and the lesson's until then.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from typing import Any

from tinyternary.course.judge.judging import Judge
from tinyternary.course.judge.tools import CheckFailed, plain
from tinyternary.course.judge.verdict import Verdict
from tinyternary.course.learner._present import show
from tinyternary.course.learner.mine import Mine
from tinyternary.course.learner.progress import Progress
from tinyternary.course.lesson.model import Lesson
from tinyternary.course.lesson.pack import is_packed, packed_lesson

Body = Callable[..., None]

OWN_RUN = "TINYTERNARY_OWN_RUN"
"""Environment variable: set where a notebook is known to be run for its learner."""
_BY_A_PERSON = ("JPY_SESSION_NAME", "VSCODE_PID", "VSCODE_CWD", "COLAB_RELEASE_TAG", OWN_RUN)
_BY_A_GRADER = ("NBGRADER_EXECUTION", "TINYTERNARY_GRADING")


class Checks:
    """The checks of one lesson, in one notebook.

    Parameters
    ----------
    lesson : Lesson
    strict : bool, optional
        A check that does not pass raises, and ``my`` has nothing of the lesson's. By default
        strict, unless this is known to be a learner's own run.

    Attributes
    ----------
    verdicts : dict of str to Verdict
        The last verdict of each exercise.
    mine : Mine
        The lesson's functions by name: the learner's own where they have passed.
    """

    def __init__(self, lesson: Lesson, *, strict: bool | None = None) -> None:
        self.lesson = lesson
        self.strict = _nobody_watches() if strict is None else strict
        self.judge = Judge(lesson)
        self.verdicts: dict[str, Verdict] = {}
        self.progress = Progress(lesson.name)
        self.mine = Mine(self)
        self._hinted: dict[str, int] = {}
        self._namespace: dict[str, Any] | None = None

    def exercise(self, number: str, **_: Any) -> Callable[[Body], None]:
        """Judge exercise `number` now, by the lesson's own check of it.

        Parameters
        ----------
        number : str
            As the text says it: ``"1.2"``.
        **_
            Options of the check (``allow``, ``mutates``): see `Judge`.

        Raises
        ------
        CheckFailed
            When strict, if the exercise is not solved. Otherwise the verdict is displayed
            and kept in `verdicts`.
        """

        def run(body: Body) -> None:
            self._namespace = body.__globals__
            verdict = self.judge.judge(number, self._namespace)
            self.verdicts[number] = verdict
            if not self.strict:
                self.progress.record(verdict)
            self._show(verdict)
            if self.strict and verdict.status != "passed":
                raise CheckFailed(
                    f"exercise {number}, {verdict.name}: {verdict.status}. {verdict.message}"
                )

        return run

    def hint(self, number: str) -> None:
        """Show the next hint for an exercise, one more each time.

        Parameters
        ----------
        number : str
            ``"1.5"``.
        """
        exercise = self.lesson.exercise(number)
        hints = exercise.hints
        if not hints:
            show("note", f"Exercise {number} has no further hints.",
                 "Read what its check says: it shows the input, and what it expected.")  # fmt: skip
            return
        count = self._hinted[number] = min(self._hinted.get(number, 0) + 1, len(hints))
        body = "\n".join(f"{i}. {hint}" for i, hint in enumerate(hints[:count], 1))
        more = "Run this again for the next one." if count < len(hints) else "That was the last."
        show("note", f"Exercise {number}, hint {count} of {len(hints)}", f"{body}\n{more}")

    def predicted(
        self, guess: float | str | None, actual: float | str, *, within: float = 0.0,
        unit: str = "", comment: str = "",
    ) -> None:  # fmt: skip
        """Lay a prediction beside what came out; nothing is graded.

        Parameters
        ----------
        guess, actual : float, str or None
            ``None``: no prediction yet, and nothing is shown. ``"skip"`` shows it all the same.
        within : float
            How far off a number may be to count as right.
        unit, comment : str
            Put after the numbers, and below.
        """
        if guess is None:
            show("note", "Predict first.",
                 "Write your guess in place of `None` and run the cell again (or write "
                 '`"skip"`). A guess that turns out wrong is what you will remember.')  # fmt: skip
            return
        said = f"It is {plain(actual)}{unit}."
        if guess == "skip":
            show("note", said, comment)
            return
        show("note", f"You said {plain(guess)}{unit}. {said} "
             f"{_compared(guess, actual, within)}", comment)  # fmt: skip

    def summary(self) -> None:
        """Display how the exercises of this lesson stand."""
        lines = []
        points = 0.0
        for exercise in self.lesson.exercises:
            verdict = self.verdicts.get(exercise.number)
            status = verdict.status if verdict else "not checked"
            points += verdict.points if verdict else 0.0
            sign = {"passed": "✓", "not attempted": "○", "not checked": "○"}.get(status, "✗")
            score = f"{verdict.points if verdict else 0:g} of {exercise.points:g}"
            lines.append(f"{sign} {exercise.number}  `{exercise.name}`: {status}, {score}")
        for question in self.lesson.questions:
            lines.append(
                f"✎ {question.number}  {question.name}: in words, {question.points:g} points, "
                "read by a person"
            )
        whole = self.lesson.points
        show("passed" if points == whole else "note", f"{points:g} of {whole:g} points",
             "\n".join(lines))  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"`check.{name}` exists inside the body of a check only; a notebook has "
            "check.exercise, check.hint, check.predicted, check.mine and check.summary"
        )

    def _show(self, verdict: Verdict) -> None:
        says = {"crashed": "stopped with an error", "failed": "not right yet",
                "partly": f"{verdict.points:g} of {verdict.max_points:g} points"}  # fmt: skip
        headline = f"Exercise {verdict.exercise}, `{verdict.name}`: " + says.get(
            verdict.status, verdict.status
        )
        hint = ""
        if verdict.status in ("failed", "crashed", "partly") and not self.strict and (
            self.lesson.exercise(verdict.exercise).hints
        ):  # fmt: skip
            hint = f'Stuck? `check.hint("{verdict.exercise}")` gives one hint at a time.'
        body = "\n".join(part for part in (verdict.message, hint) if part)
        show(verdict.status, headline, body, verdict.to_dict())


def checks(lesson: str) -> Checks:
    """Return the checks of a lesson, for its first cell.

    Parameters
    ----------
    lesson : str
        ``"01_ternary_basics"``.

    Raises
    ------
    ConfigError
        If there is no such lesson, in the package or in a checkout around.
    """
    if is_packed(lesson):
        return Checks(packed_lesson(lesson))
    from tinyternary.course.lesson.percent import read_lesson  # an author's, not built yet

    return Checks(read_lesson(lesson))


def _nobody_watches() -> bool:
    """Whether nothing says that a person runs this: then failures must not pass unseen."""
    if any(os.environ.get(name) for name in _BY_A_GRADER):
        return True
    if any(os.environ.get(name) for name in _BY_A_PERSON):
        return False
    return not hasattr(sys, "ps1") and "IPython.terminal.interactiveshell" not in sys.modules


def _compared(guess: float | str, actual: float | str, within: float) -> str:
    if isinstance(actual, str) or isinstance(guess, str):
        same = str(guess).strip().lower() == str(actual).strip().lower()
        return "Well predicted." if same else "Surprised? Find out why."
    if abs(float(guess) - actual) <= within:
        return "Well predicted."
    if guess > 0 and actual > 0:
        ratio = max(guess / actual, actual / guess)
        if ratio >= 3:
            side = "large" if guess > actual else "small"
            size = f"{ratio:.0f}" if ratio < 1000 else f"10^{math.log10(ratio):.0f}"
            return f"That was {size} times too {side}: the size of things is worth a second look."
    return (
        "Not far off." if abs(float(guess) - actual) <= 3 * within else "Surprised? Find out why."
    )
