"""The inner kernel: a tile of rows x vectors of outputs in registers (lesson 08).

``rows * columns`` accumulators live in registers while the loop runs over blocks of 16
inputs. Each decoded vector of codes serves ``rows`` dot products, each broadcast word of
activations ``columns`` of them: for 4 x 4 on AVX-512 that is, for every 16 dot products,
4 loads of codes per four fields, 4 broadcasts and 8 shifts and masks, which run beside
them on other ports.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils

from tinyternary.kernels.simd.layout import BLOCK
from tinyternary.kernels.simd.targets import I32, I64, Target, splat
from tinyternary.kernels.simd.vectors import at, broadcast, load, prefetch


def load_codes(builder: ir.IRBuilder, target: Target, codes: Any, block: Any) -> list[Any]:
    """Load the vectors of codes of one block of inputs, one per column of the tile."""
    here = builder.mul(block, ir.Constant(I64, target.columns * target.width))
    return [
        load(
            builder, codes, builder.add(here, ir.Constant(I64, c * target.width)), target.words,
            target.width,
        )
        for c in range(target.columns)
    ]  # fmt: skip


def decode(builder: ir.IRBuilder, target: Target, word: Any, field: int) -> Any:
    """Return field ``field`` (0..3) of a vector of codes as bytes 0, 1, 2."""
    if field:
        word = builder.lshr(word, splat(2 * field, target.words))
    return builder.and_(word, splat(0x03030303, target.words))


def emit_unpack(
    builder: ir.IRBuilder, packed: Any, blocks: Any, panel: Any, target: Target
) -> None:
    """Write a panel of ``blocks`` blocks with a byte for each code, field after field."""
    size = target.columns * target.width
    with cgutils.for_range(builder, blocks) as loop:
        words = load_codes(builder, target, packed, loop.index)
        sink = builder.gep(panel, [builder.mul(loop.index, ir.Constant(I64, 4 * size))])
        for field in range(4):
            for column, word in enumerate(words):
                place = at(builder, sink, field * size + column * target.width, target.words)
                builder.store(decode(builder, target, word, field), place).align = target.width


def emit_tile(
    builder: ir.IRBuilder,
    target: Target,
    rows: int,
    x: Any,
    x_stride: Any,
    codes: Any,
    blocks: Any,
    start: list[Any],
    ahead: Any = None,
    unpacked: bool = False,
) -> list[list[Any]]:
    """Emit one tile and return its int32 accumulators, [row][column].

    Parameters
    ----------
    x : pointer to bytes
        First of ``rows`` rows of int8 activations, ``x_stride`` bytes apart, padded with
        zeros to whole blocks.
    codes : pointer to bytes
        ``blocks`` times ``target.columns`` vectors of codes; four times as many, one after
        the other what `emit_unpack` writes, if they are ``unpacked``.
    start : list of int32 values
        What each row's accumulators begin with: minus the sum of the row, because codes are
        trit + 1 and so every product came out one activation too large.
    ahead : pointer to bytes, optional
        Where something lies that will be wanted soon: a line of it is fetched per block of inputs.
    """
    columns = target.columns
    total = [
        [cgutils.alloca_once(builder, target.words) for _ in range(columns)] for _ in range(rows)
    ]
    for row in range(rows):
        for column in range(columns):
            builder.store(broadcast(builder, start[row], target.lanes), total[row][column])

    four = ir.Constant(I64, 4)

    def run(first: Any, last: Any, running: list[list[Any]]) -> None:
        with cgutils.for_range(builder, last, start=first) as loop:
            there = builder.mul(loop.index, ir.Constant(I64, BLOCK))
            if ahead is not None:
                prefetch(builder, ahead, builder.mul(loop.index, ir.Constant(I64, 64)))
            words = [] if unpacked else load_codes(builder, target, codes, loop.index)
            for field in range(4):
                if unpacked:
                    place = builder.add(builder.mul(loop.index, four), ir.Constant(I64, field))
                    decoded = load_codes(builder, target, codes, place)
                else:
                    decoded = [decode(builder, target, word, field) for word in words]
                for row in range(rows):
                    offset = builder.add(there, builder.mul(x_stride, ir.Constant(I64, row)))
                    offset = builder.add(offset, ir.Constant(I64, 4 * field))
                    word = broadcast(builder, load(builder, x, offset, I32, 1), target.lanes)
                    for column in range(columns):
                        slot = running[row][column]
                        builder.store(
                            target.dot(builder, builder.load(slot), decoded[column], word), slot
                        )

    if not target.flush:
        run(ir.Constant(I64, 0), blocks, total)
    else:
        _run_flushed(builder, target, blocks, total, run)
    return [[builder.load(slot) for slot in row] for row in total]


def _run_flushed(
    builder: ir.IRBuilder, target: Target, blocks: Any, total: list[list[Any]], run: Any
) -> None:
    """Run in stretches short enough for 16 bits, emptying the accumulators after each."""
    step = ir.Constant(I64, target.flush)
    running = [[cgutils.alloca_once(builder, target.partial) for _ in row] for row in total]
    stretches = builder.sdiv(builder.add(blocks, ir.Constant(I64, target.flush - 1)), step)
    with cgutils.for_range(builder, stretches) as outer:
        first = builder.mul(outer.index, step)
        last = builder.add(first, step)
        last = builder.select(builder.icmp_signed("<", last, blocks), last, blocks)
        for slots in running:
            for slot in slots:
                builder.store(splat(0, target.partial), slot)
        run(first, last, running)
        for slots, wide in zip(running, total):
            for slot, sink in zip(slots, wide):
                builder.store(target.empty(builder, builder.load(sink), builder.load(slot)), sink)
