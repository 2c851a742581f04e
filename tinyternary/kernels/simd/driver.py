"""The loops over rows and tiles around every micro-kernel, in plain Numba (lesson 08).

`kernel(target, kind)` returns a compiled entry point: int8 in and int32 out, float32 in and out, or
that with scales per group of inputs. A layer is one call: quantisation, product, rescaling, bias
and activation; neither codes nor int32 sums of the whole input ever reach memory. The target's
number is a constant of the compiled code and so part of the name under which it is kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from numba import types

from tinyternary.compiled.switch import njit
from tinyternary.compiled.threads import DONE, NEXT, STEP
from tinyternary.kernels.simd.intrinsics import (
    GROUPED,
    INTEGERS,
    UNPACKED,
    address,
    fetch_add,
    load_field,
    memcpy_rows,
    prepare_row,
    release,
    reserve,
    spread_row,
    store_tile,
    unpack_panel,
)
from tinyternary.kernels.simd.micro_kernels import MICRO_KERNELS
from tinyternary.kernels.simd.quantize import NOTES
from tinyternary.kernels.simd.record import (
    ACTIVATION,
    ALONE,
    BLOCKS,
    GROUPS,
    INPUTS,
    OUTPUTS,
    PANELS,
    SCALE_STEP,
    SCALES,
    UNPACK_FROM,
    WEIGHTS,
)
from tinyternary.kernels.simd.targets import Target

CHUNK_BYTES = 16384
"""Activation codes that are quantised at a time: a third of a first-level cache, so that they
stay there while all weights stream past them."""
CHUNK_UNPACKED = 65536
"""The same where panels are unpacked first: the more rows share that, the better, and it is the
panel that stays in the first-level cache while rows stream past it."""
REFUSED, TOO_MUCH = 1, 2
"""Status: shapes do not fit; as many rows as one thread should not do. Nothing was touched."""

_INT = types.int64
FROM_INTEGERS = _INT(
    _INT, _INT, types.Array(types.int8, 2, "C", readonly=True), types.int32[:, ::1]
)
FROM_FLOATS = _INT(
    _INT, _INT, types.Array(types.float32, 2, "C", readonly=True), types.float32[:, ::1]
)
"""``(record, counters, x, out) -> status``: the address of a `Record`, and that of the counters by
which threads share the rows out (`threads.share_rows`); 0 for one thread, or `threads.BY_ONE`."""


@functools.cache
def kernel(target: Target, kind: int) -> Callable[..., int]:
    """Return ``run(record, counters, x, out) -> status`` compiled for ``target``.

    x (M, K) float32 and out (M, N) float32, or int8 and int32; weights as the micro-kernel
    prepares them. What stays the same from call to call comes first, so that `functools.partial`
    can hold it.
    """
    key, tall, outputs = target.index, target.rows, target.outputs
    micro = MICRO_KERNELS[target.index]
    block_bytes, unpacked_bytes = micro.block_bytes, micro.unpacked_bytes
    size = 1 if kind == INTEGERS else 4  # bytes of an activation
    grouped = 1 if kind == GROUPED else 0
    unpackable = 0 if micro.emit_unpack is None else 1
    apart = 0 if micro.emit_unpacked_sums is None else 1  # packed panels have tiles too

    @njit(signature_or_function=FROM_INTEGERS if kind == INTEGERS else FROM_FLOATS)
    def run(record: int, counters: int, x: Any, out: Any) -> int:
        m, k, n = x.shape[0], load_field(record, INPUTS), load_field(record, OUTPUTS)
        if x.shape[1] != k or out.shape[0] != m or out.shape[1] != n:
            return REFUSED
        if counters == 0 and m >= load_field(record, ALONE):
            return TOO_MUCH
        blocks, panels = load_field(record, BLOCKS), load_field(record, PANELS)
        weights, activation = load_field(record, WEIGHTS), load_field(record, ACTIVATION)
        scales, scale_step = load_field(record, SCALES), load_field(record, SCALE_STEP)
        groups = load_field(record, GROUPS) if grouped else 1
        panel_bytes = block_bytes * blocks
        if unpackable and not apart:  # what lies in memory is shorter
            blocks = groups * -(-(k // groups) // 16)
        unpack_from = max(tall, load_field(record, UNPACK_FROM)) if apart else 1
        unpacks = unpackable if m >= unpack_from else 0
        wide, panel_room = 16 * blocks, unpacked_bytes * blocks * unpacks
        step = max(tall, (CHUNK_UNPACKED if unpacks else CHUNK_BYTES) // wide // tall * tall)
        if unpacks:  # chunks of one size: none is left over that is too small to be worth it
            pieces = -(-m // step)
            step = max(tall, -(-m // max(pieces * tall, 1)) * tall)
        most = min(m, step)
        room = most * (wide + NOTES + 4 * groups * grouped) + tall * outputs * 4
        room += panel_room + 64 * unpacks
        held, source, sink = reserve(room), address(x), address(out)
        unpacked = (held + 63) // 64 * 64 if unpacks else held
        codes = unpacked + panel_room
        notes = codes + most * wide
        sums = notes + most * NOTES
        edge = sums + most * 4 * groups * grouped  # where tiles that stick out go
        if counters > 0:
            step = min(step, fetch_add(counters, STEP, 0))
        first = 0
        while first < m:
            if counters > 0:
                first = fetch_add(counters, NEXT, step)
                if first >= m:
                    break
            count = min(step, m - first)
            for row in range(count):
                place = codes + row * wide
                begin = source + size * (first + row) * k
                prepare_row(key, kind, begin, k, place, notes + row * NOTES)
                if grouped:
                    spread_row(key, place, k // groups, groups, wide // groups,
                               sums + row * 4 * groups)  # fmt: skip
            height = tall if count >= tall else 1
            unpack = unpacks and count >= unpack_from
            ahead = first + count  # rows that will be quantised next
            for panel in range(panels):
                column = panel * outputs
                fits = column + outputs <= n
                matrix = weights + panel * panel_bytes
                if unpack:
                    unpack_panel(key, matrix, blocks, unpacked)
                    matrix = unpacked
                tile = UNPACKED if apart and unpack else height
                for number in range(-(-count // height)):
                    row = min(number * height, count - height)  # the last may overlap
                    home = sink + 4 * ((first + row) * n + column)
                    place, stride = home, 4 * n
                    if not fits:
                        place, stride = edge, 4 * outputs
                    store_tile(key, kind, tile, codes + row * wide, wide,
                               matrix, blocks // groups, groups,
                               notes + row * NOTES, sums + row * 4 * groups, place, stride,
                               scales + 4 * column, scale_step, activation,
                               source + size * min(ahead, m - 1) * k)  # fmt: skip
                    ahead = min(ahead + 1, first + 2 * count)
                    if not fits:
                        memcpy_rows(4 * (n - column), edge, stride, home, 4 * n, height)
            if counters > 0:
                fetch_add(counters, DONE, count)
            else:
                first += step
        release(held, room)
        return 0

    return run
