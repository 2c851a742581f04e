"""Softmax and activations as vector IR (lessons 05 and 08_packing_and_kernels)."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils

from tinyternary.compiled import erf
from tinyternary.deploy.encoder.emitters import (
    ROUND,
    ROW,
    WIDE,
    bytes_at,
    each,
    multiply_add,
    store,
)
from tinyternary.deploy.encoder.polynomials import EXP2
from tinyternary.kernels.simd.quantize import fold
from tinyternary.kernels.simd.targets import F32, I32, I64, Target, splat
from tinyternary.kernels.simd.vectors import broadcast, load


def exp2(builder: ir.IRBuilder, x: Any) -> Any:
    """Emit 2^x for a vector of floats from -126 to 0; smaller ones count as -126."""
    kind = x.type
    low = splat(-126.0, kind)
    x = builder.select(builder.fcmp_ordered("<", x, low), low, x)
    shifted = builder.fadd(x, splat(ROUND, kind))  # its low bits are x rounded
    whole = builder.fsub(shifted, splat(ROUND, kind))
    rest = builder.fsub(x, whole)
    value = splat(EXP2[0], kind)
    for coefficient in EXP2[1:]:
        value = multiply_add(builder, value, rest, splat(coefficient, kind))
    words = ir.VectorType(I32, kind.count)
    power = builder.shl(builder.bitcast(shifted, words), splat(23, words))
    return builder.bitcast(builder.add(builder.bitcast(value, words), power), kind)


def emit_softmax(builder: ir.IRBuilder, x: Any, vectors: Any, share: Any) -> None:
    """Emit x = 2^(x - max x) for a row, in place; store 1 / the sum of the results at ``share``."""
    top = cgutils.alloca_once_value(builder, splat(-3.0e38, ROW))

    def larger(a: Any, b: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", a, b), a, b)

    with each(builder, vectors) as loop:
        value = load(builder, x, bytes_at(builder, loop), ROW, 4)
        builder.store(larger(value, builder.load(top)), top)
    largest = broadcast(builder, fold(builder, builder.load(top), larger), WIDE)
    total = cgutils.alloca_once_value(builder, splat(0.0, ROW))
    with each(builder, vectors) as loop:
        here = bytes_at(builder, loop)
        value = exp2(builder, builder.fsub(load(builder, x, here, ROW, 4), largest))
        store(builder, x, here, value)
        builder.store(builder.fadd(builder.load(total), value), total)
    sum_ = fold(builder, builder.load(total), builder.fadd)
    store(builder, share, ir.Constant(I64, 0), builder.fdiv(ir.Constant(F32, 1.0), sum_))


def emit_gelu(builder: ir.IRBuilder, target: Target, out: Any, step: Any) -> None:
    """Emit GELU in place for a tile: x / 2 (1 + erf(x / sqrt 2)), as `simd.epilogue.gelu`.

    Here with fused multiply-adds: half the instructions, the same polynomials.
    """
    lanes = target.lanes
    kind = ir.VectorType(F32, lanes)
    limit = float(erf.LIMIT)
    with cgutils.for_range(builder, ir.Constant(I64, target.rows)) as loop:
        begin = builder.mul(loop.index, step)
        for column in range(target.columns):
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
    with each(builder, vectors) as loop:
        here = bytes_at(builder, loop)
        value = load(builder, x, here, ROW, 4)
        cube = builder.fmul(builder.fmul(value, value), value)
        inner = builder.fadd(value, builder.fmul(cube, splat(0.044715, ROW)))
        # 2 sqrt(2 / pi) log2 e: e^(-2u) as a power of two, on the side where it is below 1
        power = builder.fmul(inner, splat(2.302208198, ROW))
        negative = builder.fcmp_ordered("<", power, splat(0.0, ROW))
        away = builder.select(negative, power, builder.fneg(power))
        small = exp2(builder, away)
        share = builder.fdiv(splat(1.0, ROW), builder.fadd(splat(1.0, ROW), small))
        kept = builder.select(negative, builder.fmul(small, share), share)
        store(builder, x, here, builder.fmul(value, kept))


def emit_relu_squared(builder: ir.IRBuilder, x: Any, vectors: Any) -> None:
    """Emit max(x, 0)^2 for a row, in place."""
    with each(builder, vectors) as loop:
        here = bytes_at(builder, loop)
        value = load(builder, x, here, ROW, 4)
        zero = splat(0.0, ROW)
        # unordered: NaN stays NaN, so that a fault shows in the answer
        positive = builder.select(builder.fcmp_unordered(">", value, zero), value, zero)
        store(builder, x, here, builder.fmul(positive, positive))
