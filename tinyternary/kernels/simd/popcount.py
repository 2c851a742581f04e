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

from tinyternary.kernels.packing import to_planes
from tinyternary.kernels.simd.layout import padded
from tinyternary.kernels.simd.targets import I8, I64, call_named, splat
from tinyternary.kernels.simd.tile import at, broadcast, load

LANES = 8
COLUMNS = 2
ROWS = 4
OUTPUTS = LANES * COLUMNS
_WORDS = ir.VectorType(I64, LANES)


def prepare(trits: NDArray[np.int8]) -> NDArray[np.uint64]:
    """Return planes (N blocks, ceil(K / 64), 2 planes, 16 outputs) uint64, zeros past N and K."""
    plus, minus = to_planes(trits)
    n, words = plus.shape
    wide = np.zeros((2, padded(n, OUTPUTS), words), dtype=np.uint64)
    wide[0, :n], wide[1, :n] = plus | minus, minus
    blocks = wide.reshape(2, -1, OUTPUTS, words)
    return np.ascontiguousarray(blocks.transpose(1, 3, 0, 2))


def emit_counts(
    builder: ir.IRBuilder, rows: int, x: Any, x_stride: Any, planes: Any, words: Any
) -> list[list[Any]]:
    """Emit a tile of ``rows`` x 16 outputs; return its sums as int64 vectors, [row][column].

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
    return [
        [
            builder.sub(
                builder.load(counted[row][column]),
                builder.shl(builder.load(negative[row][column]), splat(1, _WORDS)),
            )
            for column in range(COLUMNS)
        ]
        for row in range(rows)
    ]


def emit_planes(builder: ir.IRBuilder, x: Any, k: Any, planes: Any) -> None:
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
