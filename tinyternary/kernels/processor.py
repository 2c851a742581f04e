"""Which processor this is, without asking LLVM (lesson 08_packing_and_kernels)."""

from __future__ import annotations

import functools
import os
import sys

from tinyternary.kept_files import NotUsable
from tinyternary.kernels import _cpuid

_ASKS_NUMBA = (
    "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_ENABLE_AVX", "NUMBA_OPT", "NUMBA_BOUNDSCHECK",
    "NUMBA_DISABLE_JIT", "NUMBA_LOOP_VECTORIZE", "NUMBA_SLP_VECTORIZE",
)  # fmt: skip
_FIELDS = ("vendor_id", "cpu family", "model", "stepping", "flags")


def unknown() -> str:
    """Return why Numba has to be asked what to compile for; empty if the system is enough."""
    if sys.platform != "linux" or os.uname().machine != "x86_64" or sys.maxsize < 2**32:
        return "machine code is kept on 64-bit Linux on x86-64 only"
    for name in _ASKS_NUMBA:
        if name in os.environ:
            return f"{name} is set"
    if os.path.exists(".numba_config.yaml"):
        return "there is a .numba_config.yaml"
    return "" if "flags" in described() else "/proc/cpuinfo does not describe the processor"


@functools.cache
def described() -> dict[str, str]:
    """Return vendor, family, model, stepping and flags of the first processor."""
    found: dict[str, str] = {}
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            for line in file:
                name, colon, value = line.partition(":")
                if not colon:
                    break  # an empty line ends the first processor
                if name.strip() in _FIELDS:
                    found[name.strip()] = value.strip()
    except OSError:
        return {}
    return found


def features() -> frozenset[str] | None:
    """Return what of `_cpuid.FEATURES` this processor has; None where Numba must say."""
    if unknown():
        return None
    try:
        return _cpuid.features()
    except NotUsable:  # no code may be run but the compiler's, which then has to say
        return None
