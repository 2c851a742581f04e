"""One switch and one decorator for everything that Numba compiles.

``TINYTERNARY_JIT=0`` turns compilation off. ``njit`` below is ``numba.njit``
with the project's defaults: compiled code is cached on disk, and a cache folder
that cannot be written costs compile time and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def jit_enabled() -> bool:
    """Whether compiled kernels may be used (``TINYTERNARY_JIT`` is not ``0``)."""
    return os.environ.get("TINYTERNARY_JIT", "1") != "0"


def njit(**options: Any) -> Callable[[F], F]:
    """Return ``numba.njit(cache=True, nogil=True, **options)`` as a decorator.

    Where no folder for the cache can be written, the function is compiled anew
    in each process. With ``TINYTERNARY_JIT=0`` the function is left as it is.
    """
    if not jit_enabled():
        return lambda function: function

    import numba

    settings = {"cache": True, "nogil": True, "error_model": "numpy", **options}

    def decorate(function: F) -> F:
        try:
            return numba.njit(**settings)(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            return numba.njit(**{**settings, "cache": False})(function)

    return decorate
