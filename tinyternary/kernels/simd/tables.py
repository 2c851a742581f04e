"""Table lookups in a register: past the dot product's peak, for 7-bit activations (lesson 08).

The packed bytes are those of the int8 kernels. A nibble holds the codes of two inputs; a
64-byte register holds four tables of 16 entries, the sums that four pairs of activations can
give; one byte permutation (vpermb) looks 64 nibbles up, one dot product with ones adds
neighbours into 32 bits: 128 products by two instructions instead of 64 by one. An entry is a
sum of two activations and has to fit int8: hence |x| <= 63.

How fast that should be: a Zen 5 starts either instruction on two of its ports but has only three
for both, so that 192 MAC per cycle would be the end, where the int8 dot product ends at 128.
Pairs of the two from registers alone reach 181, with what else the loop needs 171 to 176: ports are
given to instructions ahead of time and not always best. Reading tables costs more than
reading weights, so the tables of a tile's `ROWS` rows and `DEPTH` blocks have to stay in the
first-level cache (32 of its 48 KB) while all weights stream past them. With fewer rows than
that the tables are not worth filling.

A whole layer, floats in and out, reached 1.19 to 1.22 times the int8 peak for 64 and 1,024 rows
at (K, N) = (512, 2048) and (768, 3072), 1.12 at (2048, 512): dividing and filling tables takes
7 cycles per 16 inputs of a row, whatever N is, and the lookups of 512 outputs take 50.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from tinyternary.kernels.simd import quantize
from tinyternary.kernels.simd.targets import I8, I32, I64, LOOKUP7, call_named, splat
from tinyternary.kernels.simd.vectors import at, broadcast, load, prefetch

ROWS = 8
TILE = dataclasses.replace(LOOKUP7, rows=ROWS, columns=2)
"""The tile of lookups: half a panel wide, because 16 sums leave room to work in 32 registers."""
DEPTH = 32
"""Blocks of 16 inputs whose tables are filled at a time."""
TABLES = 128
"""Bytes of the tables of one row and block."""

_BYTES, _WORDS = LOOKUP7.codes, LOOKUP7.words
_WIDE = ir.VectorType(I32, 16)


def _choices(half: int, field: int) -> ir.Constant:
    """Where in 16 words of bytes (x, -x, 0, 0) each of 64 entries finds its term.

    Entry e of table b of half h is (e & 3 - 1) x[8h + b] + (e >> 2 - 1) x[8h + 4 + b]; field 0
    or 1 is the first or second term. Code 3 never occurs.
    """
    places = []
    for byte in range(64):
        table, entry = byte // 16, byte % 16
        code, source = entry >> 2 * field & 3, 8 * half + 4 * field + table
        places.append(4 * source + {0: 1, 2: 0}.get(code, 2))
    return ir.Constant(_BYTES, places)


def _permute(builder: ir.IRBuilder, source: Any, places: Any) -> Any:
    name = "llvm.x86.avx512.permvar.qi.512"
    return call_named(builder, name, _BYTES, (source, places))


def _store_tables(builder: ir.IRBuilder, x: Any, sink: Any) -> None:
    """Store the tables of 16 codes: the low bytes of 16 words."""
    # narrowing words to bytes is a slow instruction, and a permutation finds them where they are
    negative = builder.shl(builder.sub(splat(0, _WIDE), x), splat(8, _WIDE))
    source = builder.or_(
        builder.and_(x, splat(0xFF, _WIDE)), builder.and_(negative, splat(0xFF00, _WIDE))
    )
    source = builder.bitcast(source, _BYTES)
    for half in range(2):
        first, second = (_permute(builder, source, _choices(half, f)) for f in range(2))
        builder.store(builder.add(first, second), at(builder, sink, 64 * half, _BYTES)).align = 64


def emit_tables(builder: ir.IRBuilder, codes: Any, blocks: Any, tables: Any) -> None:
    """Emit the tables of one row: ``blocks`` x `TABLES` bytes from int8 ``codes``."""
    with cgutils.for_range(builder, blocks) as loop:
        place = builder.mul(loop.index, ir.Constant(I64, 16))
        sink = builder.gep(tables, [builder.mul(loop.index, ir.Constant(I64, TABLES))])
        x = load(builder, codes, place, ir.VectorType(I8, 16), 1)
        _store_tables(builder, builder.sext(x, _WIDE), sink)


def emit_float_tables(builder: ir.IRBuilder, x: Any, k: Any, scale: Any, tables: Any) -> None:
    """Emit the tables of the codes of ``k`` floats: the dividers are busy while tables are made."""
    divisor = broadcast(builder, scale, quantize.WIDE)

    def take(place: Any, index: Any, slot: int) -> None:
        codes = quantize.codes_of(builder, place, divisor)
        sink = builder.gep(tables, [builder.mul(index, ir.Constant(I64, TABLES))])
        _store_tables(builder, codes, sink)

    quantize.Row(builder, x, k).each(take, 2)


def emit_lookups(
    builder: ir.IRBuilder,
    tables: Any,
    stride: Any,
    codes: Any,
    blocks: Any,
    start: list[list[Any]],
    ahead: Any,
) -> list[list[Any]]:
    """Emit a tile of `ROWS` x 32 outputs; return its int32 sums, [row][column].

    ``tables`` points to what `emit_tables` made, rows ``stride`` bytes apart; ``codes`` to
    half a panel of outputs as `layout.interleave` lays it out for `LOOKUP7`; ``start`` is what
    the sums begin with. Padding needs no correction: its activations are 0 and so are its table
    entries. One line at ``ahead`` is fetched per block.
    """
    total = [[cgutils.alloca_once(builder, _WORDS) for _ in row] for row in start]
    for slots, values in zip(total, start):
        for slot, value in zip(slots, values):
            builder.store(value, slot)
    ones = splat(0x01010101, _WORDS)
    which = splat(0x30201000, _WORDS)  # byte b of a word looks in table b: entries 16 b and on
    with cgutils.for_range(builder, blocks) as loop:
        here = builder.mul(loop.index, ir.Constant(I64, LOOKUP7.columns * 64))
        there = builder.mul(loop.index, ir.Constant(I64, TABLES))
        prefetch(builder, ahead, builder.mul(loop.index, ir.Constant(I64, 64)))
        words = [
            load(builder, codes, builder.add(here, ir.Constant(I64, 64 * c)), _WORDS, 64)
            for c in range(TILE.columns)
        ]
        for half in range(2):
            nibbles = []
            for word in words:
                low = builder.lshr(word, splat(4 * half, _WORDS)) if half else word
                low = builder.and_(low, splat(0x0F0F0F0F, _WORDS))
                nibbles.append(builder.bitcast(builder.or_(low, which), _BYTES))
            for row, slots in enumerate(total):
                place = builder.add(there, builder.mul(stride, ir.Constant(I64, row)))
                place = builder.add(place, ir.Constant(I64, 64 * half))
                table = load(builder, tables, place, _BYTES, 64)
                for slot, nibble in zip(slots, nibbles):
                    entry = builder.bitcast(_permute(builder, table, nibble), _WORDS)
                    builder.store(TILE.dot(builder, builder.load(slot), ones, entry), slot)
    return [[builder.load(slot) for slot in row] for row in total]
