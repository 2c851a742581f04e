"""What the body of a check says: equal, close, true, parts, counted inputs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.course.judge.counting import Tally, counted
from tinyternary.course.judge.explain import explain
from tinyternary.course.judge.verdict import Part, Status
from tinyternary.course.judge.watch import Watch


class CheckFailed(AssertionError):
    """What a check found wrong, in words for the learner."""


class Tools:
    """The object `check` inside the body of a check.

    Attributes
    ----------
    parts : list of Part
        Those that the body has gone through.
    """

    def __init__(self, watch: Watch) -> None:
        self.parts: list[Part] = []
        self._watch = watch

    def equal(self, got: Any, expected: ArrayLike, hint: str) -> None:
        """Require an array of the same shape with exactly these values."""
        self._compare(got, expected, hint, _same)

    def close(
        self, got: Any, expected: ArrayLike, hint: str, rtol: float = 1e-5, atol: float = 1e-8
    ) -> None:
        """Require an array of the same shape with these values, up to rounding."""
        self._compare(got, expected, hint, lambda a, b: _allclose(a, b, rtol, atol))

    def true(self, condition: Any, hint: str) -> None:
        """Require a condition; `hint` says what should hold and what usually breaks it."""
        if not bool(condition):
            self.fail(hint)

    def dtype(self, got: Any, expected: Any, hint: str = "") -> None:
        """Require an array of a data type."""
        have = np.asarray(got).dtype
        if have != np.dtype(expected):
            self.fail(f"Expected an array of {np.dtype(expected)}, got {have}. {hint}")

    def raises(self, kind: type[BaseException], function: Callable[[], Any], hint: str) -> None:
        """Require that a call raises an exception of this kind."""
        try:
            function()
        except kind:
            return
        self.fail(f"Expected {kind.__name__}, and nothing was raised. {hint}")

    def quick(self, seconds: float, function: Callable[[], Any], hint: str) -> Any:
        """Require that a call takes less than `seconds` of processor time; return its result.

        One that takes longer is called once more: the first call may have compiled.
        """
        for last in (False, True):
            start = time.process_time()
            result = function()
            took = time.process_time() - start
            if took <= seconds:
                return result
            if last:
                self.fail(f"It took {took:.1f} s; {seconds:g} s would be ample. {hint}")

    def counted(self, *arrays: ArrayLike) -> Any:
        """Return an array that counts what is done with it, in `tally`; of several, a tuple."""
        self._tally = Tally()
        made = tuple(counted(array, self._tally) for array in arrays)
        return made if len(made) > 1 else made[0]

    @property
    def tally(self) -> Tally:
        """What was done with the last counted array and all that was made of it."""
        return self._tally

    @contextmanager
    def part(self, name: str, points: float) -> Iterator[None]:
        """Judge a part of the exercise on its own: what fails in it costs its points alone.

        Parameters
        ----------
        name : str
            What the part is about, in words.
        points : float
        """
        status: Status = "passed"
        message = ""
        try:
            yield
        except CheckFailed as failure:
            status, message = "failed", str(failure)
        except NotImplementedError:
            status, message = "not attempted", "Not attempted yet."
        except Exception as error:
            status, message = "crashed", explain(error, self._watch)
        earned = points if status == "passed" else 0.0
        self.parts.append(Part(name, earned, points, status, message))

    def fail(self, message: str) -> NoReturn:
        """Stop the check with a message for the learner."""
        raise CheckFailed(message)

    def _compare(
        self, got: Any, expected: ArrayLike, hint: str,
        same: Callable[[NDArray[Any], NDArray[Any]], bool],
    ) -> None:  # fmt: skip
        want = np.asarray(expected)
        call = self._watch.call_of(got)
        asked = f"`{call}`\n" if call else ""
        if got is None:
            self.fail(f"{asked}Your function returned None. A missing `return`?")
        have = np.asarray(got)
        if have.dtype == object:  # of plain numbers, or of something else
            have = np.array([[_number(v)] for v in have.ravel()], dtype=object).reshape(have.shape)
            have = have.astype(float) if all(v is not None for v in have.ravel()) else have
        if have.shape != want.shape:
            self.fail(f"{asked}Expected shape {want.shape}, got {have.shape}. {hint}")
        if have.dtype.kind not in "biufc" or not same(have, want):
            note = _usual_slip(have, want)
            self.fail(f"{asked}Expected {plain(want)}\n     got {plain(have)}\n{hint}{note}")


def plain(value: Any) -> str:
    """Return a value as text for a person."""
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=5, threshold=24, edgeitems=4, separator=", ")
    return str(value)


def _same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return bool(np.array_equal(a, b))


def _allclose(a: NDArray[Any], b: NDArray[Any], rtol: float, atol: float) -> bool:
    return bool(np.allclose(a, b, rtol=rtol, atol=atol))


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _usual_slip(have: NDArray[Any], want: NDArray[Any]) -> str:
    """Name a factor between what came and what was wanted, where there is exactly one."""
    if have.dtype.kind not in "iuf" or want.dtype.kind not in "iuf" or not want.size:
        return ""
    h, w = have.astype(float).ravel(), want.astype(float).ravel()
    if not np.isfinite(h).all():
        return "\nSome of yours are NaN or infinite."
    if w.any() and np.allclose(h, -w):
        return "\nYours has the opposite sign throughout."
    return ""
