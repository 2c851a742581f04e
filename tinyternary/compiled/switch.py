"""One switch and one decorator for everything that Numba compiles.

``TINYTERNARY_JIT=0`` turns compilation off, and so do Numba's own ``NUMBA_DISABLE_JIT=1`` and a
Python without Numba, as in a browser. ``njit`` below is ``numba.njit`` with the project's
defaults: compiled code is kept in files (`kept_loops`), an edit of any file that it was made with
makes it anew, and a folder that cannot be written costs compile time and nothing else.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any, TypeVar

from tinyternary.kept_files import NotUsable

F = TypeVar("F", bound=Callable[..., Any])


def environment(name: str) -> str | None:
    """Return an environment variable as it is now, None where it is not set.

    What ``os.environ.get`` says. For a name that is not set that raises and catches an exception,
    a microsecond each time, and a small product takes two.
    """
    held = getattr(os.environ, "_data", None)  # CPython's dictionary behind it
    if held is not None and _as_held(name) not in held:
        return None
    return os.environ.get(name)


@cache
def _as_held(name: str) -> Any:
    return os.environ.encodekey(name)


def jit_enabled() -> bool:
    """Whether compiled kernels may be used."""
    return not why_not()


def why_not() -> str:
    """Say why nothing is compiled, or an empty string if something is."""
    if environment("TINYTERNARY_JIT") == "0":
        return "TINYTERNARY_JIT is 0"
    if _numba_is_off():
        return "NUMBA_DISABLE_JIT is set"
    return "" if _numba_found() else "Numba is not installed"


@cache
def _numba_found() -> bool:
    return find_spec("numba") is not None  # finds it without loading it


def _numba_is_off() -> bool:
    """Whether Numba is told to compile nothing; it reads a number, and ignores anything else."""
    try:
        return int(environment("NUMBA_DISABLE_JIT") or 0) != 0
    except ValueError:
        return False


def njit(**options: Any) -> Callable[[F], F]:
    """Return ``numba.njit(cache=True, nogil=True, **options)`` as a decorator.

    Options are Numba's; with ``signature_or_function`` the function is compiled at once, by one
    process at a time. Where no file can be kept, it is compiled anew in each process.
    Where nothing is compiled the function is left as it is.
    """
    if not jit_enabled():
        return lambda function: function

    import numba

    settings = {"cache": True, "nogil": True, "error_model": "numpy", **options}
    signature, kept = settings.pop("signature_or_function", None), settings.pop("cache")
    nothing = contextlib.nullcontext()

    def decorate(function: F) -> F:
        compiled: Any = numba.njit(**settings)(function)
        loops = _keep(compiled) if kept else None
        if signature is not None:
            alone = loops.one_maker(signature, compiled.targetctx) if loops else nothing
            with alone:
                compiled.compile(signature)
            compiled.disable_compile()
        kernel: F = compiled
        return kernel

    return decorate


def _keep(compiled: Any) -> Any:
    """Keep a dispatcher's code in files, as its ``enable_caching`` does; None if it cannot be."""
    from tinyternary.compiled.kept_loops import KeptLoops

    try:
        compiled._cache = KeptLoops(compiled.py_func)
    except NotUsable:
        return None
    return compiled._cache
