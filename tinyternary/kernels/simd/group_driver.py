"""A layer whose scales belong to groups of inputs, as one compiled call (lesson 08).

Integers are exact within a group only: after each group a tile's sums become floats, times the
row's scale and the group's, and are added to what the groups before gave. That stays in the
first-level cache: tile by tile, all groups one after the other. Each group begins on a block
of 16 inputs of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numpy.typing import NDArray

from tinyternary.compiled.switch import njit
from tinyternary.compiled.threads import DONE, NEXT, STEP
from tinyternary.kernels.simd import epilogue
from tinyternary.kernels.simd.driver import CHUNK_BYTES, FLOATS, REFUSED, TOO_MUCH, checksum
from tinyternary.kernels.simd.gemv import emit_gemv
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
    quantize_row,
    release,
    reserve,
    spread_row,
)
from tinyternary.kernels.simd.layout import BLOCK, padded
from tinyternary.kernels.simd.plan import (
    ACTIVATION,
    ALONE,
    BLOCKS,
    COLUMNS,
    GROUPS,
    INPUTS,
    OUTPUTS,
    PANELS,
    WEIGHTS,
)
from tinyternary.kernels.simd.plan import STEP as COLUMN_STEP
from tinyternary.kernels.simd.targets import F32, I32, I64, Target, splat
from tinyternary.kernels.simd.tile import broadcast, emit_tile, load


def spread(trits: NDArray[np.int8], groups: int) -> NDArray[np.int8]:
    """Fill every group of trits (N, K) up to whole blocks of inputs."""
    n, k = trits.shape
    size = k // groups
    wide = np.zeros((n, groups, padded(size, BLOCK)), dtype=np.int8)
    wide[:, :, :size] = trits.reshape(n, groups, size)
    return wide.reshape(n, -1)


@intrinsic
def _tile(
    typingctx: Any, key: Any, height: Any, codes: Any, wide: Any, weights: Any, blocks: Any,
    groups: Any, notes: Any, sums: Any, place: Any, stride: Any, scales: Any, scale_step: Any,
    activation: Any,
) -> Any:  # fmt: skip
    """Store a tile of ``height`` rows, 1 or the target's: all its groups, bias, activation."""

    def emit(call: Call) -> None:
        builder = call.builder
        one = builder.icmp_signed("==", call.scalar(1), ir.Constant(I64, 1))
        with builder.if_else(one) as (single, whole):
            with single:
                emit_rows(call, 1)
            with whole:
                emit_rows(call, call.target.rows)

    def emit_rows(call: Call, rows: int) -> None:
        builder, target = call.builder, call.target
        wide, blocks, groups = call.scalar(3), call.scalar(5), call.scalar(6)
        place, stride = call.pointer(9), call.scalar(10)
        floats = ir.VectorType(F32, target.lanes)
        zeros = [[splat(0.0, floats)] * target.columns for _ in range(rows)]
        epilogue.store_integers(builder, target, zeros, place, stride)
        row_scales, _ = call.notes(7, rows)
        group_bytes = builder.mul(blocks, ir.Constant(I64, target.columns * target.width))
        with cgutils.for_range(builder, groups) as loop:
            codes = builder.gep(
                call.pointer(2), [builder.mul(loop.index, builder.mul(blocks, _sixteen))]
            )
            weights = builder.gep(call.pointer(4), [builder.mul(loop.index, group_bytes)])
            start = []
            for row in range(rows):
                index = builder.add(builder.mul(groups, ir.Constant(I64, row)), loop.index)
                offset = builder.mul(index, ir.Constant(I64, 4))
                start.append(builder.neg(load(builder, call.pointer(8), offset, I32, 4)))
            if rows == 1:
                sums = [emit_gemv(builder, target, codes, weights, blocks, start[0])]
            else:
                sums = emit_tile(builder, target, rows, codes, wide, weights, blocks, start)
            scales = builder.gep(call.pointer(11), [builder.mul(loop.index, call.scalar(12))])
            for row, values in enumerate(sums):
                factor = broadcast(builder, row_scales[row], target.lanes)
                for column, value in enumerate(values):
                    offset = ir.Constant(I64, column * target.width)
                    here = builder.add(builder.mul(stride, ir.Constant(I64, row)), offset)
                    scale = builder.fmul(factor, load(builder, scales, offset, floats, 4))
                    term = builder.fmul(builder.sitofp(value, floats), scale)
                    total = builder.fadd(load(builder, place, here, floats, 4), term)
                    epilogue.store_at(builder, place, here, total)
        biases = builder.gep(call.pointer(11), [builder.mul(groups, call.scalar(12))])
        for row in range(rows):
            for column in range(target.columns):
                offset = ir.Constant(I64, column * target.width)
                here = builder.add(builder.mul(stride, ir.Constant(I64, row)), offset)
                bias = load(builder, biases, offset, floats, 4)
                total = builder.fadd(load(builder, place, here, floats, 4), bias)
                epilogue.store_at(builder, place, here, total)
        epilogue.activate(builder, target, call.scalar(13), place, stride, rows)

    return emitted(emit, key, *[INDEX] * 13)


_sixteen = ir.Constant(I64, BLOCK)


@functools.cache
def kernel(target: Target) -> Callable[..., int]:
    """Return ``run(plan, tickets, x, out) -> status`` for float32, compiled, as `driver.kernel`."""
    key, tall, outputs = target.index + 16 * checksum(), target.rows, target.outputs

    @njit(signature_or_function=FLOATS)
    def run(plan: int, tickets: int, x: Any, out: Any) -> int:
        m, k, n = x.shape[0], fact(plan, INPUTS), fact(plan, OUTPUTS)
        if x.shape[1] != k or out.shape[0] != m or out.shape[1] != n:
            return REFUSED
        if tickets == 0 and m >= fact(plan, ALONE):
            return TOO_MUCH
        blocks, panels, weights = fact(plan, BLOCKS), fact(plan, PANELS), fact(plan, WEIGHTS)
        scales, scale_step = fact(plan, COLUMNS), fact(plan, COLUMN_STEP)
        groups, activation, wide = fact(plan, GROUPS), fact(plan, ACTIVATION), 16 * blocks
        panel_bytes, size = 4 * outputs * blocks, k // groups
        step = max(tall, CHUNK_BYTES // wide // tall * tall)
        most = min(m, step)
        room = most * (wide + NOTES + 4 * groups) + tall * outputs * 4
        codes, source, sink = reserve(room), address(x), address(out)
        notes = codes + most * wide
        sums = notes + most * NOTES
        edge = sums + most * 4 * groups  # where tiles that stick out go
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
                place = codes + row * wide
                quantize_row(key, source + 4 * (first + row) * k, k, place, notes + row * NOTES)
                spread_row(key, place, size, groups, wide // groups, sums + row * 4 * groups)
            height = tall if count >= tall else 1
            for panel in range(panels):
                column = panel * outputs
                fits = column + outputs <= n
                for number in range(-(-count // height)):
                    row = min(number * height, count - height)  # the last may overlap
                    home = sink + 4 * ((first + row) * n + column)
                    stride = 4 * n if fits else 4 * outputs
                    _tile(key, height, codes + row * wide, wide, weights + panel * panel_bytes,
                          blocks // groups, groups, notes + row * NOTES, sums + row * 4 * groups,
                          home if fits else edge, stride, scales + 4 * column, scale_step,
                          activation)  # fmt: skip
                    if not fits:
                        move(4 * (n - column), edge, stride, home, 4 * n, height)
            if tickets > 0:
                draw(tickets, DONE, count)
            else:
                first += step
        release(codes, room)
        return 0

    return run
