"""Loops around the table lookups: tiles of eight rows, and what is left over (lesson 08).

They are not `driver`'s, because the blocks of inputs are the outer loop: tables of a few blocks are
filled, all weights looked up in them, and the sums kept for the next few. The rows that are left
over are those of another micro-kernel.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from tinyternary.compiled.switch import njit
from tinyternary.compiled.threads import DONE, NEXT, STEP
from tinyternary.kernels.simd import epilogue, quantize
from tinyternary.kernels.simd.driver import (
    FROM_FLOATS,
    FROM_INTEGERS,
    REFUSED,
    TOO_MUCH,
)
from tinyternary.kernels.simd.intrinsics import (
    INDEX,
    INTEGERS,
    Call,
    address,
    emitted,
    fetch_add,
    intrinsic,
    load_field,
    memcpy_rows,
    prepare_row,
    release,
    reserve,
    store_tile,
)
from tinyternary.kernels.simd.quantize import NOTES
from tinyternary.kernels.simd.record import (
    ACTIVATION,
    ALONE,
    BLOCKS,
    INPUTS,
    OUTPUTS,
    PANELS,
    SCALE_STEP,
    SCALES,
    WEIGHTS,
)
from tinyternary.kernels.simd.tables import (
    DEPTH,
    ROWS,
    TABLES,
    TILE,
    emit_float_tables,
    emit_lookups,
    emit_tables,
)
from tinyternary.kernels.simd.targets import F32, I64, LOOKUP7, splat
from tinyternary.kernels.simd.vectors import at, load

_OUTPUTS = TILE.outputs
_PARTIAL = 4 * _OUTPUTS  # bytes of a row of sums that are not finished


@intrinsic
def _fill(typingctx: Any, key: Any, codes: Any, blocks: Any, tables: Any) -> Any:
    """Fill the tables of ``blocks`` blocks of a row."""

    def emit(call: Call) -> None:
        emit_tables(call.builder, call.pointer(1), call.scalar(2), call.pointer(3))

    return emitted(emit, key, *[INDEX] * 3)


@intrinsic
def _scale(typingctx: Any, key: Any, x: Any, k: Any, notes: Any) -> Any:
    """Note the scale of a row of floats."""

    def emit(call: Call) -> None:
        builder = call.builder
        row = quantize.Row(builder, call.pointer(1), call.scalar(2))
        scale = quantize.scale_of(builder, quantize.largest_bits(builder, row), LOOKUP7.most)
        builder.store(scale, at(builder, call.pointer(3), 0, F32)).align = 4

    return emitted(emit, key, *[INDEX] * 3)


@intrinsic
def _quantize_and_fill(typingctx: Any, key: Any, x: Any, k: Any, notes: Any, tables: Any) -> Any:
    """Fill the tables of ``k`` floats of a row whose scale is noted."""

    def emit(call: Call) -> None:
        scale = load(call.builder, call.pointer(3), 0, F32, 4)
        x, k, tables = call.pointer(1), call.scalar(2), call.pointer(4)
        emit_float_tables(call.builder, x, k, scale, tables)

    return emitted(emit, key, *[INDEX] * 4)


@intrinsic
def _look(
    typingctx: Any, key: Any, floats: Any, tables: Any, stride: Any, weights: Any, blocks: Any,
    partial: Any, begins: Any, ends: Any, notes: Any, place: Any, place_stride: Any, scales: Any,
    biases: Any, activation: Any, ahead: Any,
) -> Any:  # fmt: skip
    """Add blocks to a tile's sums in ``partial``; if it ends, store it as `store_tile` does."""

    def emit(call: Call) -> None:
        builder, target = call.builder, TILE
        partial = call.pointer(6)
        begins = builder.icmp_signed("!=", call.scalar(7), ir.Constant(I64, 0))
        zero = splat(0, target.words)
        start = [[zero] * target.columns for _ in range(ROWS)]
        fresh = builder.block
        with builder.if_then(builder.not_(begins)):
            loaded = [
                [
                    load(builder, partial, _PARTIAL * row + 64 * column, target.words, 64)
                    for column in range(target.columns)
                ]
                for row in range(ROWS)
            ]
            later = builder.block
        for row, values in enumerate(loaded):
            for column, value in enumerate(values):
                start[row][column] = builder.phi(target.words)
                start[row][column].add_incoming(zero, fresh)
                start[row][column].add_incoming(value, later)
        sums = emit_lookups(
            builder, call.pointer(2), call.scalar(3), call.pointer(4), call.scalar(5), start,
            call.pointer(15),
        )  # fmt: skip
        ends = builder.icmp_signed("!=", call.scalar(8), ir.Constant(I64, 0))
        with builder.if_else(ends) as (last, between):
            with last:
                finish(call, sums)
            with between:
                step = ir.Constant(I64, _PARTIAL)
                epilogue.store_integers(builder, target, sums, partial, step)

    def finish(call: Call, sums: Any) -> None:
        builder, target = call.builder, TILE
        place, stride = call.pointer(10), call.scalar(11)
        if not call.literal(1):
            epilogue.store_integers(builder, target, sums, place, stride)
            return
        rows, _ = call.notes(9, ROWS)
        scales, biases = call.pointer(12), call.pointer(13)
        epilogue.store_floats(builder, target, sums, rows, scales, biases, place, stride)
        epilogue.activate(builder, target, call.scalar(14), place, stride, ROWS)

    return emitted(emit, key, floats, *[INDEX] * 14)


@functools.cache
def kernel(kind: int) -> Callable[..., int]:
    """Return ``run(record, counters, x, out) -> status``, compiled, as `driver.kernel` does.

    Eight rows are quantised, then for each `DEPTH` blocks of their inputs tables are filled and all
    weights looked up in them. Rows that are left over are multiplied one by one as int8.
    """
    key, outputs = LOOKUP7.index, LOOKUP7.outputs
    floats = kind != INTEGERS
    size = 4 if floats else 1  # bytes of an activation

    @njit(signature_or_function=FROM_FLOATS if floats else FROM_INTEGERS)
    def run(record: int, counters: int, x: Any, out: Any) -> int:
        m, k, n = x.shape[0], load_field(record, INPUTS), load_field(record, OUTPUTS)
        if x.shape[1] != k or out.shape[0] != m or out.shape[1] != n:
            return REFUSED
        if counters == 0 and m >= load_field(record, ALONE):
            return TOO_MUCH
        blocks, panels = load_field(record, BLOCKS), load_field(record, PANELS)
        weights = load_field(record, WEIGHTS)
        columns, scale_step = load_field(record, SCALES), load_field(record, SCALE_STEP)
        biases, activation = columns + scale_step, load_field(record, ACTIVATION)
        wide, panel_bytes = 16 * blocks, 256 * blocks
        halves = -(-n // _OUTPUTS)
        parts = -(-blocks // DEPTH)
        depth = -(-blocks // parts)
        # tables, sums between parts, tiles that stick out: on whole lines; then codes and notes
        most = min(m, ROWS)
        partial = ROWS * depth * TABLES if most == ROWS else 0
        edge = partial + (halves if parts > 1 else 0) * most * _PARTIAL
        codes = edge + most * 4 * outputs
        notes = codes + most * wide
        room = 64 + notes + most * NOTES
        held = reserve(room)
        tables = (held + 63) // 64 * 64
        partial, edge, codes, notes = (
            tables + partial,
            tables + edge,
            tables + codes,
            tables + notes,
        )
        source, sink = address(x), address(out)
        step = max(m, 1)
        if counters > 0:
            step = fetch_add(counters, STEP, 0)
        first = 0
        while first < m:
            if counters > 0:
                first = fetch_add(counters, NEXT, step)
                if first >= m:
                    break
            end = min(first + step, m)
            done = first
            while done < end:
                height = ROWS if end - done >= ROWS else 1
                if height == 1 and end - done > 2 and end - first >= ROWS:
                    done, height = end - ROWS, ROWS  # the last may overlap
                for row in range(height):
                    begin, to = (done + row) * k, codes + row * wide
                    if floats and height == ROWS:
                        _scale(key, source + 4 * begin, k, notes + row * NOTES)
                    else:
                        prepare_row(key, kind, source + size * begin, k, to, notes + row * NOTES)
                if height == 1:
                    for panel in range(panels):
                        column = panel * outputs
                        fits = column + outputs <= n
                        home = sink + 4 * (done * n + column)
                        store_tile(key, kind, 1, codes, wide, weights + panel * panel_bytes,
                                   blocks, 1, notes, 0, home if fits else edge, 4 * n,
                                   columns + 4 * column, scale_step, activation,
                                   source)  # fmt: skip
                        if not fits:
                            memcpy_rows(4 * (n - column), edge, 0, home, 0, 1)
                    done += 1
                    continue
                for part in range(parts):
                    skip = part * depth
                    few = min(depth, blocks - skip)
                    last = part == parts - 1
                    for row in range(ROWS):
                        to = tables + row * depth * TABLES
                        if floats:
                            _quantize_and_fill(
                                key, source + 4 * ((done + row) * k + 16 * skip),
                                min(16 * few, k - 16 * skip), notes + row * NOTES, to,
                            )  # fmt: skip
                        else:
                            _fill(key, codes + row * wide + 16 * skip, few, to)
                    for half in range(halves):
                        column = half * _OUTPUTS
                        fits = column + _OUTPUTS <= n
                        home = sink + 4 * (done * n + column)
                        stride = 4 * n if fits else 4 * _OUTPUTS
                        later = min(done + ROWS + min(half, ROWS - 1), m - 1)
                        _look(key, kind, tables, depth * TABLES,
                              weights + half // 2 * panel_bytes + 256 * skip + 128 * (half % 2),
                              few, partial + half * ROWS * _PARTIAL, part == 0, last, notes,
                              home if fits else edge, stride, columns + 4 * column,
                              biases + 4 * column, activation,
                              source + 4 * later * k + 64 * skip)  # fmt: skip
                        if last and not fits:
                            memcpy_rows(4 * (n - column), edge, stride, home, 4 * n, ROWS)
                done += ROWS
            if counters > 0:
                fetch_add(counters, DONE, end - first)
            else:
                break
        release(held, room)
        return 0

    return run
