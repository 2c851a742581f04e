"""The names an answer is judged among: the lesson's set-up, earlier solutions, the learner's own.

The judge never writes into the learner's namespace. An answer is compiled anew, from the text
of the cell that defines it, into a namespace that is made for this one judgement.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import copy
import io
import linecache
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tinyternary.course.judge.watch import ANSWER, functions_of
from tinyternary.course.lesson.model import Lesson
from tinyternary.course.lesson.pack import keep_at_hand
from tinyternary.course.parsing import parse

_MACHINERY = frozenset({"In", "Out", "get_ipython", "exit", "quit", "open", "check", "my"})


def run_text(text: str, file: str, names: dict[str, Any]) -> None:
    """Compile a cell under a file name and run it; tracebacks show its lines."""
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    exec(compile(text, file, "exec"), names)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Swallow what code prints while it is judged: it was printed when its cell ran."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


class Idle:
    """Stands for `check` and `my` where a cell is run again: it does nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: Any, **__: Any) -> Idle:  # noqa: D102 - whatever is called
        return self


class Namespaces:
    """Makes namespaces for one lesson."""

    def __init__(self, lesson: Lesson) -> None:
        self._lesson = lesson
        self._setup: dict[str, Any] | None = None
        self._taken = _MACHINERY | _defined_by_demos(lesson)

    def base(self, check: object) -> dict[str, Any]:
        """Return the names of the lesson's set-up, run once; arrays are copies each time."""
        if self._setup is None:
            os.environ.setdefault("MPLBACKEND", "Agg")  # figures of a set-up need no window
            keep_at_hand(self._lesson)
            names: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
            with silence():
                for cell in self._lesson.cells:
                    if cell.role == "setup":
                        run_text(cell.source, f"<set-up of {self._lesson.name}>", names)
            self._setup = names
        fresh = {
            name: copy.deepcopy(value) if isinstance(value, np.ndarray) else value
            for name, value in self._setup.items()
        }
        fresh["check"] = check
        fresh["my"] = check
        return fresh

    def before(self, number: str, check: object) -> dict[str, Any]:
        """Return the set-up's names and the solutions of the exercises before `number`."""
        names = self.base(check)
        for exercise in self._lesson.exercises:
            if exercise.number == number:
                return names
            self.solve(exercise.number, names)
        return names

    def solve(self, number: str, names: dict[str, Any]) -> None:
        """Run the lesson's own solution of an exercise among `names`."""
        text = self._lesson.exercise(number).solution.solved(hidden=False)
        with silence():
            run_text(text, f"<solution {number}>", names)

    def theirs(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the names that a learner's own cells may have made, out of a notebook's."""
        return {
            name: value
            for name, value in given.items()
            if not name.startswith("_") and name not in self._taken
        }


def cell_text(obj: Any) -> str:
    """Return the text of the cell that defined a function or class; empty if it is not known.

    Notebooks and this judge keep the text of what they compile where `linecache` finds it.
    """
    for function in functions_of(obj):
        if isinstance(obj, type) and not function.__qualname__.startswith(f"{obj.__name__}."):
            continue  # a method that a later cell has attached
        lines = linecache.getlines(function.__code__.co_filename)
        if lines:
            return "".join(lines)
    return ""


def answer_file(number: str, place: int) -> str:
    """Return the file name under which a cell of an answer is compiled."""
    return f"{ANSWER} {number}{'abcdefgh'[place] if place else ''}>"


def _defined_by_demos(lesson: Lesson) -> frozenset[str]:
    """Names that demonstrations make: an answer that needs one would fail where none is run."""
    found: set[str] = set()
    for cell in lesson.cells:
        if cell.role in ("demo", "setup"):
            with contextlib.suppress(SyntaxError):  # a cell with a magic defines nothing we hide
                found |= names_bound(cell.source)
    return frozenset(found)


def names_bound(source: str) -> set[str]:
    """Return the names that a cell binds at its top level, also in its loops and with blocks.

    Raises
    ------
    SyntaxError
        If it is not plain Python (a notebook's magic, say).
    """
    found: set[str] = set()
    waiting: list[ast.AST] = list(parse(source).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            found.add(node.name)
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp
                        | ast.GeneratorExp):  # fmt: skip
            continue
        waiting += ast.iter_child_nodes(node)
    return found
