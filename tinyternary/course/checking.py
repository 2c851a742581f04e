"""The object that learners' check cells call: instant, honest, and it says why.

A check is a function whose one argument is named after what it checks::

    check = course.checks("01_ternary_basics")

    @check.exercise("1.2")
    def _(threshold):
        check.equal(threshold(np.array([0.2, -3.0]), 1.0), [0, -1], "0.2 is within ±1")

It runs at once. The argument is the learner's own function, looked up by that name
in their notebook and watched while it runs. If they have not written it yet, or it
is wrong, the cells below go on with a stand-in from `tinyternary.course.fallback`,
and a banner says so. When grading there is no stand-in, and what fails raises.
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike

from tinyternary.course import guard
from tinyternary.course._present import show
from tinyternary.course.judging import CheckFailed, StandIn, judge

Body = Callable[[Any], None]


class Checks:
    """The checks of one lesson.

    Parameters
    ----------
    lesson : str
        Name of the lesson, ``"01_ternary_basics"``; stand-ins are looked up by it.
    grading : bool, optional
        No stand-ins, and failures raise. By default as the environment says:
        ``TINYTERNARY_GRADING``, or nbgrader's ``NBGRADER_EXECUTION``.
    token : str
        Put into every record, so that a grader knows its own.

    Attributes
    ----------
    outcomes : dict of str to dict
        Last outcome of each exercise: ``exercise, name, status, message``.
    """

    def __init__(self, lesson: str, *, grading: bool | None = None, token: str = "") -> None:
        self.lesson = lesson
        if grading is None:
            named = ("TINYTERNARY_GRADING", "NBGRADER_EXECUTION")
            grading = any(os.environ.get(name) for name in named)
        self.grading = grading
        self.token = token
        self.outcomes: dict[str, dict[str, Any]] = {}

    def exercise(self, number: str, *, allow: tuple[str, ...] = ()) -> Callable[[Body], None]:
        """Run the decorated check of exercise `number` now.

        Parameters
        ----------
        number : str
            As the text says it: ``"1.2"``.
        allow : tuple of str
            Modules of the library that the learner's function may call.

        Raises
        ------
        CheckFailed
            When grading, if the check does not pass. Otherwise nothing is raised:
            the outcome is displayed and kept in `outcomes`.
        """

        def run(body: Body) -> None:
            (name,) = inspect.signature(body).parameters
            namespace = body.__globals__
            given = namespace.get(name)
            own = given.attempt if isinstance(given, StandIn) else given
            status, message = judge(body, name, own, number, allow)
            outcome = {
                "exercise": number, "name": name, "status": status, "message": message,
                "token": self.token,
            }  # fmt: skip
            self.outcomes[number] = outcome
            if self.grading:
                self._display(status, _headline(number, name, status), message, outcome)
                if status != "passed":
                    raise CheckFailed(f"exercise {number}, {name}: {status}. {message}")
                return
            banner = ""
            if status == "passed":
                namespace[name] = own
            else:
                banner = self._stand_in(namespace, name, own)
            text = "\n".join(part for part in (message, banner) if part)
            self._display(status, _headline(number, name, status), text, outcome)

        return run

    def equal(self, got: Any, expected: ArrayLike, hint: str) -> None:
        """Require an array of the same shape with exactly these values."""
        self._compare(got, expected, hint, np.array_equal)

    def close(
        self, got: Any, expected: ArrayLike, hint: str, rtol: float = 1e-5, atol: float = 1e-8
    ) -> None:
        """Require an array of the same shape with these values, up to rounding."""
        self._compare(got, expected, hint, lambda a, b: np.allclose(a, b, rtol=rtol, atol=atol))

    def true(self, condition: Any, hint: str) -> None:
        """Require a condition; `hint` says what should hold and what usually breaks it."""
        if not bool(condition):
            self.fail(hint)

    def never_multiplies(self, function: Any, hint: str) -> None:
        """Require that the learner's function contains no product of any kind."""
        found = guard.multiplications(getattr(function, "learners_own", function))
        if found:
            self.fail(f"Your code contains `{found[0]}`. {hint}")

    def fail(self, message: str) -> NoReturn:
        """Stop the check with a message for the learner."""
        raise CheckFailed(message)

    def predicted(
        self, guess: float | str | None, actual: float | str, *, within: float = 0.0,
        unit: str = "", comment: str = "",
    ) -> None:  # fmt: skip
        """Lay a prediction beside what came out; nothing is graded.

        Parameters
        ----------
        guess, actual : float, str or None
            ``None``: no prediction was written down.
        within : float
            How far off a number may be to count as right.
        unit, comment : str
            Put after the numbers, and below.
        """
        said = f"It is {_plain(actual)}{unit}."
        if guess is None:
            show("note", f"{said} You made no prediction.",
                 "Write one down before you run the cell: a guess that turns out wrong "
                 f"is what you will remember.\n{comment}".rstrip())  # fmt: skip
            return
        if isinstance(actual, str) or isinstance(guess, str):
            right = str(guess).strip().lower() == str(actual).strip().lower()
        else:
            right = abs(float(guess) - actual) <= within
        verdict = "Well predicted." if right else "Further off than it looks: find out why."
        show("note", f"You said {_plain(guess)}{unit}. {said} {verdict}", comment)

    def summary(self) -> None:
        """Display how the exercises of this lesson stand."""
        rows = sorted(self.outcomes.values(), key=lambda row: _order(row["exercise"]))
        done = sum(row["status"] == "passed" for row in rows)
        signs = {"passed": "✓", "not attempted": "○"}
        lines = [
            f"{signs.get(row['status'], '✗')} {row['exercise']}  `{row['name']}`: {row['status']}"
            for row in rows
        ]
        show("passed" if rows and done == len(rows) else "note",
             f"{done} of {len(rows)} exercises solved", "\n".join(lines))  # fmt: skip

    def _display(self, status: str, headline: str, text: str, outcome: dict[str, Any]) -> None:
        show(status, headline, text, outcome)

    def _compare(
        self, got: Any, expected: ArrayLike, hint: str, same: Callable[[Any, Any], bool]
    ) -> None:
        want = np.asarray(expected)
        if got is None:
            self.fail("Your function returned None. A missing `return`?")
        have = np.asarray(got)
        if have.shape != want.shape:
            self.fail(f"Expected shape {want.shape}, got {have.shape}. {hint}")
        if have.dtype.kind not in "biufc" or not same(have, want):
            self.fail(f"Expected {_plain(want)}\n     got {_plain(have)}\n{hint}")

    def _stand_in(self, namespace: dict[str, Any], name: str, own: Any) -> str:
        home = self.lesson.split("_", 1)[1]
        module = importlib.import_module(f"tinyternary.course.fallback.{home}")
        # the library's plain function or class; KeyError of an author shows up in the build
        namespace[name] = StandIn(getattr(module, name), own)
        return f"The cells below go on with the library's `{name}`."


def checks(lesson: str) -> Checks:
    """Return the checks of a lesson, for its first cell.

    Parameters
    ----------
    lesson : str
        ``"01_ternary_basics"``.
    """
    return Checks(lesson)


def _headline(number: str, name: str, status: str) -> str:
    says = {"crashed": "stopped with an error", "failed": "not right yet"}
    return f"Exercise {number}, `{name}`: {says.get(status, status)}"


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=5, threshold=24, edgeitems=4, separator=", ")
    return str(value)


def _order(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in number.split("."))
