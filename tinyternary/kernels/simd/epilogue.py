"""What happens to a tile's accumulators before they leave the registers (lesson 08).

Either they are stored as they are (int32), or dequantised on the spot: times the row's
scale and the column's, plus bias. GELU runs over the stored tile while it is still in the
first-level cache. No fused multiply-add anywhere: every target rounds alike, and so does
the NumPy code that the tests compare with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from tinyternary.compiled import erf
from tinyternary.kernels.simd.targets import F32, I64, Target, splat
from tinyternary.kernels.simd.vectors import at, broadcast, load


def store_integers(
    builder: ir.IRBuilder, target: Target, tile: list[list[Any]], out: Any, stride: Any
) -> None:
    """Store accumulators at ``out`` (bytes), rows ``stride`` bytes apart."""
    for row, values in enumerate(tile):
        for column, value in enumerate(values):
            _store(builder, out, stride, row, column * target.width, value)


def store_floats(
    builder: ir.IRBuilder,
    target: Target,
    tile: list[list[Any]],
    row_scales: list[Any],
    scales: Any,
    biases: Any,
    out: Any,
    stride: Any,
) -> None:
    """Store float(acc) * (row scale * column scale) + bias at ``out`` (bytes).

    ``scales`` and ``biases`` point to bytes of float32, one per output of the block.
    """
    floats = ir.VectorType(F32, target.lanes)
    for row, values in enumerate(tile):
        factor = broadcast(builder, row_scales[row], target.lanes)
        for column, value in enumerate(values):
            offset = ir.Constant(I64, column * target.width)
            scale = builder.fmul(factor, load(builder, scales, offset, floats, 4))
            result = builder.fmul(builder.sitofp(value, floats), scale)
            result = builder.fadd(result, load(builder, biases, offset, floats, 4))
            _store(builder, out, stride, row, column * target.width, result)


def store_groups(
    builder: ir.IRBuilder, target: Target, rows: int, sums_of: Callable[[Any], Any], groups: Any,
    row_scales: list[Any], scales: Any, scale_step: Any, out: Any, stride: Any,
) -> None:  # fmt: skip
    """Store the sum over groups of float(acc) * (row scale * scale), plus bias, at ``out``.

    Integers are exact within a group only: after each group the sums that ``sums_of(group)`` emits
    become floats and are added to what the groups before gave, in the first-level cache. Scales of
    a group, and after the last the biases, are ``scale_step`` bytes apart.
    """
    floats = ir.VectorType(F32, target.lanes)

    def add(row: int, column: int, term: Any) -> None:
        offset = ir.Constant(I64, column * target.width)
        here = builder.add(builder.mul(stride, ir.Constant(I64, row)), offset)
        store_at(builder, out, here, builder.fadd(load(builder, out, here, floats, 4), term))

    zeros = [[splat(0.0, floats)] * target.columns for _ in range(rows)]
    store_integers(builder, target, zeros, out, stride)
    with cgutils.for_range(builder, groups) as loop:
        mine = builder.gep(scales, [builder.mul(loop.index, scale_step)])
        for row, values in enumerate(sums_of(loop.index)):
            factor = broadcast(builder, row_scales[row], target.lanes)
            for column, value in enumerate(values):
                scale = load(builder, mine, column * target.width, floats, 4)
                scale = builder.fmul(factor, scale)
                add(row, column, builder.fmul(builder.sitofp(value, floats), scale))
    biases = builder.gep(scales, [builder.mul(groups, scale_step)])
    for row in range(rows):
        for column in range(target.columns):
            add(row, column, load(builder, biases, column * target.width, floats, 4))


def _store(
    builder: ir.IRBuilder, out: Any, stride: Any, row: int, column_bytes: int, value: Any
) -> None:
    offset = builder.add(builder.mul(stride, ir.Constant(I64, row)), ir.Constant(I64, column_bytes))
    store_at(builder, out, offset, value)


def store_at(builder: ir.IRBuilder, out: Any, offset: Any, value: Any) -> None:
    """Store a vector of 32-bit lanes at ``out`` (bytes) + ``offset``."""
    builder.store(value, at(builder, out, offset, value.type)).align = 4


def gelu(builder: ir.IRBuilder, x: Any) -> Any:
    """Return x Phi(x) for a vector of float32 (Hendrycks & Gimpel, arXiv 1606.08415, eq. 1)."""
    kind = x.type

    def constant(value: float) -> ir.Constant:
        return ir.Constant(kind, [value] * kind.count)

    z = builder.fmul(x, constant(0.7071067811865476))
    limit, floor = constant(float(erf.LIMIT)), constant(-float(erf.LIMIT))
    z = builder.select(builder.fcmp_ordered(">", z, limit), limit, z)
    z = builder.select(builder.fcmp_ordered("<", z, floor), floor, z)
    square = builder.fmul(z, z)

    def polynomial(coefficients: tuple[float, ...]) -> Any:
        value = constant(coefficients[0])
        for coefficient in coefficients[1:]:
            value = builder.fadd(builder.fmul(value, square), constant(coefficient))
        return value

    ratio = builder.fdiv(builder.fmul(z, polynomial(erf.P)), polynomial(erf.Q))
    half = builder.fmul(x, constant(0.5))
    return builder.fadd(half, builder.fmul(half, ratio))


GELU, RELU = 1, 2
NUMBERS = {None: 0, "gelu": GELU, "relu": RELU}
"""Activations by the number that compiled code takes."""


def activate(
    builder: ir.IRBuilder, target: Target, number: Any, out: Any, stride: Any, rows: int
) -> None:
    """Apply activation ``number`` in place to a stored tile, still in the first-level cache."""
    floats = ir.VectorType(F32, target.lanes)

    def relu(builder: ir.IRBuilder, x: Any) -> Any:
        zero = splat(0.0, floats)
        return builder.select(builder.fcmp_unordered("<", zero, x), x, zero)

    for known, function in ((GELU, gelu), (RELU, relu)):
        wanted = builder.icmp_signed("==", number, ir.Constant(I64, known))
        with builder.if_then(wanted), cgutils.for_range(builder, ir.Constant(I64, rows)) as loop:
            row = builder.gep(out, [builder.mul(loop.index, stride)])
            for column in range(target.columns):
                offset = column * target.width
                value = function(builder, load(builder, row, offset, floats, 4))
                builder.store(value, at(builder, row, offset, floats)).align = 4
