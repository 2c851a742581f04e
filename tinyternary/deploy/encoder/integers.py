"""The pieces of attention in 8-bit integers as vector IR (lessons 05 and 08_packing_and_kernels).

Operation by operation what `tinyternary.deploy.int8_attention` computes, to the last bit: so no
fused multiply-adds here, and divisions where that divides.

Codes stand in 32-bit words, as many of them as a processor multiplies and adds up in one
instruction: four bytes where it has one for bytes, otherwise two numbers of 16 bits. What is
multiplied with a broadcast word (keys, values) lies as (vectors of outputs, words, lanes).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending
from numba.core import cgutils

from tinyternary.config.grid import MOST
from tinyternary.deploy.encoder.emitters import (
    ROUND,
    ROUND_BITS,
    ROW,
    WIDE,
    bytes_at,
    each,
    store,
)
from tinyternary.deploy.encoder.intrinsics import ADDRESS, FLOAT, INDEX, Target, operation
from tinyternary.deploy.encoder.polynomials import EXP2
from tinyternary.kernels.simd import targets
from tinyternary.kernels.simd.quantize import codes_of, fold, scale_of
from tinyternary.kernels.simd.targets import F32, I8, I16, I32, I64, call_named, splat
from tinyternary.kernels.simd.vectors import broadcast, load

BLOCK = 32
"""Tokens at a time when scores become shares."""
_BITS = ir.VectorType(I32, WIDE)
_UNSIGNED = ("avx512", "avxvnni", "lookup7")
"""Those whose instruction takes its first bytes as 0 to 255."""
_OFFSET = 128
"""What makes a signed byte one of those."""


def key_unit(target: targets.Target) -> int:
    """Return how many codes of a query or key a word holds: 4 or 2."""
    return 4 if target.name in (*_UNSIGNED, "neon") else 2


def share_unit(target: targets.Target) -> int:
    """Return how many shares, or codes of values, a word holds.

    A share is never negative: AVX2 multiplies bytes of which one is unsigned, and two products
    of 127 times 127 fit its sums of 16 bits.
    """
    return 4 if target.name == "avx2" else key_unit(target)


def apart(target: targets.Target) -> int:
    """Return how many tokens apart those in a word are: what takes fewest moves of lanes."""
    return target.lanes if target.name == "avx2" else 1


def _attribute(compute: Any) -> None:
    def get(target):  # type: ignore[no-untyped-def]  # Numba compares it with the lambda
        value = compute(target.target)
        return lambda target: value

    extending.overload_attribute(Target, compute.__name__)(get)


for _compute in (key_unit, share_unit, apart):
    _attribute(_compute)


def dot(
    builder: ir.IRBuilder, target: targets.Target, unit: int, total: Any, a: Any, b: Any
) -> Any:
    """Emit ``total`` plus the products of the ``unit`` codes in each word of ``a`` and ``b``.

    Where words hold bytes those of ``a`` may have to be unsigned, see `_UNSIGNED`.
    """
    halves = ir.VectorType(I16, target.width // 2)
    if target.name == "avx2":
        if unit == 4:
            a, b = builder.bitcast(a, target.codes), builder.bitcast(b, target.codes)
            a = call_named(builder, "llvm.x86.avx2.pmadd.ub.sw", halves, (a, b))
            b = splat(1, halves)
        a, b = builder.bitcast(a, halves), builder.bitcast(b, halves)
        pairs = call_named(builder, "llvm.x86.avx2.pmadd.wd", target.words, (a, b))
        return builder.add(total, pairs)
    if unit == 4:
        return target.dot(builder, total, a, b)
    wide = ir.VectorType(I32, halves.count)
    a, b = (builder.sext(builder.bitcast(words, halves), wide) for words in (a, b))
    products = builder.mul(a, b)
    for first in (0, 1):
        picked = ir.Constant(ir.VectorType(I32, target.lanes), list(range(first, halves.count, 2)))
        total = builder.add(total, builder.shuffle_vector(products, products, picked))
    return total


# ---- codes -----------------------------------------------------------------------------------


def _largest(builder: ir.IRBuilder, x: Any, vectors: Any) -> Any:
    """Emit the largest absolute value of a row as bits: NaN and infinity come out on top."""
    top = cgutils.alloca_once(builder, _BITS)
    builder.store(splat(0, _BITS), top)
    with each(builder, vectors) as loop:
        bits = load(builder, x, bytes_at(builder, loop), _BITS, 4)
        bits = builder.and_(bits, splat(0x7FFFFFFF, _BITS))
        builder.store(_larger(builder, bits, builder.load(top)), top)
    return fold(builder, builder.load(top), lambda a, b: _larger(builder, a, b))


def _larger(builder: ir.IRBuilder, a: Any, b: Any) -> Any:
    return builder.select(builder.icmp_signed(">", a, b), a, b)


def _narrow(builder: ir.IRBuilder, unit: int, numbers: Any) -> Any:
    """Emit the low bits of 32-bit numbers side by side, as codes lie in words."""
    kind = I8 if unit == 4 else I16
    return builder.trunc(numbers, ir.VectorType(kind, numbers.type.count))


def _codes(builder: ir.IRBuilder, x: Any, loop: Any, divisor: Any) -> Any:
    """Emit the codes of one vector of a row as 32-bit numbers."""
    bits = codes_of(builder, builder.gep(x, [bytes_at(builder, loop)]), divisor)
    return builder.sub(bits, splat(ROUND_BITS, _BITS))


def emit_query(
    builder: ir.IRBuilder, target: targets.Target, x: Any, vectors: Any, gain: Any, codes: Any,
    factor: Any,
) -> None:  # fmt: skip
    """Emit a query's codes, and its scale times ``gain`` at ``factor``."""
    unit = key_unit(target)
    scale = scale_of(builder, _largest(builder, x, vectors))
    store(builder, factor, ir.Constant(I64, 0), builder.fmul(scale, gain))
    divisor = broadcast(builder, scale, WIDE)
    with each(builder, vectors) as loop:
        numbers = _codes(builder, x, loop, divisor)
        if target.name in _UNSIGNED:
            numbers = builder.add(numbers, splat(_OFFSET, _BITS))
        place = builder.mul(loop.index, ir.Constant(I64, WIDE * 4 // unit))
        store(builder, codes, place, _narrow(builder, unit, numbers))


def emit_key(
    builder: ir.IRBuilder, target: targets.Target, x: Any, vectors: Any, out: Any, scale: Any,
    start: Any,
) -> None:  # fmt: skip
    """Emit a key's codes as one lane of a vector of keys, its scale, and where its sums start.

    That is at what takes `_OFFSET` times the sum of its codes out again.
    """
    found = scale_of(builder, _largest(builder, x, vectors))
    store(builder, scale, ir.Constant(I64, 0), found)
    divisor = broadcast(builder, found, WIDE)
    total = cgutils.alloca_once(builder, _BITS)
    builder.store(splat(0, _BITS), total)
    unit = key_unit(target)
    words = WIDE // unit
    with each(builder, vectors) as loop:
        numbers = _codes(builder, x, loop, divisor)
        builder.store(builder.add(builder.load(total), numbers), total)
        packed = _narrow(builder, unit, numbers)
        packed = builder.bitcast(packed, ir.VectorType(I32, words))
        begin = builder.mul(loop.index, ir.Constant(I64, words * target.width))
        for word in range(words):
            value = builder.extract_element(packed, ir.Constant(I32, word))
            place = builder.add(begin, ir.Constant(I64, word * target.width))
            store(builder, out, place, value)
    sum_ = fold(builder, builder.load(total), builder.add)
    taken = -_OFFSET if target.name in _UNSIGNED else 0
    store(builder, start, ir.Constant(I64, 0), builder.mul(sum_, ir.Constant(I32, taken)))


def emit_top(builder: ir.IRBuilder, x: Any, vectors: Any, top: Any) -> None:
    """Emit top = max(top, max |x|), as bits."""
    found = _larger(builder, _largest(builder, x, vectors), load(builder, top, 0, I32, 4))
    store(builder, top, ir.Constant(I64, 0), found)


def emit_scale_of_top(builder: ir.IRBuilder, top: Any) -> None:
    """Emit the scale of what has this largest absolute value, in its place."""
    store(builder, top, ir.Constant(I64, 0), scale_of(builder, load(builder, top, 0, I32, 4)))


def emit_values(
    builder: ir.IRBuilder, target: targets.Target, x: Any, step: Any, vectors: Any, scale: Any,
    out: Any, column_step: Any,
) -> None:  # fmt: skip
    """Emit the codes of the tokens that stand in one word, a word for each column.

    Their rows lie ``step`` bytes apart, and each vector of columns ``column_step``.
    """
    unit, lanes = share_unit(target), target.lanes
    divisor = broadcast(builder, load(builder, scale, 0, F32, 4), WIDE)
    bits = 32 // unit
    with each(builder, vectors) as loop:
        word: Any = splat(0, _BITS)
        for row in range(unit):
            here = builder.gep(x, [builder.mul(step, ir.Constant(I64, row))])
            numbers = builder.and_(_codes(builder, here, loop, divisor), splat(2**bits - 1, _BITS))
            word = builder.or_(word, builder.shl(numbers, splat(bits * row, _BITS)))
        first = builder.mul(loop.index, ir.Constant(I64, WIDE // lanes))
        for number, part in enumerate(_parts(builder, word, lanes)):
            column = builder.mul(builder.add(first, ir.Constant(I64, number)), column_step)
            store(builder, out, column, part)


# ---- products --------------------------------------------------------------------------------


def _sums(
    builder: ir.IRBuilder, target: targets.Target, columns: int, a: Any, a_step: Any, b: Any,
    column_step: Any, words: Any, unit: int, starts: Any = None,
) -> list[list[Any]]:  # fmt: skip
    """Emit the sums of one tile, [row][column], from ``starts``, one for each output, or from 0."""
    kind, rows = target.words, target.rows
    total = [[cgutils.alloca_once(builder, kind) for _ in range(columns)] for _ in range(rows)]
    for column in range(columns):
        begin = splat(0, kind)
        if starts is not None:
            begin = load(builder, starts, column * target.width, kind, 4)
        for row in range(rows):
            builder.store(begin, total[row][column])
    steps = [builder.mul(a_step, ir.Constant(I64, row)) for row in range(rows)]
    heads = [builder.gep(a, [step]) for step in steps]
    vectors = [
        builder.gep(b, [builder.mul(column_step, ir.Constant(I64, column))])
        for column in range(columns)
    ]
    with cgutils.for_range(builder, words) as loop:
        there = builder.mul(loop.index, ir.Constant(I64, target.width))
        found = [load(builder, vector, there, kind, 4) for vector in vectors]
        here = builder.mul(loop.index, ir.Constant(I64, 4))
        for row in range(rows):
            word = broadcast(builder, load(builder, heads[row], here, I32, 4), target.lanes)
            for column in range(columns):
                slot = total[row][column]
                builder.store(
                    dot(builder, target, unit, builder.load(slot), word, found[column]), slot
                )
    return [[builder.load(slot) for slot in slots] for slots in total]


def _store_tile(
    builder: ir.IRBuilder, target: targets.Target, sums: list[list[Any]], gain: Any, out: Any,
    out_step: Any,
) -> None:  # fmt: skip
    """Emit out = float(sum) * ``gain(row, column)``."""
    kind = ir.VectorType(F32, target.lanes)
    for row, slots in enumerate(sums):
        begin = builder.mul(out_step, ir.Constant(I64, row))
        for column, value in enumerate(slots):
            place = builder.add(begin, ir.Constant(I64, column * target.width))
            product = builder.fmul(builder.sitofp(value, kind), gain(row, column))
            store(builder, out, place, product)


def score_emitter(columns: int | None) -> Any:
    """Return what emits scores of so many vectors of keys (None: of a whole tile).

    Yet without the query's factor: float(sum) times the key's scale.
    """

    def emit(
        builder: ir.IRBuilder, target: targets.Target, queries: Any, step: Any, keys: Any,
        key_step: Any, words: Any, starts: Any, scales: Any, out: Any, out_step: Any,
    ) -> None:  # fmt: skip
        wide = columns or target.columns
        kind = ir.VectorType(F32, target.lanes)
        begin = starts if target.name in _UNSIGNED else None
        sums = _sums(
            builder, target, wide, queries, step, keys, key_step, words, key_unit(target), begin
        )
        by_key = [load(builder, scales, column * target.width, kind, 4) for column in range(wide)]
        _store_tile(builder, target, sums, lambda row, column: by_key[column], out, out_step)

    return emit


def mix_emitter(columns: int | None) -> Any:
    """Return what emits so many vectors of mixed values: float(sum) times the row's gain."""

    def emit(
        builder: ir.IRBuilder, target: targets.Target, shares: Any, step: Any, values: Any,
        value_step: Any, words: Any, gains: Any, out: Any, out_step: Any,
    ) -> None:  # fmt: skip
        wide = columns or target.columns
        sums = _sums(
            builder, target, wide, shares, step, values, value_step, words, share_unit(target)
        )
        by_row = [
            broadcast(builder, load(builder, gains, 4 * row, F32, 4), target.lanes)
            for row in range(target.rows)
        ]
        _store_tile(builder, target, sums, lambda row, column: by_row[row], out, out_step)

    return emit


# ---- shares ----------------------------------------------------------------------------------


def exp2(builder: ir.IRBuilder, x: Any) -> Any:
    """Emit 2^x for a vector of floats up to 0 as `int8_attention.exp2`: no operation is fused."""
    kind = x.type
    low = splat(-126.0, kind)
    x = builder.select(builder.fcmp_ordered("<", x, low), low, x)
    shifted = builder.fadd(x, splat(ROUND, kind))  # its low bits are x rounded
    rest = builder.fsub(x, builder.fsub(shifted, splat(ROUND, kind)))
    value: Any = splat(EXP2[0], kind)
    for coefficient in EXP2[1:]:
        value = builder.fadd(builder.fmul(value, rest), splat(coefficient, kind))
    words = ir.VectorType(I32, kind.count)
    power = builder.shl(builder.bitcast(shifted, words), splat(23, words))
    return builder.bitcast(builder.add(builder.bitcast(value, words), power), kind)


def _parts(builder: ir.IRBuilder, vector: Any, count: int) -> list[Any]:
    """Cut a vector into pieces of ``count`` lanes."""
    kind = ir.VectorType(I32, count)
    return [
        builder.shuffle_vector(vector, vector, ir.Constant(kind, list(range(first, first + count))))
        for first in range(0, vector.type.count, count)
    ]


def emit_shares(
    builder: ir.IRBuilder, target: targets.Target, x: Any, blocks: Any, factor: Any,
    value_scale: Any, fault: Any,
) -> None:  # fmt: skip
    """Emit a row's shares, codes in its own place; in that of its factor what sums are times of.

    Scores are ``factor * x``. The comparisons lose NaN, so that of a key comes in by ``fault``,
    that of the query by ``factor``; infinity has no difference to itself.
    """
    lowest = float("-inf")
    top = cgutils.alloca_once(builder, ROW)
    builder.store(splat(lowest, ROW), top)

    def larger(a: Any, b: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", a, b), a, b)

    with each(builder, builder.mul(blocks, ir.Constant(I64, BLOCK // WIDE))) as loop:
        value = load(builder, x, bytes_at(builder, loop), ROW, 4)
        builder.store(larger(value, builder.load(top)), top)
    # rounding keeps order: the largest of the products is the product of the largest
    gain = load(builder, factor, 0, F32, 4)
    largest = builder.fmul(fold(builder, builder.load(top), larger), gain)
    total = cgutils.alloca_once(builder, _BITS)
    builder.store(splat(0, _BITS), total)
    unit = share_unit(target)
    wide = ir.VectorType(F32, BLOCK)
    by, peak = broadcast(builder, gain, BLOCK), broadcast(builder, largest, BLOCK)
    # a share is a long chain of operations: in a block some go on while others wait
    with cgutils.for_range(builder, blocks) as loop:
        here = builder.mul(loop.index, ir.Constant(I64, 4 * BLOCK))
        score = builder.fmul(load(builder, x, here, wide, 4), by)
        power = exp2(builder, builder.fsub(score, peak))
        power = builder.fmul(power, splat(float(MOST["int8"]), wide))
        # rounded half to even: ROUND_BITS and an integer
        numbers = builder.bitcast(
            builder.fadd(power, splat(ROUND, wide)), ir.VectorType(I32, BLOCK)
        )
        for part in _parts(builder, numbers, WIDE):
            builder.store(builder.add(builder.load(total), part), total)
        if apart(target) == 1:
            packed = _narrow(builder, unit, numbers)
        else:
            parts = _parts(builder, numbers, apart(target))
            packed, rest = parts[0], ROUND_BITS
            for shift, part in zip((8, 16, 24), parts[1:], strict=True):
                packed = builder.add(packed, builder.shl(part, splat(shift, part.type)))
                rest += ROUND_BITS << shift
            packed = builder.sub(packed, splat(rest % 2**32, packed.type))
        # never past what has been read
        store(builder, x, builder.mul(loop.index, ir.Constant(I64, 4 * BLOCK // unit)), packed)
    times = builder.trunc(builder.mul(blocks, ir.Constant(I64, BLOCK)), I32)
    extra = builder.mul(times, ir.Constant(I32, ROUND_BITS))
    count = builder.sub(fold(builder, builder.load(total), builder.add), extra)
    count = builder.sitofp(count, F32)
    fault = builder.fadd(fault, builder.fsub(largest, largest))
    found = builder.fadd(builder.fdiv(value_scale, count), fault)
    store(builder, factor, ir.Constant(I64, 0), found)


query_row = operation(emit_query, ADDRESS, INDEX, FLOAT, ADDRESS, ADDRESS, of_target=True)
"""``(target, x, vectors, gain, codes, factor)``"""
key_row = operation(emit_key, ADDRESS, INDEX, ADDRESS, ADDRESS, ADDRESS, of_target=True)
"""``(target, x, vectors, out, scale, start)``"""
top_row = operation(emit_top, ADDRESS, INDEX, ADDRESS)
"""``(x, vectors, top)``"""
scale_of_top = operation(emit_scale_of_top, ADDRESS)
"""``(top)``"""
value_rows = operation(emit_values, ADDRESS, INDEX, INDEX, ADDRESS, ADDRESS, INDEX, of_target=True)
"""``(target, x, step, vectors, scale, out, column_step)``"""
share_row = operation(emit_shares, ADDRESS, INDEX, ADDRESS, FLOAT, FLOAT, of_target=True)
"""``(target, x, blocks, factor, value_scale, fault)``"""
_SCORE = (ADDRESS, INDEX, ADDRESS, INDEX, INDEX, ADDRESS, ADDRESS, ADDRESS, INDEX)
_MIX = (ADDRESS, INDEX, ADDRESS, INDEX, INDEX, ADDRESS, ADDRESS, INDEX)
score_tile = operation(score_emitter(None), *_SCORE, of_target=True)
score_strip = operation(score_emitter(1), *_SCORE, of_target=True)
"""``(target, queries, step, keys, key_step, words, starts, scales, out, out_step)``: scores of a
tile of keys, or of one vector of them, yet without the query's factor."""
mix_tile = operation(mix_emitter(None), *_MIX, of_target=True)
mix_strip = operation(mix_emitter(1), *_MIX, of_target=True)
"""``(target, shares, step, values, value_step, words, gains, out, out_step)``"""
