"""Which kernels exist, which of them this processor can run, and which one to take.

`backends()` lists the ladder, `choose` picks a rung: the one asked for by the caller, by
``TINYTERNARY_KERNEL``, or the fastest that runs here. (lesson 08_packing_and_kernels)
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from types import ModuleType

from tinyternary.errors import ConfigError, unknown_name
from tinyternary.jit.switch import jit_enabled


@dataclass(frozen=True)
class Backend:
    """One rung of the ladder.

    Attributes
    ----------
    name : str
        What ``backend=`` and ``TINYTERNARY_KERNEL`` take.
    summary : str
        One line: how it computes.
    module : str
        Where it lives.
    compiled : bool
        Whether it needs Numba.
    """

    name: str
    summary: str
    module: str
    compiled: bool = True

    @property
    def available(self) -> bool:
        """Whether this process on this processor can run it."""
        return jit_enabled() or not self.compiled

    def load(self) -> ModuleType:
        """Import and return the module with ``prepare`` and ``matmul``."""
        return importlib.import_module(self.module)


_LADDER = "tinyternary.kernels.ladder"

BACKENDS: tuple[Backend, ...] = (
    Backend("blas", "NumPy float BLAS on unpacked trits", f"{_LADDER}.blas", compiled=False),
    Backend("tile", "trits unpacked to int8, loop vectorised by the compiler", f"{_LADDER}.tile"),
)
_BY_NAME = {backend.name: backend for backend in BACKENDS}
_PREFERENCE = ("tile", "blas")


def backends() -> list[Backend]:
    """Return the ladder, slowest rung first; ``.available`` says what can run here."""
    return list(BACKENDS)


def choose(name: str = "auto") -> Backend:
    """Return the backend called ``name``, or the fastest one available for ``"auto"``.

    Raises
    ------
    ConfigError
        If there is no such backend, or it cannot run here.
    """
    asked = name
    if name == "auto":
        asked = os.environ.get("TINYTERNARY_KERNEL", "auto")
    if asked == "auto":
        return next(_BY_NAME[best] for best in _PREFERENCE if _BY_NAME[best].available)
    if asked not in _BY_NAME:
        raise unknown_name("kernel backend", asked, ["auto", *_BY_NAME])
    backend = _BY_NAME[asked]
    if not backend.available:
        raise ConfigError(f"kernel backend {asked!r} cannot run here: TINYTERNARY_JIT is 0")
    return backend
