"""Running a check on a learner's function: is it theirs, was it called, what was wrong."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from tinyternary.course import guard


class CheckFailed(AssertionError):
    """What a check found wrong, in words for the learner."""


class StandIn:
    """The library's version of a function, bound to the learner's name until theirs passes.

    Attributes
    ----------
    attempt : object
        What the learner had written, so that a check that runs again sees that.
    """

    def __init__(self, library: Any, attempt: Any) -> None:
        self._library = library
        self.attempt = attempt

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102 - the library's
        return self._library(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)


def judge(
    body: Callable[[Any], None], name: str, own: Any, number: str, allow: tuple[str, ...]
) -> tuple[str, str]:
    """Run a check on a learner's object.

    Parameters
    ----------
    body : function
        The check; its one argument is the learner's object, watched.
    name : str
        What the exercise calls it.
    own : object
        The learner's; ``None`` if their notebook has none of that name.
    number : str
        Of the exercise.
    allow : tuple of str
        Modules of the library that the learner's code may call.

    Returns
    -------
    (str, str)
        Status ("passed", "failed", "crashed" or "not attempted") and a message.
    """
    if own is None:
        return "not attempted", (
            f"There is no `{name}` yet: run the cell above. If that cell fails, mend it first."
        )
    if not callable(own) or guard.is_library(own):
        return "failed", f"`{name}` should be a function of your own, written in the cell above."
    mentioned = guard.library_names(own, allow)
    if mentioned:
        return "failed", (
            f"`{name}` uses `{mentioned[0]}` from the library. "
            "The point is to write it yourself, with NumPy alone."
        )
    own_codes = tuple(part.__code__ for part in guard.functions_of(own))
    watched = Watched(own, allow) if not isinstance(own, type) else own
    outer = guard.Watch(own_codes, None)
    try:
        if isinstance(own, type):
            with outer:
                body(watched)
        else:
            body(watched)
    except CheckFailed as failure:
        return "failed", str(failure)
    except NotImplementedError as stub:
        return "not attempted", _unwritten(stub, number)
    except Exception as error:
        return "crashed", _trouble(error, name)
    calls = watched.calls if isinstance(watched, Watched) else outer.calls
    if not calls:
        return "failed", f"The check ended without calling your `{name}`."
    return "passed", ""


class Watched:
    """A learner's function that counts its calls and refuses the library's help.

    Attributes
    ----------
    learners_own : function
    calls : int
        How often it was called and came back.
    """

    def __init__(self, function: Callable[..., Any], allow: tuple[str, ...]) -> None:
        self.learners_own = function
        self._allow = allow
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102 - the learner's
        with guard.Watch((), self._allow) as watch:
            result = self.learners_own(*args, **kwargs)
        self.calls += 1
        if watch.library:
            raise CheckFailed(
                f"Your function called `{watch.library[0]}`. "
                "The point is to write it yourself, with NumPy alone."
            )
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self.learners_own, name)


def _unwritten(stub: NotImplementedError, number: str) -> str:
    text = str(stub)
    if text.startswith("Exercise ") and not text.startswith(f"Exercise {number}:"):
        return f"It calls something that is not written yet: {text}"
    return "Not attempted yet. Write it in the cell above, run that cell, then run this one."


def _trouble(error: Exception, name: str) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.name == name]
    where = f" In your cell: `{frames[-1].line}`" if frames and frames[-1].line else ""
    extra = ""
    if isinstance(error, NameError):
        extra = (
            "\nA function may use its arguments, the lesson's imports and what your own "
            "cells define."
        )
    return f"{type(error).__name__}: {error}.{where}{extra}"
