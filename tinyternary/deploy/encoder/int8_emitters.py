"""Attention's products of bytes, and its softmax, as vector IR (lessons 05 and 10).

Each operation on floats is the one of `tinyternary.deploy.int8_attention`, rounded as there: no
multiplication and addition are fused.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
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
from tinyternary.deploy.encoder.polynomials import EXP2
from tinyternary.kernels.simd import quantize
from tinyternary.kernels.simd.quantize import fold
from tinyternary.kernels.simd.targets import F32, I8, I16, I32, I64, Target, call_named, splat
from tinyternary.kernels.simd.vectors import at, broadcast, load

_BITS = ir.VectorType(I32, WIDE)
_BYTES = ir.VectorType(I8, WIDE)
_INFINITY = float("inf")


def offset(target: Target) -> int:
    """Return what queries' codes have added: `vpdpbusd` takes its first bytes without a sign."""
    return 128 if target.name in ("avx512", "avxvnni") else 0


def dot(
    builder: ir.IRBuilder, target: Target, total: Any, left: Any, right: Any, shares: bool
) -> Any:
    """Emit total + four products of bytes for every word of ``right``, which have signs.

    ``left`` is one word in every lane: `offset` queries, or ``shares`` of 0 to 127.
    """
    if target.name == "avx2":
        # pairs are added in 16 bits: 2 * 127 * 127 fits them
        left, right = builder.bitcast(left, target.codes), builder.bitcast(right, target.codes)
        if not shares:  # the same products of unsigned and signed bytes
            name = "llvm.x86.avx2.psign.b"
            right = call_named(builder, name, target.codes, (right, left))
            left = call_named(builder, name, target.codes, (left, left))
        pairs = call_named(
            builder, "llvm.x86.avx2.pmadd.ub.sw", ir.VectorType(I16, 16), (left, right)
        )
        ones = splat(1, pairs.type)
        fours = call_named(builder, "llvm.x86.avx2.pmadd.wd", target.words, (pairs, ones))
        return builder.add(total, fours)
    if target.name == "vector":
        wide = ir.VectorType(I32, target.width)
        left, right = (
            builder.sext(builder.bitcast(side, target.codes), wide) for side in (left, right)
        )
        products = builder.mul(left, right)
        for _ in range(2):
            products = target.add_neighbors(builder, products)
        return builder.add(total, products)
    return target.dot(builder, total, left, right)


def emit_int8_tile(
    builder: ir.IRBuilder, target: Target, columns: int, shares: bool, a: Any, a_step: Any,
    b: Any, b_step: Any, depth: Any, start: tuple[Any, Any] | None, out: Any, out_step: Any,
) -> None:  # fmt: skip
    """Emit out = start + a b for one tile of int32; steps in bytes.

    Parameters
    ----------
    columns : int
        Vectors of b.
    shares : bool
        Whether a has shares, or else the codes of queries.
    a, b : pointers to bytes
        a (rows, 4 depth) bytes; b (depth, columns * lanes) words of four bytes.
    out : pointer to bytes
        (rows, columns * lanes) int32.
    start : (pointer to bytes, step), optional
        As out; step 0: every row begins with the same. By default all begin with 0.
    """
    rows, lanes = target.rows, target.lanes

    def place(step: Any, row: int, column: int) -> Any:
        begin = builder.mul(step, ir.Constant(I64, row))
        return builder.add(begin, ir.Constant(I64, column * lanes * 4))

    def begin(row: int, column: int) -> Any:
        if start is None:
            return splat(0, target.words)
        return load(builder, start[0], place(start[1], row, column), target.words, 4)

    tile = [
        [cgutils.alloca_once_value(builder, begin(row, column)) for column in range(columns)]
        for row in range(rows)
    ]
    with cgutils.for_range(builder, depth) as loop:
        here, word = builder.mul(loop.index, b_step), builder.mul(loop.index, ir.Constant(I64, 4))
        vectors = [
            load(builder, b, builder.add(here, ir.Constant(I64, c * lanes * 4)), target.words, 4)
            for c in range(columns)
        ]
        for row in range(rows):
            at_row = builder.add(builder.mul(a_step, ir.Constant(I64, row)), word)
            left = broadcast(builder, load(builder, a, at_row, I32, 1), lanes)
            for column in range(columns):
                slot = tile[row][column]
                total = dot(builder, target, builder.load(slot), left, vectors[column], shares)
                builder.store(total, slot)
    for row in range(rows):
        for column in range(columns):
            store(builder, out, place(out_step, row, column), builder.load(tile[row][column]))


def emit_key(
    builder: ir.IRBuilder, target: Target, x: Any, width: Any, codes: Any, scale: Any, start: Any
) -> None:
    """Emit absmax int8 of ``width`` floats, zeros up to a whole vector; store its scale.

    ``start`` receives what takes the `offset` of queries out of a product with this key.
    """
    total = _emit_row(builder, x, width, codes, scale)
    total = builder.mul(total, ir.Constant(I32, -offset(target)))
    store(builder, start, ir.Constant(I64, 0), total)


def emit_query(
    builder: ir.IRBuilder, target: Target, x: Any, width: Any, codes: Any, scale: Any
) -> None:
    """Emit absmax int8 of ``width`` floats, with the `offset` of queries; store its scale."""
    _emit_row(builder, x, width, codes, scale)
    if offset(target):
        fifteen = ir.Constant(I64, WIDE - 1)
        vectors = builder.sdiv(builder.add(width, fifteen), ir.Constant(I64, WIDE))
        with each(builder, vectors) as loop:
            place = at(builder, codes, builder.mul(loop.index, ir.Constant(I64, WIDE)), _BYTES)
            value = builder.load(place)
            value.align = 1
            builder.store(builder.xor(value, splat(-128, _BYTES)), place).align = 1


def _emit_row(builder: ir.IRBuilder, x: Any, width: Any, codes: Any, scale: Any) -> Any:
    row = quantize.Row(builder, x, width)
    found = quantize.scale_of(builder, quantize.largest_bits(builder, row))
    store(builder, scale, ir.Constant(I64, 0), found)
    return quantize.emit_codes(builder, row, found, codes)


def emit_largest(builder: ir.IRBuilder, x: Any, width: Any, bits: Any) -> None:
    """Emit bits = max(bits, those of the largest of ``width`` absolute values)."""
    so_far = load(builder, bits, 0, I32, 4)
    found = quantize.largest_bits(builder, quantize.Row(builder, x, width))
    larger = builder.select(builder.icmp_signed(">", found, so_far), found, so_far)
    store(builder, bits, ir.Constant(I64, 0), larger)


def emit_scale(builder: ir.IRBuilder, bits: Any, scale: Any) -> None:
    """Emit the scale that belongs to the bits of the largest absolute value."""
    found = quantize.scale_of(builder, load(builder, bits, 0, I32, 4))
    store(builder, scale, ir.Constant(I64, 0), found)


def emit_scaled_row(builder: ir.IRBuilder, x: Any, width: Any, scale: Any, codes: Any) -> None:
    """Emit int8 codes of ``width`` floats at a scale that is given."""
    quantize.emit_codes(builder, quantize.Row(builder, x, width), scale, codes)


def emit_shares(
    builder: ir.IRBuilder, scores: Any, key_scales: Any, gain: Any, seen: Any, vectors: Any,
    own: Any, result: Any,
) -> None:  # fmt: skip
    """Emit shares of a row in place: the int32 of ``scores`` become bytes, in a quarter of it.

    Parameters
    ----------
    scores : pointer to bytes
        int32, ``vectors`` of 16.
    key_scales : pointer to bytes
        float32 by which each is multiplied; then by ``gain``.
    seen : int64
        How many are; the others' shares become 0.
    own : pointer to bytes
        The head's two `records.MEMORY.head_scales`.
    result : pointer to bytes
        Receives what a sum of shares times values is multiplied by.
    """
    lowest = cgutils.alloca_once_value(builder, splat(-_INFINITY, ROW))
    factor = broadcast(builder, gain, WIDE)
    whole = builder.sdiv(seen, ir.Constant(I64, WIDE))
    lanes = ir.Constant(ir.VectorType(I64, WIDE), list(range(WIDE)))

    def larger(a: Any, b: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", a, b), a, b)

    def scale(loop: Any, masked: bool) -> None:
        here = bytes_at(builder, loop)
        value = builder.sitofp(load(builder, scores, here, _BITS, 4), ROW)
        value = builder.fmul(value, load(builder, key_scales, here, ROW, 4))
        value = builder.fmul(value, factor)
        if masked:
            first = broadcast(builder, builder.mul(loop.index, ir.Constant(I64, WIDE)), WIDE)
            place = builder.add(first, lanes)
            inside = builder.icmp_signed("<", place, broadcast(builder, seen, WIDE))
            value = builder.select(inside, value, splat(-_INFINITY, ROW))
        store(builder, scores, here, value)
        builder.store(larger(value, builder.load(lowest)), lowest)

    with each(builder, whole) as loop:
        scale(loop, masked=False)
    with cgutils.for_range(builder, vectors, start=whole) as loop:
        scale(loop, masked=True)
    top = fold(builder, builder.load(lowest), larger)
    # infinity less itself is NaN; a scale of NaN loses every comparison, and is looked for too
    fault = builder.fadd(builder.fsub(top, top), builder.fsub(gain, gain))
    fault = builder.fadd(fault, load(builder, own, 4, F32, 4))
    largest = broadcast(builder, top, WIDE)
    sums = cgutils.alloca_once_value(builder, splat(0, _BITS))
    with each(builder, vectors) as loop:
        value = builder.fsub(load(builder, scores, bytes_at(builder, loop), ROW, 4), largest)
        value = builder.fmul(_exp2(builder, value), splat(float(MOST["int8"]), ROW))
        bits = builder.bitcast(builder.fadd(value, splat(ROUND, ROW)), _BITS)
        bits = builder.sub(bits, splat(ROUND_BITS, _BITS))
        builder.store(builder.add(builder.load(sums), bits), sums)
        # a quarter of the way that has been read: nothing is overwritten before its turn
        sink = at(builder, scores, builder.mul(loop.index, ir.Constant(I64, WIDE)), _BYTES)
        builder.store(builder.trunc(bits, _BYTES), sink).align = 1
    total = builder.sitofp(fold(builder, builder.load(sums), builder.add), F32)
    found = builder.fadd(builder.fdiv(load(builder, own, 0, F32, 4), total), fault)
    store(builder, result, ir.Constant(I64, 0), found)


def _exp2(builder: ir.IRBuilder, x: Any) -> Any:
    """Emit `int8_attention.exp2` for a vector of floats up to 0."""
    kind = x.type
    low = splat(-126.0, kind)
    x = builder.select(builder.fcmp_ordered("<", x, low), low, x)
    shifted = builder.fadd(x, splat(ROUND, kind))
    rest = builder.fsub(x, builder.fsub(shifted, splat(ROUND, kind)))
    value = splat(EXP2[0], kind)
    for coefficient in EXP2[1:]:
        value = builder.fadd(builder.fmul(value, rest), splat(coefficient, kind))
    words = ir.VectorType(I32, kind.count)
    power = builder.shl(builder.bitcast(shifted, words), splat(23, words))
    return builder.bitcast(builder.add(builder.bitcast(value, words), power), kind)


def emit_mixed_row(builder: ir.IRBuilder, x: Any, vectors: Any, gain: Any) -> None:
    """Emit float(x) * gain for a row of int32, in place."""
    factor = broadcast(builder, gain, WIDE)
    with each(builder, vectors) as loop:
        here = bytes_at(builder, loop)
        value = builder.sitofp(load(builder, x, here, _BITS, 4), ROW)
        store(builder, x, here, builder.fmul(value, factor))
