"""One row of activations: every code is used once (lesson 08_packing_and_kernels).

With one row there is no second dot product to share a decoded vector with, so decoding must
cost less. Instead of shifting field j down, mask it where it stands: its codes are then
4^j times too large, and so is everything in accumulator j. One shift per accumulator at the
end puts that right, exactly: all terms are multiples of 4^j.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils

from tinyternary.kernels.simd.gemm import emit_tile, load_codes
from tinyternary.kernels.simd.layout import BLOCK
from tinyternary.kernels.simd.targets import I32, I64, Target, splat
from tinyternary.kernels.simd.vectors import broadcast, load

SAFE_BLOCKS = 4096
"""Blocks of 16 inputs after which accumulator 3 is emptied: 4096 * 4 * 128 * 128 = 2^28 < 2^31."""


def emit_gemv(
    builder: ir.IRBuilder, target: Target, x: Any, codes: Any, blocks: Any, start: Any
) -> list[Any]:
    """Emit one row times one block of outputs; return int32 accumulators, [column].

    Parameters are those of `emit_tile` for one row. Dot products that read codes as signed
    bytes, or add pairs in 16 bits, cannot hold codes of 128: those targets shift as in a tile.
    """
    if not target.shifted:
        one = emit_tile(builder, target, 1, x, ir.Constant(I64, 0), codes, blocks, [start])
        return one[0]
    columns = target.columns
    first = broadcast(builder, start, target.lanes)
    total = [cgutils.alloca_once_value(builder, first) for _ in range(columns)]
    fields = [
        [cgutils.alloca_once(builder, target.words) for _ in range(columns)] for _ in range(4)
    ]
    step = ir.Constant(I64, SAFE_BLOCKS)
    stretches = builder.sdiv(builder.add(blocks, ir.Constant(I64, SAFE_BLOCKS - 1)), step)
    with cgutils.for_range(builder, stretches) as outer:
        begin = builder.mul(outer.index, step)
        end = builder.add(begin, step)
        end = builder.select(builder.icmp_signed("<", end, blocks), end, blocks)
        for slots in fields:
            for slot in slots:
                builder.store(splat(0, target.words), slot)
        with cgutils.for_range(builder, end, start=begin) as loop:
            there = builder.mul(loop.index, ir.Constant(I64, BLOCK))
            words = load_codes(builder, target, codes, loop.index)
            for field in range(4):
                offset = builder.add(there, ir.Constant(I64, 4 * field))
                word = broadcast(builder, load(builder, x, offset, I32, 1), target.lanes)
                mask = splat(0x03030303 << 2 * field, target.words)
                for column in range(columns):
                    slot = fields[field][column]
                    kept = builder.and_(words[column], mask)
                    builder.store(target.dot(builder, builder.load(slot), kept, word), slot)
        for column in range(columns):
            value = builder.load(total[column])
            for field in range(4):
                part = builder.load(fields[field][column])
                value = builder.add(value, builder.ashr(part, splat(2 * field, target.words)))
            builder.store(value, total[column])
    return [builder.load(slot) for slot in total]
