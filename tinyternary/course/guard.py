"""Who ran: proof that a learner's own code was called, and that the library was not.

An exercise asks a learner to write what the library has already. Two looks tell
whether they did: the names that their function mentions, and the frames that
run while it is called.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator
from types import CodeType, FrameType, ModuleType
from typing import Any

_LIBRARY = "tinyternary"
_STAND_INS = "tinyternary.course.judging"
"""Where stand-ins are called: one for another exercise may be used, and the library in it."""


def is_library(obj: Any) -> bool:
    """Whether an object comes from tinyternary and not from a learner's cell."""
    return _inside(_home(obj))


def library_names(obj: Any, allow: tuple[str, ...] = ()) -> list[str]:
    """Names of the library that a function's own code mentions.

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
            cell = cells.get(name)
            value = function.__globals__.get(name) if cell is None else cell.cell_contents
            home = _home(value)
            if not _inside(home) or type(value).__module__ == _STAND_INS:
                continue
            whole = home == _LIBRARY and bool(allow)  # `tt` itself: the frames decide
            if not whole and not home.startswith(allow or ("\0",)):
                found.append(name)
    return found


def functions_of(obj: Any) -> list[Any]:
    """Return the Python functions that an object is made of: itself, or a class's methods."""
    obj = getattr(obj, "py_func", obj)  # a Numba dispatcher keeps what it compiled
    if isinstance(obj, type):
        parts = [getattr(part, "__func__", part) for part in vars(obj).values()]
        return [part for part in parts if hasattr(part, "__code__")]
    return [obj] if hasattr(obj, "__code__") else []


class Watch:
    """Context in which the frames of the library are noticed, and those of some codes counted.

    Parameters
    ----------
    own : tuple of code objects
        The learner's; `calls` counts how often they started.
    allow : tuple of str, optional
        Modules of the library that may run; ``None``: do not look.

    Attributes
    ----------
    calls : int
    library : list of str
        Functions of the library that ran, in order, each once.
    """

    def __init__(self, own: tuple[CodeType, ...], allow: tuple[str, ...] | None) -> None:
        self.calls = 0
        self.library: list[str] = []
        self._own = own
        self._allow = allow
        self._paused_at: FrameType | None = None
        self._before: Any = None

    def __enter__(self) -> Watch:
        self._before = sys.getprofile()
        sys.setprofile(self._see)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._before)

    def _see(self, frame: FrameType, event: str, _argument: object) -> None:
        if self._paused_at is not None:
            if event == "return" and frame is self._paused_at:
                self._paused_at = None
            return
        if event != "call" or frame.f_code is Watch.__exit__.__code__:
            return
        if frame.f_code in self._own:
            self.calls += 1
        if self._allow is None:
            return
        module = frame.f_globals.get("__name__", "")
        if not _inside(module):
            return
        # what runs inside a stand-in, or inside what this exercise may use, is not
        # the learner's doing
        if module.startswith((_STAND_INS, *self._allow)):
            self._paused_at = frame
            return
        name = f"{module}.{frame.f_code.co_qualname}"
        if name not in self.library:
            self.library.append(name)


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


_PRODUCTS = (
    "dot", "vdot", "inner", "outer", "matmul", "matvec", "vecmat", "einsum", "tensordot",
    "multiply", "prod", "convolve", "correlate", "mul",
)  # fmt: skip


def multiplications(obj: Any) -> list[str]:
    """Ways to multiply that a function's code contains: ``*``, ``@``, ``dot`` and the like."""
    found = []
    for function in functions_of(obj):
        for code in _codes(function.__code__):
            for step in dis.get_instructions(code):
                if step.opname == "BINARY_OP" and step.argrepr.rstrip("=") in ("*", "@", "**"):
                    found.append(step.argrepr)
            found += [name for name in code.co_names if name in _PRODUCTS]
    return found
