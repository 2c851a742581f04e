"""Whether there is a GPU that Numba can compile for."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def why_no_gpu() -> str:
    """Say why no kernel can run on a GPU, or an empty string if one can.

    Asked once: the answer loads the driver, and a process that has done so must not fork children
    that use the GPU.
    """
    try:
        from numba import cuda
    except ImportError:  # a release of Numba without its CUDA target
        return "Numba has no CUDA here: install numba-cuda"
    devices: Any = cuda
    return "" if devices.is_available() else "no CUDA GPU"
