"""Five trits in a byte, unpacked by tables in registers (lesson 08_packing_and_kernels).

A table of 3^5 = 243 bytes does not fit a permutation: `vpermi2b` looks 64 bytes up at once, in 128
entries. Half the table is enough. Read five trits as digits, t0 + 3 t1 + 9 t2 + 27 t3 + 81 t4: a
number of -121..121, whose negative has every digit negated (balanced ternary). So a byte of this
layout is a sign, its top bit, and a size, its other seven. The tables hold the digits of the sizes,
four as 2-bit codes and the fifth, and where the sign is set every digit is turned round.

That is five instructions for 64 bytes, 320 trits: the signs, two permutations, two subtractions
under a mask. The multiplications by 3 that files are read with (`packing.from_base3`) would be six
for each digit; two tables for each half of 256 entries, seven, and twice as many registers.

A panel of outputs is unpacked to what `layout.interleave` makes, stays in the first-level cache,
and serves every row of a chunk: the product is the 2-bit path's, tile for tile. On a Zen 4, where
two ports share permutations, masks and shifts, and a store of 64 bytes takes two cycles, 64 bytes
take 3.4 to 3.9 cycles; the dot products of their 320 trits with 64 rows take 320. With no panel,
unpacking in every tile of four rows, it was 0.89 times as fast as the 2-bit path, because the
permutations take turns with dot products.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numpy.typing import NDArray

from tinyternary.kernels.simd.layout import BLOCK, aligned
from tinyternary.kernels.simd.targets import FIVE, I64, call_named, splat
from tinyternary.kernels.simd.tile_shapes import Shape
from tinyternary.kernels.simd.vectors import at, load

STRETCH = 5
"""Blocks of inputs in four blocks of bytes: four digits of a byte belong to a block of their own,
the fifth digits of the four blocks make up the last."""
ROWS = 32
"""Rows that a thread takes at least: it unpacks every panel for them."""
_VALUES = np.array([1, 3, 9, 27, 81], dtype=np.int16)
_SIZES = 122
"""Numbers of five digits that are not negative."""
_NEGATIVE = 128


def interleave(trits: NDArray[np.int8], target: Shape) -> NDArray[np.uint8]:
    """Lay trits (N, K) out, five in a byte.

    Returns
    -------
    (N blocks, blocks of bytes, columns, width) uint8
        Aligned to 64 bytes. Four blocks for every five of `layout.interleave`; up to four that are
        left over are as many here. Outputs past N and inputs past K hold the 0-trit.
    """
    n, k = trits.shape
    blocks = -(-k // BLOCK)
    panels, stretches = -(-n // target.outputs), -(-blocks // STRETCH)
    wide = np.zeros((panels * target.outputs, stretches * STRETCH * BLOCK), dtype=np.int8)
    wide[:n, :k] = trits
    # (panel, column, lane, stretch, block, j, b) -> (panel, stretch, block, column, lane, b, j)
    digits = wide.reshape(panels, target.columns, target.lanes, stretches, STRETCH, 4, 4)
    digits = digits.transpose(0, 3, 4, 1, 2, 6, 5)
    # field j of the last block is the fifth digit of block j
    fifths = digits[:, :, 4:].transpose(0, 1, 6, 3, 4, 5, 2)
    numbers = np.concatenate([digits[:, :, :4], fifths], axis=-1).astype(np.int16) @ _VALUES
    packed = np.abs(numbers) + _NEGATIVE * (numbers < 0)
    packed = packed.reshape(panels, 4 * stretches, target.columns, target.width)
    laid = aligned((panels, 4 * (blocks // STRETCH) + blocks % STRETCH, *packed.shape[2:]))
    laid[...] = packed[:, : laid.shape[1]]
    return laid


def tables() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return what sizes 0..127 stand for: four 2-bit codes, and the fifth code.

    Sizes past 121 never occur.
    """
    numbers = np.arange(_SIZES)
    codes = np.empty((5, _SIZES), dtype=np.int64)
    for place in range(5):  # a digit is what stands between a number and a multiple of three
        codes[place] = (numbers + 1) % 3
        numbers = (numbers + 1) // 3
    four, fifth = np.zeros(128, dtype=np.uint8), np.zeros(128, dtype=np.uint8)
    four[:_SIZES] = codes[0] | codes[1] << 2 | codes[2] << 4 | codes[3] << 6
    fifth[:_SIZES] = codes[4]
    return four, fifth


_FOUR, _FIFTH = tables()
_TURN_FOUR, _TURN_FIFTH = 0xAA, 2
"""A code of 0, 1 or 2 turned round is 2 less the code; and so in each field of a byte."""


def _look(builder: ir.IRBuilder, packed: Any, table: NDArray[np.uint8], turn: int) -> Any:
    """Look 64 bytes up: a permutation takes no notice of a sign, the subtraction does."""
    kind = FIVE.codes
    low, high = (ir.Constant(kind, half.tolist()) for half in (table[:64], table[64:]))
    name = "llvm.x86.avx512.vpermi2var.qi.512"
    found = call_named(builder, name, kind, (low, packed, high))
    negative = builder.icmp_signed("<", packed, splat(0, kind))
    turned = builder.select(negative, builder.sub(splat(turn, kind), found), found)
    return builder.bitcast(turned, FIVE.words)


def emit_unpack(builder: ir.IRBuilder, packed: Any, blocks: Any, panel: Any) -> None:
    """Write a panel of ``blocks`` blocks as `layout.interleave` lays it out."""
    columns, width = FIVE.columns, FIVE.width
    four, five = ir.Constant(I64, 4), ir.Constant(I64, STRETCH)

    def block(pointer: Any, number: Any) -> Any:
        return builder.gep(pointer, [builder.mul(number, ir.Constant(I64, columns * width))])

    def store(codes: Any, sink: Any, place: int) -> None:
        builder.store(codes, at(builder, sink, place, FIVE.words)).align = width

    def unpack(source: Any, sink: Any, place: int) -> Any:
        found = load(builder, source, ir.Constant(I64, place), FIVE.codes, width)
        store(_look(builder, found, _FOUR, _TURN_FOUR), sink, place)
        return found

    stretches = builder.sdiv(blocks, five)
    with cgutils.for_range(builder, stretches) as loop:
        source = block(packed, builder.mul(loop.index, four))
        sink = block(panel, builder.mul(loop.index, five))
        for column in range(columns):
            last = splat(0, FIVE.words)
            for number in range(4):
                found = unpack(source, sink, (number * columns + column) * width)
                field = 2 * number
                fifths = _look(builder, found, _FIFTH << np.uint8(field), _TURN_FIFTH << field)
                last = builder.or_(last, fifths)
            store(last, sink, (4 * columns + column) * width)
    source = block(packed, builder.mul(stretches, four))
    sink = block(panel, builder.mul(stretches, five))
    with cgutils.for_range(builder, builder.srem(blocks, five)) as loop:
        for column in range(columns):
            unpack(block(source, loop.index), block(sink, loop.index), column * width)
