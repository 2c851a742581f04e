"""Which kernels exist, which of them this processor can run, and which one to take.

A backend is one way to compute the product; its name is what ``backend=`` and the environment's
``TINYTERNARY_KERNEL`` take. A rung is a backend seen by its place on the ladder. `backends()` lists
them, `choose` picks one: the one asked for by the caller, by the environment, or the fastest that
runs here. (lesson 08_packing_and_kernels)
"""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled.switch import environment, jit_enabled, why_not
from tinyternary.errors import ConfigError, unknown_name
from tinyternary.kernels import processor


class Rung(Protocol):
    """What every rung offers, be it a module or an object."""

    def prepare(self, trits: NDArray[np.int8]) -> Any:
        """Lay a ternary matrix (N, K) out for this rung."""

    def matmul(self, x: NDArray[np.int8], layout: Any, out: NDArray[np.int32]) -> None:
        """Fill ``out`` (M, N) int32 with x (M, K) int8 times W transposed."""


@dataclass(frozen=True)
class Backend:
    """One rung of the ladder.

    Attributes
    ----------
    name : str
        What ``backend=`` and ``TINYTERNARY_KERNEL`` take, and the rung's file in `ladder`.
    summary : str
        One line: how it computes.
    needs : tuple of str
        Processor features that it needs, by LLVM's names.
    compiled : bool
        Whether it needs Numba.
    simd : bool
        Whether it is one of the vector-instruction paths of `tinyternary.kernels.simd`.
    activations : {"int8", "int7", "ternary"}
        Which activations it takes: any int8, -63..63, or trits.
    gpu : bool
        Whether it runs on a graphics processor; "auto" never takes such a one.
    """

    name: str
    summary: str
    needs: tuple[str, ...] = ()
    compiled: bool = True
    simd: bool = False
    activations: str = "int8"
    gpu: bool = False

    @property
    def layout(self) -> str:
        """Name of the layout that it reads; the 7-bit kernel shares that of the 8-bit one."""
        return "avx512" if self.name == "lookup7" else self.name

    @property
    def fused(self) -> bool:
        """Whether a whole layer is one compiled call, which threads can share."""
        return self.simd or self.activations == "ternary"

    @property
    def missing(self) -> str:
        """Why it cannot run here, or an empty string if it can."""
        if self.compiled and not jit_enabled():
            return why_not()
        if self.gpu:
            from tinyternary.kernels.cuda.devices import why_no_gpu

            return why_no_gpu()
        absent = sorted(set(self.needs) - _features()) if self.needs else []
        return f"this processor lacks {', '.join(absent)}" if absent else ""

    @property
    def available(self) -> bool:
        """Whether this process on this processor can run it."""
        return not self.missing

    def load(self) -> Rung:
        """Import and return the rung: ``prepare`` and ``matmul``."""
        module: Any = importlib.import_module(f"tinyternary.kernels.ladder.{self.name}")
        found: Rung = getattr(module, "rung", module)
        return found


@functools.cache
def _features() -> frozenset[str]:
    known = processor.features()
    if known is not None:
        return known
    # loads Numba, which alone knows what it has been told to compile for
    from tinyternary.kernels.simd.targets import cpu_features

    return cpu_features()


BACKENDS: tuple[Backend, ...] = (
    Backend("naive", "loops over trits: add, subtract, skip"),
    Backend("packed", "loops over 2-bit codes"),
    Backend("lookup", "tables of sums that pairs of trits index"),
    Backend("tile", "rows unpacked to int8, loop vectorised by the compiler"),
    Backend("blas", "NumPy float BLAS on unpacked trits: no compiler needed", compiled=False),
    Backend("vector", "portable vector IR: runs on any processor", simd=True),
    Backend("planes", "bit planes of weights and activations, popcount"),
    Backend("neon", "Arm: sdot, 128 bits", ("neon", "dotprod"), simd=True),
    Backend("avx2", "x86: pair sums in 16 bits, 256 bits", ("avx2",), simd=True),
    Backend("avxvnni", "x86: vpdpbusd, 256 bits", ("avxvnni", "avx2"), simd=True),
    Backend(
        "five",
        "x86: five trits a byte, vpermi2b, vpdpbusd, 512 bits",
        ("avx512vnni", "avx512bw", "avx512vl", "avx512vbmi"),
        simd=True,
    ),
    Backend("avx512", "x86: vpdpbusd, 512 bits", ("avx512vnni", "avx512bw", "avx512vl"), simd=True),
    Backend(
        "lookup7",
        "x86: 7-bit activations, tables in registers, vpermb",
        ("avx512vnni", "avx512bw", "avx512vl", "avx512vbmi"),
        simd=True,
        activations="int7",
    ),
    Backend("ternary", "ternary activations: AND, XOR, popcount on planes", activations="ternary"),
    Backend("cuda", "a CUDA GPU: two rows in one 32-bit multiplication", gpu=True),
)
_BY_NAME = {backend.name: backend for backend in BACKENDS}
_PREFERENCE = ("avx512", "avxvnni", "avx2", "neon", "vector", "blas")


def backends() -> list[Backend]:
    """Return the ladder, slowest rung first; ``.available`` says what can run here.

    Examples
    --------
    >>> [backend.name for backend in tt.kernels.backends()][:2]
    ['naive', 'packed']
    """
    return list(BACKENDS)


def choose(name: str = "auto") -> Backend:
    """Return the backend called ``name``, or the fastest one available for ``"auto"``.

    Raises
    ------
    ConfigError
        If there is no such backend, or it cannot run here.
    """
    asked = environment("TINYTERNARY_KERNEL") if name == "auto" else name
    if asked is None or asked == "auto":
        return _fastest(jit_enabled())
    if asked not in _BY_NAME:
        raise unknown_name("kernel backend", asked, ["auto", *_BY_NAME])
    backend = _BY_NAME[asked]
    if not backend.available:
        raise ConfigError(f"kernel backend {asked!r} cannot run here: {backend.missing}")
    return backend


@functools.cache
def _fastest(compiled: bool) -> Backend:
    del compiled  # only makes the answer depend on the switch
    return next(_BY_NAME[best] for best in _PREFERENCE if _BY_NAME[best].available)


def fastest_for(inputs: str) -> str:
    """Return the name of the fastest available backend for "int7" or "ternary" activations.

    Seven bits and trits are int8 too: where nothing special is available, "auto" serves.
    """
    special = [b.name for b in BACKENDS if b.activations == inputs and b.available]
    return special[-1] if special else "auto"
