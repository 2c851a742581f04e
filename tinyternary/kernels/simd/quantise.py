"""Absmax quantisation of one row in vector code (lesson 08_packing_and_kernels).

Two passes over the row, sixteen floats at a time: the largest absolute value, then division,
rounding and the sum of the int8 codes, which the tile needs to correct for unsigned codes.
The same operations in the same order as `tinyternary.kernels.reference.quantise`.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils

from tinyternary.kernels.simd.targets import F32, I8, I32, I64, splat
from tinyternary.kernels.simd.tile import broadcast, load

WIDE = 16
_FLOATS = ir.VectorType(F32, WIDE)
_BITS = ir.VectorType(I32, WIDE)
_BYTES = ir.VectorType(I8, WIDE)

_MAGIC = 12582912.0
"""1.5 * 2^23: adding it leaves a float's fraction with no room, so the sum is rounded half to
even and its low byte is the integer as int8. No conversion instruction is needed."""
_MAGIC_BITS = 0x4B400000
_INFINITY_BITS = 0x7F800000
_FLOOR = 1e-5


def largest_bits(builder: ir.IRBuilder, x: Any, vectors: Any) -> Any:
    """Emit the largest absolute value of ``vectors`` * 16 floats, as the bits of a float.

    Compared as integers: without the sign bit, floats order like their bits, and infinity
    and NaN come out on top instead of vanishing as they may in a float maximum.
    """
    tops = [cgutils.alloca_once_value(builder, splat(0, _BITS)) for _ in range(4)]

    def take(offset: Any, slot: Any) -> None:
        bits = load(builder, x, offset, _BITS, 4)
        bits = builder.and_(bits, splat(0x7FFFFFFF, _BITS))
        top = builder.load(slot)
        builder.store(builder.select(builder.icmp_signed(">", bits, top), bits, top), slot)

    fours = builder.sdiv(vectors, ir.Constant(I64, 4))
    with cgutils.for_range(builder, fours) as loop:
        here = builder.mul(loop.index, ir.Constant(I64, 4 * 4 * WIDE))
        for part, slot in enumerate(tops):
            take(builder.add(here, ir.Constant(I64, part * 4 * WIDE)), slot)
    with cgutils.for_range(builder, vectors, start=builder.mul(fours, ir.Constant(I64, 4))) as loop:
        take(builder.mul(loop.index, ir.Constant(I64, 4 * WIDE)), tops[0])

    top = builder.load(tops[0])
    for slot in tops[1:]:
        other = builder.load(slot)
        top = builder.select(builder.icmp_signed(">", other, top), other, top)
    return fold(builder, top, lambda a, b: builder.select(builder.icmp_signed(">", a, b), a, b))


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


def scale_of(builder: ir.IRBuilder, bits: Any) -> Any:
    """Emit max(max |x|, 1e-5) / 127 from the bits of max |x|; NaN if that is not finite."""
    floor = ir.Constant(F32, _FLOOR)
    largest = builder.bitcast(bits, F32)
    largest = builder.select(builder.fcmp_ordered(">", largest, floor), largest, floor)
    scale = builder.fdiv(largest, ir.Constant(F32, 127.0))
    bad = builder.icmp_signed(">=", bits, ir.Constant(I32, _INFINITY_BITS))
    return builder.select(bad, ir.Constant(F32, float("nan")), scale)


def emit_codes(builder: ir.IRBuilder, x: Any, vectors: Any, scale: Any, out: Any) -> Any:
    """Emit division by ``scale``, rounding and storing of int8 codes; return their sum.

    |x / scale| is at most 127 but for its last bit, so that rounding never leaves int8.
    """
    divisor = broadcast(builder, scale, WIDE)
    # one lane too many in the sum for each code, taken out at the end: arithmetic modulo 2^32
    total = [cgutils.alloca_once_value(builder, splat(0, _BITS)) for _ in range(2)]

    def take(index: Any, slot: Any) -> None:
        value = load(builder, x, builder.mul(index, ir.Constant(I64, 4 * WIDE)), _FLOATS, 4)
        value = builder.fadd(builder.fdiv(value, divisor), splat(_MAGIC, _FLOATS))
        bits = builder.bitcast(value, _BITS)
        builder.store(builder.add(builder.load(slot), bits), slot)
        place = builder.gep(out, [builder.mul(index, ir.Constant(I64, WIDE))])
        place = builder.bitcast(place, _BYTES.as_pointer())
        builder.store(builder.trunc(bits, _BYTES), place).align = 1

    pairs = builder.sdiv(vectors, ir.Constant(I64, 2))
    with cgutils.for_range(builder, pairs) as loop:
        first = builder.mul(loop.index, ir.Constant(I64, 2))
        take(first, total[0])
        take(builder.add(first, ir.Constant(I64, 1)), total[1])
    with cgutils.for_range(builder, vectors, start=builder.mul(pairs, ir.Constant(I64, 2))) as loop:
        take(loop.index, total[0])
    summed = builder.add(builder.load(total[0]), builder.load(total[1]))
    count = builder.trunc(builder.mul(vectors, ir.Constant(I64, WIDE)), I32)
    extra = builder.mul(count, ir.Constant(I32, _MAGIC_BITS))
    return builder.sub(fold(builder, summed, builder.add), extra)
