"""The judge: one for a learner's notebook, for `tinyternary grade` and for nbgrader."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any

from tinyternary.course.judge import namespaces, watch
from tinyternary.course.judge.explain import explain
from tinyternary.course.judge.namespaces import (
    Idle,
    Namespaces,
    answer_file,
    cell_text,
    silence,
)
from tinyternary.course.judge.tools import CheckFailed, Tools
from tinyternary.course.judge.verdict import Part, Status, Verdict
from tinyternary.course.lesson.model import Exercise, Lesson
from tinyternary.errors import LessonError

Body = Callable[..., None]


class Judge:
    """Judges the exercises of a lesson, each on its own.

    An answer runs in a namespace of its own: the lesson's set-up, the lesson's solutions of the
    *earlier* exercises, what the learner's own cells define, and the cell of the answer, compiled
    anew. So an exercise counts whether or not earlier ones are solved, the learner's names stay
    theirs, and a second look gives what the first gave.

    Parameters
    ----------
    lesson : Lesson
    """

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson
        self.names = Namespaces(lesson)

    def judge(self, number: str, given: Mapping[str, Any]) -> Verdict:
        """Judge one exercise.

        Parameters
        ----------
        number : str
            ``"1.2"``.
        given : mapping of str to object
            The names of the learner's notebook; not changed.

        Returns
        -------
        Verdict
            Nothing is raised for what the answer does.

        Raises
        ------
        LessonError
            If the lesson has no such exercise, or its check breaks a rule.
        """
        exercise = self.lesson.exercise(number)
        body, options = self._check(exercise)
        arguments = list(inspect.signature(body).parameters)
        # what earlier exercises make comes from the answer's namespace as it is there: a class
        # to which this exercise attaches a method
        made = namespaces.names_bound(exercise.solution.solved(hidden=False))
        wanted = [name for name in arguments if name in made]
        if not wanted:
            raise LessonError(
                f"the check of {number} asks for {arguments}, and its solution makes none of them"
            )
        allow = tuple(options.get("allow", ()))
        missing = [name for name in wanted if given.get(name) is None]
        if len(missing) == len(wanted):
            return _verdict(exercise, "not attempted", (
                f"There is no `{missing[0]}` yet: run the cell above. "
                "If that cell fails, mend it first."
            ))  # fmt: skip
        for name in set(wanted) - set(missing):
            if not callable(given[name]) or watch.is_library(given[name]):
                return _verdict(exercise, "failed", (
                    f"`{name}` should be a function of your own, written in the cell above."
                ))  # fmt: skip
        spy = watch.Watch(allow, bool(options.get("mutates", False)))
        tools: Tools = body.__globals__["check"]._become(spy)
        status: Status = "passed"
        message = answer = ""
        try:
            with silence():
                private, answer = self._private(exercise, given, wanted)
                mentioned = [m for n in wanted for m in watch.library_names(private.get(n), allow)]
                if mentioned:
                    return _verdict(exercise, "failed", (
                        f"`{wanted[0]}` uses `{mentioned[0]}` from the library. "
                        "The point is to write it yourself, with NumPy alone."
                    ), answer=answer)  # fmt: skip
                with spy:
                    body(*[private.get(name, _unwritten) for name in arguments])
        except CheckFailed as failure:
            status, message = "failed", str(failure)
        except NotImplementedError as stub:
            status, message = "not attempted", _not_yet(stub, number)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            status, message = "crashed", explain(error, spy)
        if status == "passed" and not spy.calls and any(
            watch.functions_of(private[name]) and not hasattr(private[name], "py_func")
            for name in wanted
        ):  # fmt: skip
            status, message = "failed", f"The check ended without calling your `{wanted[0]}`."
        if spy.trespasses:
            status, message = "failed", spy.trespasses[0]
            tools.parts = [Part(p.name, 0.0, p.max_points, "failed", "") for p in tools.parts]
        return _verdict(exercise, status, message, tuple(tools.parts), answer=answer)

    def _check(self, exercise: Exercise) -> tuple[Body, dict[str, Any]]:
        """Run the check's cell, hidden tests and all, and catch the function it decorates."""
        catcher = _Catcher()
        names = self.names.before(exercise.number, catcher)
        text = exercise.check.solved(hidden=True)
        namespaces.run_text(text, f"{watch.CHECK} {exercise.number}>", names)
        return catcher.body, catcher.options

    def _private(
        self, exercise: Exercise, given: Mapping[str, Any], wanted: list[str]
    ) -> tuple[dict[str, Any], str]:
        """Make the namespace of an answer; return it with the text of the answer."""
        private = self.names.before(exercise.number, Idle())
        earlier = set(private)
        for name, value in self.names.theirs(given).items():
            if name not in earlier:
                private[name] = value
        texts: list[str] = []
        for name in wanted:
            private.pop(name, None)
        for name in wanted:
            own = given.get(name)
            text = cell_text(own)
            if not text and own is not None:
                private[name] = _rebound(own, private, answer_file(exercise.number, 0))
            elif text and text not in texts:
                texts.append(text)
        for place, text in enumerate(texts):
            namespaces.run_text(text, answer_file(exercise.number, place), private)
        return private, "\n\n".join(texts)


class _Catcher:
    """Stands for `check` while a check's cell runs, and for the tools while its body does."""

    def __init__(self) -> None:
        self.body: Body
        self.options: dict[str, Any] = {}
        self._tools: Tools | None = None

    def exercise(self, number: str, **options: Any) -> Callable[[Body], None]:
        def catch(body: Body) -> None:
            self.body, self.options = body, options

        return catch

    def _become(self, spy: watch.Watch) -> Tools:
        self._tools = Tools(spy)
        return self._tools

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or self._tools is None:
            raise AttributeError(name)
        return getattr(self._tools, name)


def _unwritten(*_: Any, **__: Any) -> Any:
    raise NotImplementedError("not written yet")


def _rebound(own: Any, names: dict[str, Any], file: str) -> Any:
    """Give a function whose text is not known other globals; anything else is left as it is."""
    if not isinstance(own, types.FunctionType):
        return own
    code = own.__code__.replace(co_filename=file)
    made = types.FunctionType(code, names, own.__name__, own.__defaults__, own.__closure__)
    made.__kwdefaults__ = own.__kwdefaults__
    return made


def _verdict(
    exercise: Exercise, status: Status, message: str, parts: tuple[Part, ...] = (),
    answer: str = "",
) -> Verdict:  # fmt: skip
    whole = exercise.points
    if parts:
        earned = sum(part.points for part in parts)
        lines = [f"{part.name}: {part.message}" for part in parts if part.status != "passed"]
        message = "\n".join([*lines, message] if message else lines)
        if status == "passed" and lines:
            untouched = all(part.status == "not attempted" for part in parts)
            status = "partly" if earned else "not attempted" if untouched else "failed"
        elif status in ("failed", "crashed") and earned:
            status = "partly"
    else:
        earned = whole if status == "passed" else 0.0
    return Verdict(exercise.number, exercise.name, status, message, earned, whole, parts, answer)


def _not_yet(stub: NotImplementedError, number: str) -> str:
    text = str(stub)
    if text.startswith("Exercise ") and not text.startswith(f"Exercise {number}:"):
        return f"It calls something that is not written yet: {text}"
    return "Not attempted yet. Write it in the cell above, run that cell, then run this one."
