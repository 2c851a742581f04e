"""Float tiles, sums, norms and quantisation as vector IR (lesson 08_packing_and_kernels).

Rows are padded with zeros to whole vectors of `WIDE` floats, so that no loop has
an edge. Each output is summed in one fixed order, whatever tile it falls into:
that is why an image gives the same bits alone and in a batch.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils

from tinyternary.config.grid import FLOOR, MOST
from tinyternary.kernels.simd.quantize import fold
from tinyternary.kernels.simd.targets import F32, I8, I32, I64, splat
from tinyternary.kernels.simd.vectors import broadcast, load

WIDE = 16
"""Floats per step of a row operation."""
ROW = ir.VectorType(F32, WIDE)
_BITS = ir.VectorType(I32, WIDE)
ROUND = 12582912.0  # 1.5 * 2^23: adding it rounds a float to an integer in its low bits
ROUND_BITS = 0x4B400000


def multiply_add(builder: ir.IRBuilder, a: Any, b: Any, c: Any) -> Any:
    """Emit a * b + c: one instruction where the processor has it."""
    name = f"llvm.fmuladd.v{a.type.count}f32"
    kind = ir.FunctionType(a.type, [a.type] * 3)
    module = builder.module
    function = module.globals.get(name) or ir.Function(module, kind, name)
    return builder.call(function, (a, b, c))


def emit_float_tile(
    builder: ir.IRBuilder,
    shape: tuple[int, int, int],
    a: Any,
    a_stride: Any,
    b: Any,
    b_stride: Any,
    depth: Any,
    out: Any,
    out_stride: Any,
    fresh: bool,
) -> None:
    """Emit out = a b (``fresh``) or out += a b for one tile; strides in bytes.

    Parameters
    ----------
    shape : (int, int, int)
        Rows of a, vectors of b, floats in a vector.
    a, b, out : pointers to bytes
        a (rows, depth), b (depth, vectors * lanes), out (rows, vectors * lanes).
    """
    rows, columns, lanes = shape
    kind = ir.VectorType(F32, lanes)
    tile = [[cgutils.alloca_once(builder, kind) for _ in range(columns)] for _ in range(rows)]
    places = []
    for row in range(rows):
        begin = builder.mul(out_stride, ir.Constant(I64, row))
        for column in range(columns):
            offset = builder.add(begin, ir.Constant(I64, column * lanes * 4))
            places.append(offset)
            begin_with = splat(0.0, kind) if fresh else load(builder, out, offset, kind, 4)
            builder.store(begin_with, tile[row][column])
    with cgutils.for_range(builder, depth) as loop:
        here = builder.mul(loop.index, b_stride)
        vectors = [
            load(builder, b, builder.add(here, ir.Constant(I64, c * lanes * 4)), kind, 4)
            for c in range(columns)
        ]
        step = builder.mul(loop.index, ir.Constant(I64, 4))
        for row in range(rows):
            offset = builder.add(builder.mul(a_stride, ir.Constant(I64, row)), step)
            value = broadcast(builder, load(builder, a, offset, F32, 4), lanes)
            for column in range(columns):
                slot = tile[row][column]
                sum_ = multiply_add(builder, value, vectors[column], builder.load(slot))
                builder.store(sum_, slot)
    for row in range(rows):
        for column in range(columns):
            store(builder, out, places[row * columns + column], builder.load(tile[row][column]))


def store(builder: ir.IRBuilder, pointer: Any, offset: Any, value: Any) -> None:
    """Store ``value`` at ``pointer`` (bytes) + ``offset``."""
    place = builder.bitcast(builder.gep(pointer, [offset]), value.type.as_pointer())
    builder.store(value, place).align = 4


def each(builder: ir.IRBuilder, vectors: Any) -> Any:
    """Loop over the vectors of a row."""
    return cgutils.for_range(builder, vectors)


def bytes_at(builder: ir.IRBuilder, loop: Any) -> Any:
    """Offset of a loop's vector in bytes."""
    return builder.mul(loop.index, ir.Constant(I64, 4 * WIDE))


def row_sum(builder: ir.IRBuilder, vectors: Any, term: Any) -> Any:
    """Emit the sum over a row of ``term(offset)``, a vector for each offset in bytes."""
    total = cgutils.alloca_once_value(builder, splat(0.0, ROW))
    with each(builder, vectors) as loop:
        value = term(bytes_at(builder, loop))
        builder.store(builder.fadd(builder.load(total), value), total)
    return fold(builder, builder.load(total), builder.fadd)


def _root(builder: ir.IRBuilder, value: Any) -> Any:
    kind = ir.FunctionType(F32, [F32])
    module = builder.module
    function = module.globals.get("llvm.sqrt.f32") or ir.Function(module, kind, "llvm.sqrt.f32")
    return builder.call(function, (value,))


def emit_add(builder: ir.IRBuilder, x: Any, y: Any, vectors: Any) -> None:
    """Emit x += y for a row."""
    with each(builder, vectors) as loop:
        here = bytes_at(builder, loop)
        both = builder.fadd(load(builder, x, here, ROW, 4), load(builder, y, here, ROW, 4))
        store(builder, x, here, both)


def emit_scale(builder: ir.IRBuilder, x: Any, vectors: Any, factor: Any, out: Any) -> None:
    """Emit out = factor * x for a row."""
    gain = broadcast(builder, factor, WIDE)
    with each(builder, vectors) as loop:
        here = bytes_at(builder, loop)
        store(builder, out, here, builder.fmul(load(builder, x, here, ROW, 4), gain))


def emit_layer_norm(
    builder: ir.IRBuilder, x: Any, weight: Any, bias: Any, width: Any, vectors: Any, eps: Any,
    out: Any,
) -> None:  # fmt: skip
    """Emit (x - mean) / sqrt(var + eps) * weight + bias for a row of ``width`` floats.

    The padding has no part in the squares: there x - mean would be -mean.
    """
    count = builder.sitofp(width, F32)
    total = row_sum(builder, vectors, lambda at: load(builder, x, at, ROW, 4))
    mean = builder.fdiv(total, count)
    center = broadcast(builder, mean, WIDE)
    places = ir.Constant(_BITS, list(range(WIDE)))

    def square(at: Any) -> Any:
        off = builder.fsub(load(builder, x, at, ROW, 4), center)
        left = builder.trunc(builder.sub(width, builder.udiv(at, ir.Constant(I64, 4))), I32)
        inside = builder.icmp_signed("<", places, broadcast(builder, left, WIDE))
        off = builder.select(inside, off, splat(0.0, ROW))
        return builder.fmul(off, off)

    variance = builder.fdiv(row_sum(builder, vectors, square), count)
    factor = builder.fdiv(ir.Constant(F32, 1.0), _root(builder, builder.fadd(variance, eps)))
    scale = broadcast(builder, factor, WIDE)
    with each(builder, vectors) as loop:
        here = bytes_at(builder, loop)
        value = builder.fmul(builder.fsub(load(builder, x, here, ROW, 4), center), scale)
        value = builder.fmul(value, load(builder, weight, here, ROW, 4))
        store(builder, out, here, builder.fadd(value, load(builder, bias, here, ROW, 4)))


def emit_rms_norm(
    builder: ir.IRBuilder, x: Any, weight: Any, width: Any, vectors: Any, eps: Any, out: Any
) -> None:
    """Emit x / sqrt(mean(x^2) + eps) * weight for a row of ``width`` floats."""

    def square(at: Any) -> Any:
        value = load(builder, x, at, ROW, 4)
        return builder.fmul(value, value)

    mean = builder.fdiv(row_sum(builder, vectors, square), builder.sitofp(width, F32))
    factor = builder.fdiv(ir.Constant(F32, 1.0), _root(builder, builder.fadd(mean, eps)))
    scale = broadcast(builder, factor, WIDE)
    with each(builder, vectors) as loop:
        here = bytes_at(builder, loop)
        value = builder.fmul(load(builder, x, here, ROW, 4), scale)
        store(builder, out, here, builder.fmul(value, load(builder, weight, here, ROW, 4)))


def emit_quantize(
    builder: ir.IRBuilder, x: Any, weight: Any | None, width: Any, vectors: Any, eps: Any, out: Any
) -> tuple[Any, Any]:
    """Emit RMSNorm (if there is a ``weight``) and absmax int8 of a row; return scale and sum.

    With y = x * weight the normalised row is r y, r = 1 / sqrt(mean(x^2) + eps), and its
    scale r max |y| / 127: in the codes, round(127 y / max |y|), r cancels. So two passes do:
    squares and maximum, then codes.
    """

    def scaled(at: Any) -> Any:
        value = load(builder, x, at, ROW, 4)
        if weight is None:
            return value, value
        return value, builder.fmul(value, load(builder, weight, at, ROW, 4))

    squares = cgutils.alloca_once_value(builder, splat(0.0, ROW))
    top = cgutils.alloca_once_value(builder, splat(0, _BITS))
    with each(builder, vectors) as loop:
        value, product = scaled(bytes_at(builder, loop))
        # without the sign bit floats order like their bits; NaN and infinity come out on top
        bits = builder.and_(builder.bitcast(product, _BITS), splat(0x7FFFFFFF, _BITS))
        so_far = builder.load(top)
        builder.store(builder.select(builder.icmp_signed(">", bits, so_far), bits, so_far), top)
        if weight is not None:
            builder.store(multiply_add(builder, value, value, builder.load(squares)), squares)

    def larger(a: Any, b: Any) -> Any:
        return builder.select(builder.icmp_signed(">", a, b), a, b)

    largest = builder.bitcast(fold(builder, builder.load(top), larger), F32)
    one = ir.Constant(F32, 1.0)
    factor = one
    if weight is not None:
        total = fold(builder, builder.load(squares), builder.fadd)
        mean = builder.fdiv(total, builder.sitofp(width, F32))
        factor = builder.fdiv(one, _root(builder, builder.fadd(mean, eps)))
    floor = ir.Constant(F32, float(FLOOR))
    normed = builder.fmul(factor, largest)
    # an unordered comparison keeps NaN, so that a fault shows in the outputs
    normed = builder.select(builder.fcmp_ordered("<", normed, floor), floor, normed)
    scale = builder.fdiv(normed, ir.Constant(F32, float(MOST["int8"])))
    gain = broadcast(builder, builder.fdiv(factor, scale), WIDE)
    total = cgutils.alloca_once_value(builder, splat(0, _BITS))
    with each(builder, vectors) as loop:
        _, product = scaled(bytes_at(builder, loop))
        # adding 1.5 * 2^23 rounds half to even and leaves the integer in the low byte
        shifted = builder.fadd(builder.fmul(product, gain), splat(ROUND, ROW))
        bits = builder.sub(builder.bitcast(shifted, _BITS), splat(ROUND_BITS, _BITS))
        builder.store(builder.add(builder.load(total), bits), total)
        place = builder.gep(out, [builder.mul(loop.index, ir.Constant(I64, WIDE))])
        codes = builder.trunc(bits, ir.VectorType(I8, WIDE))
        builder.store(codes, builder.bitcast(place, codes.type.as_pointer())).align = 1
    return scale, fold(builder, builder.load(total), builder.add)


def emit_transpose(
    builder: ir.IRBuilder, x: Any, x_stride: Any, factor: Any, out: Any, out_stride: Any
) -> None:
    """Emit out = factor * x transposed for 16 x 16 floats; strides in bytes.

    Four rounds: in each, rows s apart trade the lanes s apart that lie across the diagonal.
    """
    gain = broadcast(builder, factor, WIDE)
    rows = [
        builder.fmul(load(builder, x, builder.mul(x_stride, ir.Constant(I64, i)), ROW, 4), gain)
        for i in range(WIDE)
    ]
    lanes = ir.VectorType(I32, WIDE)
    for s in (1, 2, 4, 8):
        upper = ir.Constant(lanes, [(j - s + WIDE) if j & s else j for j in range(WIDE)])
        lower = ir.Constant(lanes, [(j + WIDE) if j & s else j + s for j in range(WIDE)])
        for i in range(WIDE):
            if not i & s:
                a, b = rows[i], rows[i + s]
                rows[i] = builder.shuffle_vector(a, b, upper)
                rows[i + s] = builder.shuffle_vector(a, b, lower)
    for i, row in enumerate(rows):
        store(builder, out, builder.mul(out_stride, ir.Constant(I64, i)), row)
