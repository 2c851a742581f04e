"""Loops over rows and tiles in plain Numba around the emitted kernels (lesson 08).

`kernel(target, floats)` returns a compiled entry point of one target: int8 in and int32 out,
or float32 in and out. The target's number is a constant of the compiled code and so part of
the key under which Numba caches it; so is a checksum of this folder's source, because Numba
itself only watches the file in which a function is defined.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import types

from tinyternary.compiled.switch import njit
from tinyternary.compiled.threads import DONE, NEXT, STEP
from tinyternary.kernels.simd.intrinsics import (
    NOTES,
    address,
    copy_row,
    draw,
    fact,
    move,
    quantize_row,
    release,
    reserve,
    tile,
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
)
from tinyternary.kernels.simd.plan import STEP as COLUMN_STEP
from tinyternary.kernels.simd.targets import Target

CHUNK_BYTES = 16384
"""Activation codes that are quantised at a time: a third of a first-level cache, so that they
stay there while all weights stream past them."""
REFUSED, TOO_MUCH = 1, 2
"""Status: shapes do not fit; as many rows as one thread should not do. Nothing was touched."""

_INT = types.int64
INTEGERS = _INT(_INT, _INT, types.Array(types.int8, 2, "C", readonly=True), types.int32[:, ::1])
FLOATS = _INT(_INT, _INT, types.Array(types.float32, 2, "C", readonly=True), types.float32[:, ::1])
"""``(plan, tickets, x, out) -> status``: the address of a `Plan`, and that of the counters by
which threads share the rows out (`threads.share`); 0 for one thread, or `threads.BY_ONE`."""


@functools.cache
def checksum() -> int:
    """CRC of this folder's source, so that editing an emitter cannot revive old machine code."""
    total = 0
    for path in sorted(Path(__file__).parent.glob("*.py")):
        total = zlib.crc32(path.read_bytes(), total)
    return total & 0xFFFFFF


@functools.cache
def kernel(target: Target, floats: bool) -> Callable[..., int]:
    """Return ``run(plan, tickets, x, out) -> status`` compiled for ``target``.

    x (M, K) float32 and out (M, N) float32, or int8 and int32; weights as `layout.interleave`
    makes them. What stays the same from call to call comes first, so that `functools.partial`
    can hold it.
    """
    key, tall, outputs = target.index + 16 * checksum(), target.rows, target.outputs
    kind = 1 if floats else 0

    @njit(signature_or_function=FLOATS if floats else INTEGERS)
    def run(plan: int, tickets: int, x: Any, out: Any) -> int:
        m, k, n = x.shape[0], fact(plan, INPUTS), fact(plan, OUTPUTS)
        if x.shape[1] != k or out.shape[0] != m or out.shape[1] != n:
            return REFUSED
        if tickets == 0 and m >= fact(plan, ALONE):
            return TOO_MUCH
        blocks, panels, weights = fact(plan, BLOCKS), fact(plan, PANELS), fact(plan, WEIGHTS)
        columns, activation = fact(plan, COLUMNS), fact(plan, ACTIVATION)
        biases, wide, panel_bytes = (
            columns + fact(plan, COLUMN_STEP),
            16 * blocks,
            4 * outputs * blocks,
        )
        step = max(tall, CHUNK_BYTES // wide // tall * tall)
        most = min(m, step)
        room = most * (wide + NOTES) + tall * outputs * 4
        codes, source, sink = reserve(room), address(x), address(out)
        notes = codes + most * wide
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
                begin, place = (first + row) * k, codes + row * wide
                if floats:
                    quantize_row(key, source + 4 * begin, k, place, notes + row * NOTES)
                else:
                    copy_row(key, source + begin, k, place, notes + row * NOTES)
            height = tall if count >= tall else 1
            ahead = first + count  # rows that will be quantised next
            for panel in range(panels):
                column = panel * outputs
                fits = column + outputs <= n
                for number in range(-(-count // height)):
                    row = min(number * height, count - height)  # the last may overlap
                    place, stride = sink + 4 * ((first + row) * n + column), 4 * n
                    if not fits:
                        place, stride = edge, 4 * outputs
                    tile(key, kind, height, codes + row * wide, wide,
                         weights + panel * panel_bytes, blocks, notes + row * NOTES,
                         place, stride, columns + 4 * column, biases + 4 * column, activation,
                         source + 4 * min(ahead, m - 1) * k)  # fmt: skip
                    ahead = min(ahead + 1, first + 2 * count)
                    if not fits:
                        move(4 * (n - column), edge, stride,
                             sink + 4 * ((first + row) * n + column), 4 * n, height)  # fmt: skip
            if tickets > 0:
                draw(tickets, DONE, count)
            else:
                first += step
        release(codes, room)
        return 0

    return run
