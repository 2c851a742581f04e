"""Float tiles, norms and exponentials as vector IR (lesson 08_packing_and_kernels).

Rows are padded with zeros to whole vectors of `WIDE` floats, so that no loop has
an edge. Each output is summed in one fixed order, whatever tile it falls into:
that is why an image gives the same bits alone and in a batch.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils

from tinyternary.kernels import erf
from tinyternary.kernels.simd.quantise import fold
from tinyternary.kernels.simd.targets import F32, I8, I32, I64, splat
from tinyternary.kernels.simd.tile import broadcast, load

WIDE = 16
"""Floats per step of a row operation."""
_ROW = ir.VectorType(F32, WIDE)
_BITS = ir.VectorType(I32, WIDE)
_ROUND = 12582912.0  # 1.5 * 2^23: adding it rounds a float to an integer in its low bits
_ROUND_BITS = 0x4B400000

EXP2 = (
    1.3266975143925064e-3, 9.6754645763239555e-3, 5.5507426457872239e-2,
    2.4022121664787216e-1, 6.9314694911506236e-1, 1.0000000710474555,
)  # fmt: skip
"""2^f on [-1/2, 1/2], least squares in relative error at Chebyshev points: within 8e-8."""


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


def _each(builder: ir.IRBuilder, vectors: Any) -> Any:
    return cgutils.for_range(builder, vectors)


def _bytes(builder: ir.IRBuilder, loop: Any) -> Any:
    return builder.mul(loop.index, ir.Constant(I64, 4 * WIDE))


def row_sum(builder: ir.IRBuilder, vectors: Any, term: Any) -> Any:
    """Emit the sum over a row of ``term(offset)``, a vector for each offset in bytes."""
    total = cgutils.alloca_once_value(builder, splat(0.0, _ROW))
    with _each(builder, vectors) as loop:
        value = term(_bytes(builder, loop))
        builder.store(builder.fadd(builder.load(total), value), total)
    return fold(builder, builder.load(total), builder.fadd)


def _root(builder: ir.IRBuilder, value: Any) -> Any:
    kind = ir.FunctionType(F32, [F32])
    module = builder.module
    function = module.globals.get("llvm.sqrt.f32") or ir.Function(module, kind, "llvm.sqrt.f32")
    return builder.call(function, (value,))


def emit_add(builder: ir.IRBuilder, x: Any, y: Any, vectors: Any) -> None:
    """Emit x += y for a row."""
    with _each(builder, vectors) as loop:
        here = _bytes(builder, loop)
        both = builder.fadd(load(builder, x, here, _ROW, 4), load(builder, y, here, _ROW, 4))
        store(builder, x, here, both)


def emit_copy(builder: ir.IRBuilder, x: Any, vectors: Any, factor: Any, out: Any) -> None:
    """Emit out = factor * x for a row."""
    gain = broadcast(builder, factor, WIDE)
    with _each(builder, vectors) as loop:
        here = _bytes(builder, loop)
        store(builder, out, here, builder.fmul(load(builder, x, here, _ROW, 4), gain))


def emit_layer_norm(
    builder: ir.IRBuilder, x: Any, weight: Any, bias: Any, width: Any, vectors: Any, eps: Any,
    out: Any,
) -> None:  # fmt: skip
    """Emit (x - mean) / sqrt(var + eps) * weight + bias for a row of ``width`` floats.

    The padding counts as x = 0: its part in the squares is taken out again.
    """
    count = builder.sitofp(width, F32)
    total = row_sum(builder, vectors, lambda at: load(builder, x, at, _ROW, 4))
    mean = builder.fdiv(total, count)
    centre = broadcast(builder, mean, WIDE)

    def square(at: Any) -> Any:
        off = builder.fsub(load(builder, x, at, _ROW, 4), centre)
        return builder.fmul(off, off)

    squares = row_sum(builder, vectors, square)
    room = builder.sub(builder.mul(vectors, ir.Constant(I64, WIDE)), width)
    spare = builder.fmul(builder.sitofp(room, F32), builder.fmul(mean, mean))
    variance = builder.fdiv(builder.fsub(squares, spare), count)
    factor = builder.fdiv(ir.Constant(F32, 1.0), _root(builder, builder.fadd(variance, eps)))
    scale = broadcast(builder, factor, WIDE)
    with _each(builder, vectors) as loop:
        here = _bytes(builder, loop)
        value = builder.fmul(builder.fsub(load(builder, x, here, _ROW, 4), centre), scale)
        value = builder.fmul(value, load(builder, weight, here, _ROW, 4))
        store(builder, out, here, builder.fadd(value, load(builder, bias, here, _ROW, 4)))


def emit_rms_norm(
    builder: ir.IRBuilder, x: Any, weight: Any, width: Any, vectors: Any, eps: Any, out: Any
) -> None:
    """Emit x / sqrt(mean(x^2) + eps) * weight for a row of ``width`` floats."""

    def square(at: Any) -> Any:
        value = load(builder, x, at, _ROW, 4)
        return builder.fmul(value, value)

    mean = builder.fdiv(row_sum(builder, vectors, square), builder.sitofp(width, F32))
    factor = builder.fdiv(ir.Constant(F32, 1.0), _root(builder, builder.fadd(mean, eps)))
    scale = broadcast(builder, factor, WIDE)
    with _each(builder, vectors) as loop:
        here = _bytes(builder, loop)
        value = builder.fmul(load(builder, x, here, _ROW, 4), scale)
        store(builder, out, here, builder.fmul(value, load(builder, weight, here, _ROW, 4)))


def emit_quantise(
    builder: ir.IRBuilder, x: Any, weight: Any | None, width: Any, vectors: Any, eps: Any, out: Any
) -> tuple[Any, Any]:
    """Emit RMSNorm (if there is a ``weight``) and absmax int8 of a row; return scale and sum.

    With y = x * weight the normalised row is r y, r = 1 / sqrt(mean(x^2) + eps), and its
    scale r max |y| / 127: in the codes, round(127 y / max |y|), r cancels. So two passes do:
    squares and maximum, then codes.
    """

    def scaled(at: Any) -> Any:
        value = load(builder, x, at, _ROW, 4)
        if weight is None:
            return value, value
        return value, builder.fmul(value, load(builder, weight, at, _ROW, 4))

    squares = cgutils.alloca_once_value(builder, splat(0.0, _ROW))
    top = cgutils.alloca_once_value(builder, splat(0, _BITS))
    with _each(builder, vectors) as loop:
        value, product = scaled(_bytes(builder, loop))
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
    floor = ir.Constant(F32, 1e-5)  # BitNet's guard against a row of zeros
    normed = builder.fmul(factor, largest)
    # an unordered comparison keeps NaN, so that a fault shows in the outputs
    normed = builder.select(builder.fcmp_ordered("<", normed, floor), floor, normed)
    scale = builder.fdiv(normed, ir.Constant(F32, 127.0))
    gain = broadcast(builder, builder.fdiv(factor, scale), WIDE)
    total = cgutils.alloca_once_value(builder, splat(0, _BITS))
    with _each(builder, vectors) as loop:
        _, product = scaled(_bytes(builder, loop))
        # adding 1.5 * 2^23 rounds half to even and leaves the integer in the low byte
        shifted = builder.fadd(builder.fmul(product, gain), splat(_ROUND, _ROW))
        bits = builder.sub(builder.bitcast(shifted, _BITS), splat(_ROUND_BITS, _BITS))
        builder.store(builder.add(builder.load(total), bits), total)
        place = builder.gep(out, [builder.mul(loop.index, ir.Constant(I64, WIDE))])
        codes = builder.trunc(bits, ir.VectorType(I8, WIDE))
        builder.store(codes, builder.bitcast(place, codes.type.as_pointer())).align = 1
    return scale, fold(builder, builder.load(total), builder.add)


def exp2(builder: ir.IRBuilder, x: Any) -> Any:
    """Emit 2^x for a vector of floats from -126 to 0; smaller ones count as -126."""
    kind = x.type
    low = splat(-126.0, kind)
    x = builder.select(builder.fcmp_ordered("<", x, low), low, x)
    shifted = builder.fadd(x, splat(_ROUND, kind))  # its low bits are x rounded
    whole = builder.fsub(shifted, splat(_ROUND, kind))
    rest = builder.fsub(x, whole)
    value = splat(EXP2[0], kind)
    for coefficient in EXP2[1:]:
        value = multiply_add(builder, value, rest, splat(coefficient, kind))
    words = ir.VectorType(I32, kind.count)
    power = builder.shl(builder.bitcast(shifted, words), splat(23, words))
    return builder.bitcast(builder.add(builder.bitcast(value, words), power), kind)


def emit_softmax(builder: ir.IRBuilder, x: Any, vectors: Any) -> Any:
    """Emit x = 2^(x - max x) for a row, in place; return the sum of the results."""
    top = cgutils.alloca_once_value(builder, splat(-3.0e38, _ROW))

    def larger(a: Any, b: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", a, b), a, b)

    with _each(builder, vectors) as loop:
        value = load(builder, x, _bytes(builder, loop), _ROW, 4)
        builder.store(larger(value, builder.load(top)), top)
    largest = broadcast(builder, fold(builder, builder.load(top), larger), WIDE)
    total = cgutils.alloca_once_value(builder, splat(0.0, _ROW))
    with _each(builder, vectors) as loop:
        here = _bytes(builder, loop)
        value = exp2(builder, builder.fsub(load(builder, x, here, _ROW, 4), largest))
        store(builder, x, here, value)
        builder.store(builder.fadd(builder.load(total), value), total)
    return fold(builder, builder.load(total), builder.fadd)


def emit_transpose(
    builder: ir.IRBuilder, x: Any, x_stride: Any, factor: Any, out: Any, out_stride: Any
) -> None:
    """Emit out = factor * x transposed for 16 x 16 floats; strides in bytes.

    Four rounds: in each, rows s apart trade the lanes s apart that lie across the diagonal.
    """
    gain = broadcast(builder, factor, WIDE)
    rows = [
        builder.fmul(load(builder, x, builder.mul(x_stride, ir.Constant(I64, i)), _ROW, 4), gain)
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


def emit_gelu(builder: ir.IRBuilder, shape: tuple[int, int, int], out: Any, stride: Any) -> None:
    """Emit GELU in place for a tile: x / 2 (1 + erf(x / sqrt 2)), as `simd.epilogue.gelu`.

    Here with fused multiply-adds: half the instructions, the same polynomials.
    """
    rows, columns, lanes = shape
    kind = ir.VectorType(F32, lanes)
    limit = float(erf.LIMIT)
    with cgutils.for_range(builder, ir.Constant(I64, rows)) as loop:
        begin = builder.mul(loop.index, stride)
        for column in range(columns):
            here = builder.add(begin, ir.Constant(I64, column * lanes * 4))
            x = load(builder, out, here, kind, 4)
            z = builder.fmul(x, splat(0.7071067811865476, kind))
            for sign, bound in ((">", limit), ("<", -limit)):
                edge = splat(bound, kind)
                z = builder.select(builder.fcmp_ordered(sign, z, edge), edge, z)
            square = builder.fmul(z, z)
            parts = []
            for coefficients in (erf.P, erf.Q):
                value: Any = splat(coefficients[0], kind)
                for coefficient in coefficients[1:]:
                    value = multiply_add(builder, value, square, splat(coefficient, kind))
                parts.append(value)
            ratio = builder.fdiv(builder.fmul(z, parts[0]), parts[1])
            half = builder.fmul(x, splat(0.5, kind))
            store(builder, out, here, multiply_add(builder, half, ratio, half))


def emit_gelu_tanh(builder: ir.IRBuilder, x: Any, vectors: Any) -> None:
    """Emit GELU by its tanh approximation for a row, in place: x / (1 + e^(-2u))."""
    with _each(builder, vectors) as loop:
        here = _bytes(builder, loop)
        value = load(builder, x, here, _ROW, 4)
        cube = builder.fmul(builder.fmul(value, value), value)
        inner = builder.fadd(value, builder.fmul(cube, splat(0.044715, _ROW)))
        # 2 sqrt(2 / pi) log2 e: e^(-2u) as a power of two, on the side where it is below 1
        power = builder.fmul(inner, splat(2.302208198, _ROW))
        negative = builder.fcmp_ordered("<", power, splat(0.0, _ROW))
        away = builder.select(negative, power, builder.fneg(power))
        small = exp2(builder, away)
        share = builder.fdiv(splat(1.0, _ROW), builder.fadd(splat(1.0, _ROW), small))
        kept = builder.select(negative, builder.fmul(small, share), share)
        store(builder, x, here, builder.fmul(value, kept))


def emit_relu_squared(builder: ir.IRBuilder, x: Any, vectors: Any) -> None:
    """Emit max(x, 0)^2 for a row, in place."""
    with _each(builder, vectors) as loop:
        here = _bytes(builder, loop)
        value = load(builder, x, here, _ROW, 4)
        zero = splat(0.0, _ROW)
        positive = builder.select(builder.fcmp_ordered(">", value, zero), value, zero)
        store(builder, x, here, builder.fmul(positive, positive))
