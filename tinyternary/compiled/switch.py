"""One switch and one decorator for everything that Numba compiles.

``TINYTERNARY_JIT=0`` turns compilation off, and so does a Python without Numba, as in a
browser. ``njit`` below is ``numba.njit``
with the project's defaults: compiled code is cached on disk, an edit of any file
that it was made with makes it anew, and a cache folder that cannot be written
costs compile time and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any, TypeVar

from tinyternary.compiled.source_files import fingerprint

F = TypeVar("F", bound=Callable[..., Any])


def jit_enabled() -> bool:
    """Whether compiled kernels may be used."""
    return not why_not()


def why_not() -> str:
    """Say why nothing is compiled, or an empty string if something is."""
    if os.environ.get("TINYTERNARY_JIT", "1") == "0":
        return "TINYTERNARY_JIT is 0"
    return "" if _numba_found() else "Numba is not installed"


@cache
def _numba_found() -> bool:
    return find_spec("numba") is not None  # finds it without loading it


def njit(**options: Any) -> Callable[[F], F]:
    """Return ``numba.njit(cache=True, nogil=True, **options)`` as a decorator.

    Options are Numba's; with ``signature_or_function`` the function is compiled at once.
    Where no folder for the cache can be written, it is compiled anew in each process.
    Where nothing is compiled the function is left as it is.
    """
    if not jit_enabled():
        return lambda function: function

    import numba

    settings = {"cache": True, "nogil": True, "error_model": "numpy", **options}
    signature, kept = settings.pop("signature_or_function", None), settings.pop("cache")

    def decorate(function: F) -> F:
        compiled: Any = numba.njit(**settings)(function)
        if compiled is function:  # NUMBA_DISABLE_JIT
            return function
        if kept:
            _keep(compiled)
        if signature is not None:
            compiled.compile(signature)
            compiled.disable_compile()
        kernel: F = compiled
        return kernel

    return decorate


def _keep(compiled: Any) -> None:
    """Cache a dispatcher's code on disk, as its ``enable_caching`` does, where that can be."""
    try:
        compiled._cache = _cache_class()(compiled.py_func)
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise


@cache
def _cache_class() -> Any:
    from numba.core.caching import FunctionCache

    class WatchingCache(FunctionCache):
        """Numba's cache; it watches all files of `source_files`, not only the function's."""

        def _index_key(self, *what: Any) -> Any:
            return (*super()._index_key(*what), fingerprint())

    return WatchingCache
