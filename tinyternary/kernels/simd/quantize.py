"""Absmax quantisation of one row in vector code (lesson 08_packing_and_kernels).

Two passes over the row, sixteen floats at a time: the largest absolute value, then division,
rounding and the sum of the int8 codes, which the tile needs to correct for unsigned codes.
The same operations in the same order as `tinyternary.kernels.reference.quantize`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from tinyternary.config.grid import FLOOR, MOST
from tinyternary.kernels.simd.layout import BLOCK
from tinyternary.kernels.simd.targets import F32, I8, I32, I64, Target, splat
from tinyternary.kernels.simd.vectors import at, broadcast, load

WIDE = 16
_FLOATS = ir.VectorType(F32, WIDE)
_BITS = ir.VectorType(I32, WIDE)
_BYTES = ir.VectorType(I8, WIDE)

_MAGIC = 12582912.0
"""1.5 * 2^23: adding it leaves a float's fraction with no room, so the sum is rounded half to
even and its low byte is the integer as int8. No conversion instruction is needed."""
_MAGIC_BITS = 0x4B400000
_INFINITY_BITS = 0x7F800000


class Row:
    """A row of floats as whole vectors: what is left over at its end is copied and filled up."""

    def __init__(self, builder: ir.IRBuilder, x: Any, k: Any) -> None:
        self.builder, self.x = builder, x
        self.vectors = builder.sdiv(k, ir.Constant(I64, WIDE))
        self.rest = builder.srem(k, ir.Constant(I64, WIDE))
        self.has_rest = builder.icmp_signed(">", self.rest, ir.Constant(I64, 0))
        spare = cgutils.alloca_once(builder, _FLOATS)
        self.spare = builder.bitcast(spare, I8.as_pointer())
        with builder.if_then(self.has_rest, likely=False):
            builder.store(splat(0.0, _FLOATS), spare)
            start = builder.mul(self.vectors, ir.Constant(I64, 4 * WIDE))
            with cgutils.for_range(builder, self.rest) as loop:
                offset = builder.mul(loop.index, ir.Constant(I64, 4))
                value = load(builder, x, builder.add(start, offset), F32, 4)
                builder.store(value, at(builder, self.spare, offset, F32))

    def each(self, take: Callable[[Any, Any, int], None], unroll: int) -> None:
        """Emit ``take(pointer, vector index, slot)`` for every vector, slots 0..unroll-1."""
        builder, step = self.builder, ir.Constant(I64, unroll)
        groups = builder.sdiv(self.vectors, step)

        def one(index: Any, slot: int) -> None:
            place = builder.gep(self.x, [builder.mul(index, ir.Constant(I64, 4 * WIDE))])
            take(place, index, slot)

        with cgutils.for_range(builder, groups) as loop:
            first = builder.mul(loop.index, step)
            for slot in range(unroll):
                one(builder.add(first, ir.Constant(I64, slot)), slot)
        with cgutils.for_range(builder, self.vectors, start=builder.mul(groups, step)) as loop:
            one(loop.index, 0)
        with builder.if_then(self.has_rest, likely=False):
            take(self.spare, self.vectors, 0)


def largest_bits(builder: ir.IRBuilder, row: Row) -> Any:
    """Emit the largest absolute value of a row, as the bits of a float.

    Compared as integers: without the sign bit, floats order like their bits, and infinity
    and NaN come out on top instead of vanishing as they may in a float maximum.
    """
    tops = [cgutils.alloca_once_value(builder, splat(0, _BITS)) for _ in range(4)]

    def larger(a: Any, b: Any) -> Any:
        return builder.select(builder.icmp_signed(">", a, b), a, b)

    def take(place: Any, index: Any, slot: int) -> None:
        bits = builder.and_(load(builder, place, 0, _BITS, 4), splat(0x7FFFFFFF, _BITS))
        builder.store(larger(bits, builder.load(tops[slot])), tops[slot])

    row.each(take, len(tops))
    top = functools.reduce(larger, [builder.load(slot) for slot in tops])
    return fold(builder, top, larger)


def fold(builder: ir.IRBuilder, vector: Any, combine: Any) -> Any:
    """Reduce a vector to one lane by halving."""
    count = vector.type.count
    while count > 1:
        half = count // 2
        index = ir.VectorType(I32, half)
        poison = ir.Constant(vector.type, ir.Undefined)
        low = builder.shuffle_vector(vector, poison, ir.Constant(index, list(range(half))))
        high = builder.shuffle_vector(vector, poison, ir.Constant(index, list(range(half, count))))
        vector = combine(low, high)
        count = half
    return builder.extract_element(vector, ir.Constant(I32, 0))


def scale_of(builder: ir.IRBuilder, bits: Any, most: int = MOST["int8"]) -> Any:
    """Emit max(max |x|, 1e-5) / most from the bits of max |x|; NaN if that is not finite."""
    floor = ir.Constant(F32, float(FLOOR))
    largest = builder.bitcast(bits, F32)
    largest = builder.select(builder.fcmp_ordered(">", largest, floor), largest, floor)
    scale = builder.fdiv(largest, ir.Constant(F32, float(most)))
    bad = builder.icmp_signed(">=", bits, ir.Constant(I32, _INFINITY_BITS))
    return builder.select(bad, ir.Constant(F32, float("nan")), scale)


def codes_of(builder: ir.IRBuilder, place: Any, divisor: Any) -> Any:
    """Emit words whose low bytes are the int8 codes of the 16 floats at ``place``."""
    value = builder.fdiv(load(builder, place, 0, _FLOATS, 4), divisor)
    return builder.bitcast(builder.fadd(value, splat(_MAGIC, _FLOATS)), _BITS)


def emit_codes(builder: ir.IRBuilder, row: Row, scale: Any, out: Any) -> Any:
    """Emit division by ``scale``, rounding and storing of int8 codes; return their sum.

    |x / scale| is at most 127 (or 63) but for its last bit, so that rounding never leaves int8.
    """
    divisor = broadcast(builder, scale, WIDE)
    totals = [cgutils.alloca_once_value(builder, splat(0, _BITS)) for _ in range(2)]

    def take(place: Any, index: Any, slot: int) -> None:
        bits = codes_of(builder, place, divisor)
        # each term brings _MAGIC_BITS along: taken out at the end, all modulo 2^32
        builder.store(builder.add(builder.load(totals[slot]), bits), totals[slot])
        sink = builder.gep(out, [builder.mul(index, ir.Constant(I64, WIDE))])
        builder.store(builder.trunc(bits, _BYTES), at(builder, sink, 0, _BYTES)).align = 1

    row.each(take, len(totals))
    summed = functools.reduce(builder.add, [builder.load(slot) for slot in totals])
    vectors = builder.add(row.vectors, builder.zext(row.has_rest, I64))
    count = builder.trunc(builder.mul(vectors, ir.Constant(I64, WIDE)), I32)
    extra = builder.mul(count, ir.Constant(I32, _MAGIC_BITS))
    return builder.sub(fold(builder, summed, builder.add), extra)


NOTES = 8
"""Bytes that are noted down per row: scale (float32), sum of the codes (int32)."""


def emit_row(builder: ir.IRBuilder, target: Target, x: Any, k: Any, codes: Any, notes: Any) -> None:
    """Emit quantisation of ``k`` floats: codes, filled up to whole blocks by zeros, and notes."""
    row = Row(builder, x, k)
    scale = scale_of(builder, largest_bits(builder, row), target.most)
    total = emit_codes(builder, row, scale, codes)
    builder.store(scale, at(builder, notes, 0, F32)).align = 4
    builder.store(total, at(builder, notes, 4, I32)).align = 4


def emit_copy(
    builder: ir.IRBuilder, target: Target, x: Any, k: Any, codes: Any, notes: Any
) -> None:
    """Emit a copy of ``k`` int8 codes, filled up to whole blocks by zeros; note their sum."""
    total = cgutils.alloca_once_value(builder, ir.Constant(I32, 0))
    with cgutils.for_range(builder, k) as loop:
        value = builder.load(builder.gep(x, [loop.index]))
        builder.store(value, builder.gep(codes, [loop.index]))
        builder.store(builder.add(builder.load(total), builder.sext(value, I32)), total)
    fifteen = ir.Constant(I64, BLOCK - 1)
    whole = builder.and_(builder.add(k, fifteen), builder.not_(fifteen))
    with cgutils.for_range(builder, whole, start=k) as loop:
        builder.store(ir.Constant(I8, 0), builder.gep(codes, [loop.index]))
    builder.store(builder.load(total), at(builder, notes, 4, I32)).align = 4
