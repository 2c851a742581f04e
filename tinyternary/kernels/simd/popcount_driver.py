"""Loops around the counting kernel: ternary activations times ternary weights (lesson 08).

As in `driver`, a layer is one compiled call: threshold and scale, planes of bits, counts, rescale,
bias and activation; neither planes nor int32 sums of the whole input ever reach memory.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from tinyternary.compiled.switch import njit
from tinyternary.compiled.threads import BY_ONE, DONE, NEXT, STEP
from tinyternary.errors import ShapeError
from tinyternary.kernels.packed import PackedTernary
from tinyternary.kernels.simd import epilogue, popcount
from tinyternary.kernels.simd.driver import (
    CHUNK_BYTES,
    FLOATS,
    INTEGERS,
    REFUSED,
    TOO_MUCH,
    checksum,
)
from tinyternary.kernels.simd.intrinsics import (
    INDEX,
    NOTES,
    Call,
    address,
    draw,
    emitted,
    fact,
    intrinsic,
    move,
    release,
    reserve,
)
from tinyternary.kernels.simd.plan import (
    ACTIVATION,
    ALONE,
    BLOCKS,
    COLUMNS,
    INPUTS,
    OUTPUTS,
    PANELS,
    WEIGHTS,
    Plan,
    columns,
)
from tinyternary.kernels.simd.plan import STEP as COLUMN_STEP
from tinyternary.kernels.simd.targets import F32, I64
from tinyternary.kernels.simd.tile import at

ROWS = popcount.ROWS
"""Height of a tile: threads take rows in multiples of it."""
_OUTPUTS, _PLANES = popcount.OUTPUTS, popcount.PLANES


@intrinsic
def _split(typingctx: Any, key: Any, floats: Any, x: Any, k: Any, planes: Any, notes: Any) -> Any:
    """Split a row into planes: trits as they are, floats by the rule, noting their scale."""

    def emit(call: Call) -> None:
        builder, x, k, planes = call.builder, call.pointer(2), call.scalar(3), call.pointer(4)
        if not call.literal(1):
            popcount.emit_planes(builder, x, k, planes)
            return
        scale = popcount.emit_quantize(builder, x, k, planes)
        builder.store(scale, at(builder, call.pointer(5), 0, F32)).align = 4

    return emitted(emit, key, floats, *[INDEX] * 4)


@intrinsic
def _count(
    typingctx: Any, key: Any, floats: Any, height: Any, x: Any, wide: Any, weights: Any,
    words: Any, notes: Any, place: Any, stride: Any, scales: Any, biases: Any, activation: Any,
) -> Any:  # fmt: skip
    """Store a tile of ``height`` rows as `intrinsics.tile` does."""

    def emit(call: Call) -> None:
        builder = call.builder
        one = builder.icmp_signed("==", call.scalar(2), ir.Constant(I64, 1))
        with builder.if_else(one) as (single, whole):
            with single:
                emit_rows(call, 1)
            with whole:
                emit_rows(call, ROWS)

    def emit_rows(call: Call, rows: int) -> None:
        builder, target = call.builder, popcount.TILE
        sums = popcount.emit_counts(
            builder, rows, call.pointer(3), call.scalar(4), call.pointer(5), call.scalar(6)
        )
        place, stride = call.pointer(8), call.scalar(9)
        if not call.literal(1):
            epilogue.store_integers(builder, target, sums, place, stride)
            return
        row_scales, _ = call.notes(7, rows)
        scales, biases = call.pointer(10), call.pointer(11)
        epilogue.store_floats(builder, target, sums, row_scales, scales, biases, place, stride)
        epilogue.activate(builder, target, call.scalar(12), place, stride, rows)

    return emitted(emit, key, floats, *[INDEX] * 11)


@functools.cache
def kernel(floats: bool) -> Callable[..., int]:
    """Return ``run(plan, tickets, x, out) -> status``, compiled, as `driver.kernel` does."""
    key = 16 * checksum()
    kind = 1 if floats else 0

    @njit(signature_or_function=FLOATS if floats else INTEGERS)
    def run(plan: int, tickets: int, x: Any, out: Any) -> int:
        m, k, n = x.shape[0], fact(plan, INPUTS), fact(plan, OUTPUTS)
        if x.shape[1] != k or out.shape[0] != m or out.shape[1] != n:
            return REFUSED
        if tickets == 0 and m >= fact(plan, ALONE):
            return TOO_MUCH
        words, panels, weights = fact(plan, BLOCKS), fact(plan, PANELS), fact(plan, WEIGHTS)
        scales, activation = fact(plan, COLUMNS), fact(plan, ACTIVATION)
        biases, wide, size = scales + fact(plan, COLUMN_STEP), _PLANES * words, 4 if floats else 1
        panel_bytes = 16 * _OUTPUTS * words
        step = max(ROWS, CHUNK_BYTES // wide // ROWS * ROWS)
        most = min(m, step)
        room = most * (wide + NOTES) + ROWS * _OUTPUTS * 4
        planes, source, sink = reserve(room), address(x), address(out)
        notes = planes + most * wide
        edge = notes + most * NOTES  # where tiles that stick out go
        if tickets > 0:
            step = min(step, draw(tickets, STEP, 0))
        first = 0
        while first < m:
            if tickets > 0:
                first = draw(tickets, NEXT, step)
                if first >= m:
                    break
            count = min(step, m - first)
            for row in range(count):
                _split(key, kind, source + size * (first + row) * k, k, planes + row * wide,
                       notes + row * NOTES)  # fmt: skip
            height = ROWS if count >= ROWS else 1
            for panel in range(panels):
                column = panel * _OUTPUTS
                fits = column + _OUTPUTS <= n
                for number in range(-(-count // height)):
                    row = min(number * height, count - height)  # the last may overlap
                    home = sink + 4 * ((first + row) * n + column)
                    stride = 4 * n if fits else 4 * _OUTPUTS
                    _count(key, kind, height, planes + row * wide, wide,
                           weights + panel * panel_bytes, words, notes + row * NOTES,
                           home if fits else edge, stride, scales + 4 * column,
                           biases + 4 * column, activation)  # fmt: skip
                    if not fits:
                        move(4 * (n - column), edge, stride, home, 4 * n, height)
            if tickets > 0:
                draw(tickets, DONE, count)
            else:
                first += step
        release(planes, room)
        return 0

    return run


def matmul(
    x: NDArray[np.int8], layout: NDArray[np.uint64], out: NDArray[np.int32], tickets: int = 0
) -> None:
    """Fill ``out`` (M, N) int32 with x (M, K) times W transposed; x must be trits.

    Raises
    ------
    ShapeError
        If ``x`` holds anything but -1, 0 and +1.
    """
    if x.size and (x.min() < -1 or x.max() > 1):
        raise ShapeError(
            f"the ternary kernel takes activations of -1, 0 and +1, got {x.min()}..{x.max()}"
        )
    plan = Plan((out.shape[1], x.shape[1]), layout)
    kernel(floats=False)(plan.address, tickets or BY_ONE, x, out)


def plan(
    packed: PackedTernary,
    scales: NDArray[np.float32],
    biases: NDArray[np.float32],
    activation: str | None,
    alone: int,
) -> Plan:
    """Return what `layer_kernel` takes first; scales (N,), biases (N,) float32."""
    layout = packed.layout("ternary", popcount.prepare)
    filled = columns(scales, biases, layout.shape[0] * _OUTPUTS)
    return Plan(packed.shape, layout, filled, epilogue.NUMBERS[activation], alone)


def layer_kernel(groups: int = 1) -> Callable[..., int]:
    """Return compiled ``run(plan, tickets, x, out) -> status`` for float32; one group only."""
    assert groups == 1
    return kernel(floats=True)
