"""What this processor can do, read from the system instead of asked of LLVM (lesson 08).

Loading LLVM to ask costs 40 MB. Linux lists the same bits, those of the CPUID instruction, in
``/proc/cpuinfo``, and leaves out what it has not switched on, as LLVM does.
"""

from __future__ import annotations

import functools
import os
import sys

NAMES = {
    "avx2": "avx2",
    "avx_vnni": "avxvnni",
    "avx512bw": "avx512bw",
    "avx512vl": "avx512vl",
    "avx512_vnni": "avx512vnni",
    "avx512vbmi": "avx512vbmi",
}
"""The system's names of what kernels here ask for, and LLVM's."""

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
    """Return what of `NAMES` this processor has, by LLVM's names; None where Numba must say."""
    if unknown():
        return None
    flags = described()["flags"].split()
    return frozenset(NAMES[flag] for flag in flags if flag in NAMES)
