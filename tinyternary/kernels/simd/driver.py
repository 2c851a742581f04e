"""Loops over rows and tiles in plain Numba around the emitted kernels (lesson 08).

`kernels(target)` returns the two compiled entry points of one target, ``matmul`` and
``linear``. The target's number is a constant of the compiled code and so part of the key
under which Numba caches it; so is a checksum of this folder's source, because Numba itself
only watches the file in which a function is defined.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import types

from tinyternary.jit.switch import njit
from tinyternary.kernels.simd.intrinsics import (
    NOTES,
    draw,
    finish_row,
    quantise_row,
    row_floats,
    row_integers,
    tile_floats,
    tile_integers,
)
from tinyternary.kernels.simd.targets import Target
from tinyternary.kernels.threads import DONE, NEXT, STEP

CHUNK_BYTES = 65536
"""Activation codes that are quantised at a time: what a second-level cache holds with ease."""

_INT = types.int64
_MATMUL = _INT(
    types.uint8[:, :, :, ::1], _INT, _INT, _INT,
    types.Array(types.int8, 2, "C", readonly=True), types.int32[:, ::1],
)  # fmt: skip
_LINEAR = _INT(
    types.uint8[:, :, :, ::1], types.float32[:, ::1], types.int64[::1], _INT,
    types.Array(types.float32, 2, "C", readonly=True), types.float32[:, ::1],
)  # fmt: skip


@functools.cache
def checksum() -> int:
    """CRC of this folder's source, so that editing an emitter cannot revive old machine code."""
    total = 0
    for path in sorted(Path(__file__).parent.glob("*.py")):
        total = zlib.crc32(path.read_bytes(), total)
    return total & 0xFFFFFF


@functools.cache
def matmul_kernel(target: Target) -> Callable[..., int]:
    """Return ``matmul(weights, k, n, tickets, x, out) -> status`` compiled for ``target``.

    x (M, k) int8, weights as `layout.interleave` makes them, out (M, n) int32. Status 0: done;
    1: shapes do not fit and nothing was touched. ``tickets`` is the address of the counters by
    which threads share the rows out (`threads.share`), 0 for one thread. What stays the same from
    call to call comes first, so that `functools.partial` can hold it.
    """
    key, tall, outputs = target.index + 16 * checksum(), target.rows, target.outputs
    row_block = target.row_block

    @njit(signature_or_function=_MATMUL)
    def matmul(weights: Any, k: int, n: int, tickets: int, x: Any, out: Any) -> int:
        m = x.shape[0]
        if x.shape[1] != k or out.shape[0] != m or out.shape[1] != n:
            return 1
        blocks_n, blocks = weights.shape[0], weights.shape[1]
        wide, panel = row_block * blocks, weights.size // blocks_n
        codes = (row_block - 16) * blocks  # where in a row's place its codes stand
        step = max(tall, CHUNK_BYTES // wide // tall * tall)
        most = min(m, step)
        notes = most * wide  # where in the scratch notes begin
        edge = notes + most * NOTES  # where tiles that stick out go
        scratch = np.empty(edge + tall * outputs * 4, np.uint8)
        signed = scratch.view(np.int8)
        sums = scratch[notes:edge].view(np.int32)
        if tickets:
            step = min(step, draw(tickets, STEP, 0))
        first = 0
        while first < m:
            if tickets:
                first = draw(tickets, NEXT, step)
                if first >= m:
                    break
            count = min(step, m - first)
            for row in range(count):
                total = np.int32(0)
                for i in range(k):
                    value = x[first + row, i]
                    signed[row * wide + codes + i] = value
                    total += np.int32(value)
                for i in range(k, 16 * blocks):
                    signed[row * wide + codes + i] = 0
                finish_row(key, scratch, row * wide, blocks)
                sums[2 * row + 1] = total
            height = tall if count >= tall else 1
            for block in range(blocks_n):
                column = block * outputs
                fits = column + outputs <= n
                for tile in range(-(-count // height)):
                    row = min(tile * height, count - height)  # the last may overlap
                    place = ((first + row) * n + column) * 4
                    if height == 1:
                        row_integers(key, scratch, row * wide, wide, weights, block * panel, blocks,
                                     scratch, notes + row * NOTES, out, place, 4 * n,
                                     scratch, edge, fits)  # fmt: skip
                    else:
                        tile_integers(key, scratch, row * wide, wide, weights, block * panel,
                                      blocks, scratch, notes + row * NOTES, out, place, 4 * n,
                                      scratch, edge, fits)  # fmt: skip
                    if not fits:
                        stored = scratch[edge:].view(np.int32)
                        for i in range(height):
                            for j in range(n - column):
                                out[first + row + i, column + j] = stored[i * outputs + j]
            if tickets:
                draw(tickets, DONE, count)
            else:
                first += step
        return 0

    return matmul


@functools.cache
def linear_kernel(target: Target) -> Callable[..., int]:
    """Return ``linear(weights, columns, facts, tickets, x, out) -> status``, compiled.

    x (M, k) and out (M, n) float32; columns (2, n filled up to whole blocks) float32 holds
    the outputs' scales and biases; facts are k, n, the activation (0, `GELU` or `RELU`) and
    from how many rows on one thread should not do it alone. Status as in `matmul_kernel`; 2:
    as many rows as that, nothing was touched.
    """
    key, tall, outputs = target.index + 16 * checksum(), target.rows, target.outputs
    row_block = target.row_block

    @njit(signature_or_function=_LINEAR)
    def linear(weights: Any, columns: Any, facts: Any, tickets: int, x: Any, out: Any) -> int:
        m, k, n, activation = x.shape[0], facts[0], facts[1], facts[2]
        if x.shape[1] != k or out.shape[0] != m or out.shape[1] != n:
            return 1
        if m >= facts[3] and tickets == 0:
            return 2
        blocks_n, blocks = weights.shape[0], weights.shape[1]
        wide, panel, biases = row_block * blocks, weights.size // blocks_n, 4 * columns.shape[1]
        codes = (row_block - 16) * blocks  # where in a row's place its codes stand
        step = max(tall, CHUNK_BYTES // wide // tall * tall)
        most = min(m, step)
        notes = most * wide  # where in the scratch notes begin
        edge = notes + most * NOTES  # where tiles that stick out go
        scratch = np.empty(edge + tall * outputs * 4, np.uint8)
        if tickets:
            step = min(step, draw(tickets, STEP, 0))
        first = 0
        while first < m:
            if tickets:
                first = draw(tickets, NEXT, step)
                if first >= m:
                    break
            count = min(step, m - first)
            for row in range(count):
                quantise_row(key, x, (first + row) * k * 4, k, scratch, row * wide + codes,
                             scratch, notes + row * NOTES)  # fmt: skip
                finish_row(key, scratch, row * wide, blocks)
            height = tall if count >= tall else 1
            for block in range(blocks_n):
                column = block * outputs
                fits = column + outputs <= n
                for tile in range(-(-count // height)):
                    row = min(tile * height, count - height)  # the last may overlap
                    place = ((first + row) * n + column) * 4
                    if height == 1:
                        row_floats(key, scratch, row * wide, wide, weights, block * panel, blocks,
                                   scratch, notes + row * NOTES, out, place, 4 * n,
                                   scratch, edge, fits, columns, 4 * column,
                                   columns, biases + 4 * column, activation)  # fmt: skip
                    else:
                        tile_floats(key, scratch, row * wide, wide, weights, block * panel, blocks,
                                    scratch, notes + row * NOTES, out, place, 4 * n,
                                    scratch, edge, fits, columns, 4 * column,
                                    columns, biases + 4 * column, activation)  # fmt: skip
                    if not fits:
                        stored = scratch[edge:].view(np.float32)
                        for i in range(height):
                            for j in range(n - column):
                                out[first + row + i, column + j] = stored[i * outputs + j]
            if tickets:
                draw(tickets, DONE, count)
            else:
                first += step
        return 0

    return linear
