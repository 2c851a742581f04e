"""A target's kernels behind the interface that every rung of the ladder has (lesson 08).

The top of the ladder. Per multiply-accumulate: 1/64 dot-product instruction and 0.25 bytes
of weights divided by the rows of a tile; so the dot-product unit is the limit. Two 512-bit ones
(Zen 5) do 128 MAC per cycle, and 121 were reached (M, K, N = 64, 512, 2048, one thread); 55
of 64 on 256 bits, 46 with pairs in 16 bits (AVX2), 15 in portable vector IR, which is what
float BLAS does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tinyternary.errors import ShapeError
from tinyternary.kernels.simd import driver, epilogue
from tinyternary.kernels.simd.layout import interleave
from tinyternary.kernels.simd.targets import TARGETS, Target

ACTIVATION_NUMBERS = {None: 0, "gelu": epilogue.GELU, "relu": epilogue.RELU}


class SimdRung:
    """``prepare``, ``matmul`` and the fused ``linear_kernel`` of one target."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def prepare(self, trits: NDArray[np.int8]) -> NDArray[np.uint8]:
        """Interleave the codes for this target: still 2 bits a trit, filled up to whole blocks."""
        return interleave(trits, self.target)

    def matmul(
        self,
        x: NDArray[np.int8],
        layout: NDArray[np.uint8],
        out: NDArray[np.int32],
        tickets: int = 0,
    ) -> None:
        """Fill ``out`` (M, N) int32 with the product of x (M, K) int8 and W (N, K)."""
        most = self.target.most
        if most < 127 and x.size and (x.min() < -most or x.max() > most):
            raise ShapeError(
                f"kernel {self.target.name!r} takes activations of -{most}..{most}, "
                f"got {x.min()}..{x.max()}"
            )
        driver.matmul_kernel(self.target)(layout, x.shape[1], out.shape[1], tickets, x, out)

    @property
    def linear_kernel(self) -> Callable[..., int]:
        """Compiled ``linear(weights, columns, facts, tickets, x, out) -> status``."""
        return driver.linear_kernel(self.target)

    def columns(
        self, scales: NDArray[np.float32], biases: NDArray[np.float32], blocks: int
    ) -> NDArray[np.float32]:
        """Scales and biases (N,) as the kernel reads them: (2, N filled up to whole blocks)."""
        both = np.zeros((2, blocks * self.target.outputs), dtype=np.float32)
        both[0, : scales.size], both[1, : biases.size] = scales, biases
        return both


@functools.cache
def rung(name: str) -> SimdRung:
    """Return the rung of the target called ``name``."""
    return SimdRung(next(target for target in TARGETS if target.name == name))
