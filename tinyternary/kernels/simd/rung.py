"""A target's kernels behind the interface that every rung of the ladder has (lesson 08).

The top of the ladder. Per multiply-accumulate: 1/64 dot-product instruction and 0.25 bytes
of weights divided by the rows of a tile; so the dot-product unit is the limit, twice 64 MAC
per cycle where two of them are 512 bits wide.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from tinyternary.kernels.simd import driver
from tinyternary.kernels.simd.layout import interleave
from tinyternary.kernels.simd.targets import TARGETS, Target

ACTIVATION_NUMBERS = {None: 0, "gelu": driver.GELU, "relu": driver.RELU}


class SimdRung:
    """``prepare``, ``matmul`` and the fused ``linear`` of one target."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.outputs = target.outputs
        self._matmul = driver.matmul_kernel(target)
        self.linear_kernel = driver.linear_kernel(target)

    def prepare(self, trits: NDArray[np.int8]) -> NDArray[np.uint8]:
        """Interleave the codes for this target: the same 2 bits a trit, padded to whole blocks."""
        return interleave(trits, self.target)

    def matmul(
        self, x: NDArray[np.int8], layout: NDArray[np.uint8], out: NDArray[np.int32]
    ) -> None:
        """Fill ``out`` (M, N) int32 with the product of x (M, K) int8 and W (N, K)."""
        self._matmul(x, layout, out)


@functools.cache
def rung(name: str) -> SimdRung:
    """Return the rung of the target called ``name``."""
    return SimdRung(next(target for target in TARGETS if target.name == name))
