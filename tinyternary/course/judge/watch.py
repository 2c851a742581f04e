"""Who ran: proof that a learner's own code was called, and that the library was not.

An exercise asks a learner to write what the library has already. While a check runs, Python
reports every call (`sys.setprofile`): code compiled from the answer's cells is the learner's,
and a frame of the library below it is help. The interpreter's audit events tell of what such
a report does not show: reading the lesson's source, turning the report off, starting a
process. It is protection against shortcuts, not against an attacker in the same process.
"""

from __future__ import annotations

import _thread
import dis
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import numpy as np

_LIBRARY = "tinyternary"
_PACKAGE = str(Path(__file__).resolve().parents[2])
_COPIED = 100_000
"""Entries up to which an argument is compared with what it was before the call."""
_KEPT = 8
"""Calls that are kept to be shown."""

ANSWER, SOLUTION, CHECK = "<answer", "<solution", "<check"
"""How the file names of compiled cells begin: whose code a frame runs."""


def is_library(obj: Any) -> bool:
    """Whether an object comes from tinyternary and not from a learner's cell."""
    return _inside(_home(obj))


def library_names(obj: Any, allow: tuple[str, ...] = ()) -> list[str]:
    """Names of the library that an object's own code mentions.

    Parameters
    ----------
    obj : function, class or Numba dispatcher
    allow : tuple of str
        Modules that this exercise may use, such as ``"tinyternary.kernels"``.

    Returns
    -------
    list of str
        As written in the code (``tt``, ``absmean``); empty if it mentions none.
    """
    found = []
    for function in functions_of(obj):
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or ()))
        for name in _names_in(function.__code__):
            try:
                value = cells[name].cell_contents if name in cells else function.__globals__[name]
            except (KeyError, ValueError):  # no such name, or not bound yet
                continue
            home = _home(value)
            if not _inside(home) or _wrote(value) is not None:
                continue
            whole = home == _LIBRARY and bool(allow)  # `tt` itself: the frames decide
            if not whole and not home.startswith(allow or ("\0",)):
                found.append(name)
    return found


def functions_of(obj: Any) -> list[FunctionType]:
    """Return the Python functions that an object is made of: itself, or a class's methods."""
    obj = getattr(obj, "py_func", obj)  # a Numba dispatcher keeps what it compiled
    if isinstance(obj, type):
        parts = []
        for part in vars(obj).values():
            if isinstance(part, property):
                parts += [f for f in (part.fget, part.fset) if f is not None]
            else:
                parts.append(getattr(part, "__func__", part))
        return [part for part in parts if isinstance(part, FunctionType)]
    obj = getattr(obj, "__wrapped__", obj)
    return [obj] if isinstance(obj, FunctionType) else []


class Watch:
    """Context that sees what runs below the learner's code.

    Parameters
    ----------
    allow : tuple of str
        Modules of the library that the learner's code may call.
    mutates : bool
        Whether the learner's functions may change the arrays they are given.

    Attributes
    ----------
    calls : int
        How often the learner's code was entered from the check, and came back.
    trespasses : list of str
        What it did that it may not, in words; each once.
    last_call : str
        The last call from the check, as it would be typed.
    returned : object
        What the last call that came back gave.
    """

    def __init__(self, allow: tuple[str, ...] = (), mutates: bool = False) -> None:
        self.calls = 0
        self.trespasses: list[str] = []
        self.last_call = ""
        self.returned: Any = None
        self._results: deque[tuple[str, Any]] = deque(maxlen=_KEPT)
        self._allow = allow
        self._mutates = mutates
        self._depth = 0
        self._given: list[tuple[str, Any, Any]] = []
        self._quiet: FrameType | None = None
        self._before: Any = None
        self._outer: Watch | None = None

    def __enter__(self) -> Watch:
        global _active
        _listen()
        self._before, self._outer = sys.getprofile(), _active
        _active = self
        sys.setprofile(self._see)
        return self

    def __exit__(self, *_: object) -> None:
        global _active
        self._depth = 0
        _active = self._outer
        sys.setprofile(self._before)

    def note(self, trespass: str) -> None:
        """Remember what the learner's code may not do."""
        if trespass not in self.trespasses:
            self.trespasses.append(trespass)

    def call_of(self, result: object) -> str:
        """Return the call that gave this very object, or a tuple with it; empty if unknown."""
        for typed, came in reversed(self._results):
            if came is result or (isinstance(came, tuple) and any(part is result for part in came)):
                return str(typed)
        return ""

    @property
    def in_answer(self) -> bool:
        """Whether the learner's code runs right now, and not something of ours below it."""
        return self._depth > 0 and self._quiet is None

    def _see(self, frame: FrameType, event: str, argument: object) -> None:
        if self._quiet is not None:
            if event == "return" and frame is self._quiet:
                self._quiet = None
            return
        if event == "c_call":
            if self._depth and argument is _thread.start_new_thread and _is_theirs(frame):
                self.note("Your code started a thread.")
            return
        file = frame.f_code.co_filename
        if event == "call":
            if file.startswith(ANSWER):
                if self._depth == 0:
                    self._entered(frame)
                self._depth += 1
            elif self._depth:
                self._below(frame, file)
        elif event == "return" and file.startswith(ANSWER) and self._depth:
            self._depth -= 1
            if self._depth == 0:
                self._left(argument)

    def _below(self, frame: FrameType, file: str) -> None:
        # an earlier exercise's solution, or a function the check handed in, is not their doing
        if file.startswith((SOLUTION, CHECK)):
            self._quiet = frame
            return
        module = frame.f_globals.get("__name__", "")
        if not _inside(module):
            return
        if module.startswith(("tinyternary.course.judge", *self._allow)):
            self._quiet = frame
            return
        self.note(
            f"Your code called `{module}.{frame.f_code.co_qualname}`. "
            "The point is to write it yourself."
        )

    def _entered(self, frame: FrameType) -> None:
        code = frame.f_code
        count = code.co_argcount + code.co_kwonlyargcount
        names = code.co_varnames[:count]
        given = [(name, frame.f_locals[name]) for name in names if name in frame.f_locals]
        self.last_call = _as_typed(code.co_qualname, given)
        self._given = []
        if not self._mutates:
            self._given = [
                (name, value, value.copy())
                for name, value in given
                if isinstance(value, np.ndarray) and value.size <= _COPIED
            ]

    def _left(self, result: object) -> None:
        self.calls += 1
        self.returned = result
        self._results.append((self.last_call, result))
        for name, value, before in self._given:
            if value.dtype != object and not np.array_equal(
                value, before, equal_nan=_floats(value)
            ):
                self.note(
                    f"Your function changed the array `{name}` that it was given. Whoever called "
                    "it still needs that array: work on a copy."
                )
        self._given = []


_active: Watch | None = None
_listening = False
_REFUSED = {
    "sys.setprofile": "Your code turned off the report of what it calls.",
    "sys.settrace": "Your code turned on a trace of its own.",
    "subprocess.Popen": "Your code started another program.",
    "os.system": "Your code started another program.",
    "os.exec": "Your code started another program.",
    "os.fork": "Your code started another process.",
    "os.posix_spawn": "Your code started another program.",
    "gc.get_objects": "Your code searched the interpreter's objects.",
    "gc.get_referrers": "Your code searched the interpreter's objects.",
}


class Refused(RuntimeError):
    """Raised inside a learner's code by what it may not do."""


def _listen() -> None:
    global _listening
    if not _listening:
        sys.addaudithook(_audit)  # cannot be taken away again, by design
        _listening = True


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    watch = _active
    if watch is None or not watch.in_answer:
        return
    if event == "sys.setprofile" and _nearly_full():
        return  # the interpreter ends the report itself where there is no room to call it
    trespass = _REFUSED.get(event)
    if event == "open" and _is_source(arguments[0]) and not _importing():
        trespass = "Your code read a source file of the library or of a lesson."
    if trespass is not None:
        watch.note(trespass)
        raise Refused(trespass)


def _is_source(path: object) -> bool:
    if not isinstance(path, str | bytes):
        return False
    text = path.decode(errors="replace") if isinstance(path, bytes) else path
    return text.startswith(_PACKAGE) or any(
        part in ("lessons", "notebooks") for part in Path(text).parts[:-1]
    )


def _is_theirs(frame: FrameType) -> bool:
    """Whether a frame, or the one that called it, is the learner's (and not a library's below)."""
    return any(
        one is not None and one.f_code.co_filename.startswith(ANSWER)
        for one in (frame, frame.f_back)
    )


def _nearly_full() -> bool:
    """Whether the stack of calls is close to the interpreter's limit."""
    frame: FrameType | None = sys._getframe(1)
    depth = 0
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    return depth > sys.getrecursionlimit() - 100


def _importing() -> bool:
    frame: FrameType | None = sys._getframe(2)
    for _ in range(6):
        if frame is None:
            return False
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _as_typed(name: str, given: list[tuple[str, Any]]) -> str:
    shown = [f"{key}={_short(value)}" for key, value in given if key not in ("self", "cls")]
    return f"{name}({', '.join(shown)})"


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        if value.size > 12:
            return f"<{value.dtype} array {value.shape}>"
        plain = value.view(np.ndarray)  # to show a counted array is no load of the learner's
        text = np.array2string(plain, precision=4, separator=", ").replace("\n", "")
        return " ".join(text.split())
    try:
        text = repr(value)
    except Exception as error:  # a learner's own __repr__
        text = f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _floats(array: np.ndarray[Any, Any]) -> bool:
    return array.dtype.kind in "fc"


def _wrote(value: Any) -> str | None:
    """Name the cell that an object was made by, if it was one of ours or of the learner's."""
    for function in functions_of(value):
        file = function.__code__.co_filename
        if file.startswith((ANSWER, SOLUTION, CHECK)):
            return file
    return None


def _home(obj: Any) -> str:
    if isinstance(obj, ModuleType):
        return obj.__name__
    obj = getattr(obj, "py_func", obj)
    home = getattr(obj, "__module__", None)
    if home is None or home == "builtins":
        home = type(obj).__module__ if not isinstance(obj, type) else home
    return str(home)


def _inside(module: str) -> bool:
    return module == _LIBRARY or module.startswith(_LIBRARY + ".")


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a function's code and that of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _names_in(code: CodeType) -> Iterator[str]:
    """Names that the code looks up outside itself (attributes, such as `w.mean`, are none)."""
    for part in _codes(code):
        for step in dis.get_instructions(part):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF"):
                yield str(step.argval)
