"""Compiling ahead of the first result (lesson 08_packing_and_kernels)."""

from __future__ import annotations

import time

import numpy as np

from tinyternary.kernels import dispatch


def warmup() -> dict[str, float]:
    """Compile, or load from the cache, the kernels that `matmul` and `linear` take here.

    Also find out which plan suits this processor (`tinyternary.kernels.simd.plans`).

    Returns
    -------
    dict
        Seconds by function, and for the plan. With ``TINYTERNARY_JIT=0`` there is nothing to do.
    """
    from tinyternary.kernels.api import matmul
    from tinyternary.kernels.layer import TernaryLinear
    from tinyternary.kernels.packed_ternary import pack

    packed = pack(np.ones((1, 1), dtype=np.int8))
    seconds = {}
    start = time.perf_counter()
    TernaryLinear(packed, 1.0)(np.ones((1, 1), dtype=np.float32))
    seconds["linear"] = time.perf_counter() - start
    start = time.perf_counter()
    matmul(np.ones((1, 1), dtype=np.int8), packed)
    seconds["matmul"] = time.perf_counter() - start
    backend = dispatch.choose()
    if backend.simd:
        from tinyternary.kernels.simd import plans

        start = time.perf_counter()
        plans.probe(backend.name)
        seconds["plan"] = time.perf_counter() - start
    return seconds
