"""A target's kernels behind the interface that every rung of the ladder has (lesson 08).

The top of the ladder. Per multiply-accumulate: 1/64 dot-product instruction and 0.25 bytes
of weights divided by the rows of a tile; so the dot-product unit is the limit. Two 512-bit ones
(Zen 5) do 128 MAC per cycle, and 124 were reached (M, K, N = 64, 512, 2048, one thread); 55
of 64 on 256 bits, 46 with pairs in 16 bits (AVX2), 15 in portable vector IR, which is what
float BLAS does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled.threads import BY_ONE
from tinyternary.config.grid import MOST
from tinyternary.errors import ShapeError
from tinyternary.kernels.packed import PackedTernary
from tinyternary.kernels.simd import driver, epilogue, group_driver, lookup_driver
from tinyternary.kernels.simd.group_driver import spread
from tinyternary.kernels.simd.layout import BLOCK, interleave
from tinyternary.kernels.simd.lookup import ROWS
from tinyternary.kernels.simd.plan import Plan, columns
from tinyternary.kernels.simd.targets import AVX512, LOOKUP7, TARGETS, Target


class SimdRung:
    """``prepare``, ``matmul`` and the fused layer of one target."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.rows = ROWS if target is LOOKUP7 else target.rows
        """Height of a tile: threads take rows in multiples of it."""

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
        if most < MOST["int8"] and x.size and (x.min() < -most or x.max() > most):
            raise ShapeError(
                f"kernel {self.target.name!r} takes activations of -{most}..{most}, "
                f"got {x.min()}..{x.max()}"
            )
        plan = Plan((out.shape[1], x.shape[1]), layout)
        self._kernel(floats=False)(plan.address, tickets or BY_ONE, x, out)

    def plan(
        self,
        packed: PackedTernary,
        scales: NDArray[np.float32],
        biases: NDArray[np.float32],
        activation: str | None,
        alone: int,
    ) -> Plan:
        """Return what `layer_kernel` takes first; scales (N,) or (N, G), biases (N,) float32."""
        name = AVX512.name if self.target is LOOKUP7 else self.target.name
        groups = 1 if scales.ndim == 1 else scales.shape[1]
        if packed.shape[1] // groups % BLOCK == 0:  # groups are whole blocks as they are
            layout = packed.layout(name, self.prepare)
        else:
            layout = packed.layout(
                f"{name}, {groups} groups", lambda trits: self.prepare(spread(trits, groups))
            )
        filled = columns(scales.T, biases, layout.shape[0] * self.target.outputs)
        return Plan(packed.shape, layout, filled, epilogue.NUMBERS[activation], alone, groups)

    def layer_kernel(self, groups: int = 1) -> Callable[..., int]:
        """Return compiled ``run(plan, tickets, x, out) -> status`` for float32."""
        if groups > 1:
            return group_driver.kernel(self.target)
        return self._kernel(floats=True)

    def _kernel(self, floats: bool) -> Callable[..., int]:
        if self.target is LOOKUP7:
            return lookup_driver.kernel(floats)
        return driver.kernel(self.target, floats)


@functools.cache
def rung(name: str) -> SimdRung:
    """Return the rung of the target called ``name``."""
    return SimdRung(next(target for target in TARGETS if target.name == name))
