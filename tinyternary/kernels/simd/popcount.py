"""Ternary activations by counting bits: more than any dot product can do (lesson 08).

Both factors as two planes, "is not zero" and "is negative". For 64 products at once:
a = nonzero_x AND nonzero_w are those that count, b = a AND (sign_x XOR sign_w) those that
count as -1, and the sum is ones(a) - 2 ones(b). On 512-bit vectors that is two logic
operations, two counts and two additions for 512 products.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numpy.typing import NDArray

from tinyternary.config.grid import FLOOR, TERNARY_LEVEL, TERNARY_THRESHOLD
from tinyternary.kernels.packing import to_planes
from tinyternary.kernels.simd.layout import padded
from tinyternary.kernels.simd.quantize import WIDE, Row, fold
from tinyternary.kernels.simd.targets import (
    F32,
    I8,
    I16,
    I32,
    I64,
    TERNARY,
    Target,
    call_named,
    splat,
)
from tinyternary.kernels.simd.vectors import at, broadcast, load

OUTPUTS = TERNARY.outputs
LANES, COLUMNS = 8, 2  # counts are 64 bits wide, so that a tile takes two vectors of them
PLANES = 16
"""Bytes of the two planes of 64 activations."""
_WORDS = ir.VectorType(I64, LANES)
_DOUBLES = ir.VectorType(ir.DoubleType(), WIDE)
_FLOATS = ir.VectorType(F32, WIDE)


def prepare(trits: NDArray[np.int8], target: Target) -> NDArray[np.uint64]:
    """Return planes (N blocks, ceil(K / 64), 2 planes, 16 outputs) uint64, zeros past N and K."""
    plus, minus = to_planes(trits)
    n, words = plus.shape
    wide = np.zeros((2, padded(n, OUTPUTS), words), dtype=np.uint64)
    wide[0, :n], wide[1, :n] = plus | minus, minus
    blocks = wide.reshape(2, -1, OUTPUTS, words)
    return np.ascontiguousarray(blocks.transpose(1, 3, 0, 2))


def emit_counts(
    builder: ir.IRBuilder, target: Target, rows: int, x: Any, x_stride: Any, planes: Any,
    words: Any, *_: Any,
) -> list[list[Any]]:  # fmt: skip
    """Emit a tile of ``rows`` x 16 outputs; return its sums, [row][one int32 vector].

    ``x`` points to rows of ``words`` pairs (nonzero, sign) of uint64, ``x_stride`` bytes apart;
    ``planes`` to one block of `prepare`.
    """

    def slots() -> list[list[Any]]:
        zero = splat(0, _WORDS)
        return [
            [cgutils.alloca_once_value(builder, zero) for _ in range(COLUMNS)] for _ in range(rows)
        ]

    counted, negative = slots(), slots()
    size = 8 * LANES
    with cgutils.for_range(builder, words) as loop:
        here = builder.mul(loop.index, ir.Constant(I64, 2 * COLUMNS * size))
        there = builder.mul(loop.index, ir.Constant(I64, 16))
        weights = [
            load(builder, planes, builder.add(here, ir.Constant(I64, i * size)), _WORDS, 8)
            for i in range(2 * COLUMNS)
        ]
        for row in range(rows):
            place = builder.add(there, builder.mul(x_stride, ir.Constant(I64, row)))
            nonzero = broadcast(builder, load(builder, x, place, I64, 8), LANES)
            place = builder.add(place, ir.Constant(I64, 8))
            sign = broadcast(builder, load(builder, x, place, I64, 8), LANES)
            for column in range(COLUMNS):
                both = builder.and_(nonzero, weights[column])
                differ = builder.xor(sign, weights[COLUMNS + column])
                minus = builder.and_(both, differ)
                for totals, bits in ((counted, both), (negative, minus)):
                    slot = totals[row][column]
                    count = call_named(builder, "llvm.ctpop.v8i64", _WORDS, (bits,))
                    builder.store(builder.add(builder.load(slot), count), slot)
    both = ir.Constant(ir.VectorType(I32, OUTPUTS), list(range(OUTPUTS)))

    def total(row: int, column: int) -> Any:
        twice = builder.shl(builder.load(negative[row][column]), splat(1, _WORDS))
        difference = builder.sub(builder.load(counted[row][column]), twice)
        return builder.trunc(difference, ir.VectorType(I32, LANES))

    return [[builder.shuffle_vector(total(row, 0), total(row, 1), both)] for row in range(rows)]


def emit_planes(
    builder: ir.IRBuilder, target: Target, x: Any, k: Any, planes: Any, notes: Any
) -> None:
    """Emit the planes of a row of ``k`` int8 trits: (nonzero, sign) for each 64 of them."""
    bytes_ = ir.VectorType(I8, 64)
    zero = splat(0, bytes_)

    def take(place: Any, index: Any) -> None:
        trits = load(builder, place, 0, bytes_, 1)
        sink = builder.gep(planes, [builder.mul(index, ir.Constant(I64, 16))])
        for offset, mask in (
            (0, builder.icmp_signed("!=", trits, zero)),
            (8, builder.icmp_signed("<", trits, zero)),
        ):
            builder.store(builder.bitcast(mask, I64), at(builder, sink, offset, I64)).align = 8

    words, rest = builder.sdiv(k, ir.Constant(I64, 64)), builder.srem(k, ir.Constant(I64, 64))
    with cgutils.for_range(builder, words) as loop:
        take(builder.gep(x, [builder.mul(loop.index, ir.Constant(I64, 64))]), loop.index)
    spare = cgutils.alloca_once(builder, bytes_)
    with builder.if_then(builder.icmp_signed(">", rest, ir.Constant(I64, 0)), likely=False):
        builder.store(zero, spare)
        copy = builder.bitcast(spare, I8.as_pointer())
        start = builder.gep(x, [builder.mul(words, ir.Constant(I64, 64))])
        with cgutils.for_range(builder, rest) as loop:
            value = builder.load(builder.gep(start, [loop.index]))
            builder.store(value, builder.gep(copy, [loop.index]))
        take(copy, words)


def emit_quantize(
    builder: ir.IRBuilder, target: Target, x: Any, k: Any, planes: Any, notes: Any
) -> None:
    """Emit the planes of a row of ``k`` floats as ternary activations; note their scale.

    The same operations in the same order as `tinyternary.kernels.reference.quantize_ternary`: a row
    that is not finite gets zeros, for nothing is above a threshold of infinity or NaN.
    """
    row = Row(builder, x, k)
    sums = cgutils.alloca_once_value(builder, splat(0.0, _DOUBLES))

    def magnitude(values: Any) -> Any:
        return call_named(builder, f"llvm.fabs.v{WIDE}f32", _FLOATS, (values,))

    def add(place: Any, index: Any, slot: int) -> None:
        wide = builder.fpext(magnitude(load(builder, place, 0, _FLOATS, 4)), _DOUBLES)
        builder.store(builder.fadd(builder.load(sums), wide), sums)

    row.each(add, 1)
    total = fold(builder, builder.load(sums), builder.fadd)
    mean = builder.fdiv(total, builder.sitofp(k, ir.DoubleType()))
    unit = builder.fptrunc(mean, F32)
    threshold = builder.fmul(unit, ir.Constant(F32, float(np.float32(TERNARY_THRESHOLD))))
    limit = broadcast(builder, threshold, WIDE)
    four = ir.Constant(I64, 4)

    def split(place: Any, index: Any, slot: int) -> None:
        values = load(builder, place, 0, _FLOATS, 4)
        above = builder.fcmp_ordered(">", magnitude(values), limit)
        below = builder.fcmp_ordered("<", values, splat(0.0, _FLOATS))
        # 16 of the 64 bits of both planes; four such pieces fill a pair of words. Bits past the
        # row's end, and signs of what is zero, may be anything: weights are zero there, or x is
        word, piece = builder.sdiv(index, four), builder.srem(index, four)
        offset = builder.mul(word, ir.Constant(I64, PLANES))
        offset = builder.add(offset, builder.mul(piece, ir.Constant(I64, 2)))
        sink = builder.gep(planes, [offset])
        for start, bits in ((0, above), (8, below)):
            builder.store(builder.bitcast(bits, I16), at(builder, sink, start, I16)).align = 2

    row.each(split, 4)
    level = builder.fmul(unit, ir.Constant(F32, float(np.float32(TERNARY_LEVEL))))
    floor = ir.Constant(F32, float(FLOOR))
    scale = builder.select(builder.fcmp_ordered(">", level, floor), level, floor)
    finite = builder.fcmp_ordered("<", unit, ir.Constant(F32, float("inf")))
    scale = builder.select(finite, scale, ir.Constant(F32, float("nan")))
    builder.store(scale, at(builder, notes, 0, F32)).align = 4
