"""A micro-kernel behind the interface that every rung of the ladder has (lesson 08)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled.threads import BY_ONE
from tinyternary.config.grid import MOST
from tinyternary.errors import ShapeError
from tinyternary.kernels.packed_ternary import PackedTernary
from tinyternary.kernels.simd import driver, epilogue, five, plans, tables_driver
from tinyternary.kernels.simd.intrinsics import FLOATS, GROUPED, INTEGERS
from tinyternary.kernels.simd.layout import BLOCK, spread
from tinyternary.kernels.simd.micro_kernels import MICRO_KERNELS
from tinyternary.kernels.simd.record import Record, columns
from tinyternary.kernels.simd.tables import ROWS
from tinyternary.kernels.simd.targets import AVX512, FIVE, LOOKUP7, Target


class SimdRung:
    """``prepare``, ``matmul`` and the fused layer of one micro-kernel."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.rows = {LOOKUP7: ROWS, FIVE: five.ROWS}.get(target, target.rows)
        """Height of a tile, or more: threads take rows in multiples of it."""

    def prepare(self, trits: NDArray[np.int8]) -> NDArray[np.uint8]:
        """Lay trits (N, K) out for this micro-kernel, filled up to whole blocks."""
        layout: NDArray[np.uint8] = MICRO_KERNELS[self.target.index].prepare(trits, self.target)
        return layout

    def matmul(
        self,
        x: NDArray[np.int8],
        layout: NDArray[np.uint8],
        out: NDArray[np.int32],
        counters: int = 0,
    ) -> None:
        """Fill ``out`` (M, N) int32 with the product of x (M, K) int8 and W (N, K).

        Raises
        ------
        ShapeError
            If an activation is larger than this micro-kernel takes.
        """
        self._product((out.shape[1], x.shape[1]), layout)(counters, x, out)

    def product(self, packed: PackedTernary) -> Callable[[int, Any, Any], None]:
        """Return ``run(counters, x, out)`` that does what `matmul` does, made ready once."""
        name = AVX512.name if self.target is LOOKUP7 else self.target.name
        return self._product(packed.shape, packed.layout(name, self.prepare))

    def _product(
        self, shape: tuple[int, int], layout: NDArray[np.uint8]
    ) -> Callable[[int, Any, Any], None]:
        record = Record(shape, layout, unpack_from=plans.unpack_from(self.target))
        kernel, most = self._kernel(INTEGERS), self.target.most

        def run(counters: int, x: NDArray[np.int8], out: NDArray[np.int32]) -> None:
            if most < MOST["int8"] and x.size and (x.min() < -most or x.max() > most):
                raise ShapeError(
                    f"kernel {self.target.name!r} takes activations of -{most}..{most}, "
                    f"got {x.min()}..{x.max()}"
                )
            kernel(record.address, counters or BY_ONE, x, out)

        return run

    def record(
        self,
        packed: PackedTernary,
        scales: NDArray[np.float32],
        biases: NDArray[np.float32],
        activation: str | None,
        alone: int,
    ) -> Record:
        """Return what `layer_kernel` takes first; scales (N,) or (N, G), biases (N,) float32."""
        name = AVX512.name if self.target is LOOKUP7 else self.target.name
        groups = 1 if scales.ndim == 1 else scales.shape[1]
        if groups == 1 or packed.shape[1] // groups % BLOCK == 0:  # whole blocks as they are
            layout = packed.layout(name, self.prepare)
        else:
            layout = packed.layout(
                f"{name}, {groups} groups", lambda trits: self.prepare(spread(trits, groups))
            )
        filled = columns(scales.T, biases, layout.shape[0] * self.target.outputs)
        return Record(
            packed.shape, layout, filled, epilogue.NUMBERS[activation], alone, groups,
            plans.unpack_from(self.target),
        )  # fmt: skip

    def layer_kernel(self, groups: int = 1) -> Callable[..., int]:
        """Return compiled ``run(record, counters, x, out) -> status`` for float32."""
        return self._kernel(FLOATS) if groups == 1 else driver.kernel(self.target, GROUPED)

    def _kernel(self, kind: int) -> Callable[..., int]:
        if self.target is LOOKUP7:
            return tables_driver.kernel(kind)
        return driver.kernel(self.target, kind)
