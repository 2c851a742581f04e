"""Table lookups in a register: past the dot product's peak, for 7-bit activations (lesson 08).

The packed bytes are those of the int8 kernels. A nibble holds the codes of two inputs; a
64-byte register holds four tables of 16 entries, the sums that four pairs of activations can
give; one byte permutation (vpermb) looks 64 nibbles up, one dot product with ones adds
neighbours into 32 bits: 128 products by two instructions instead of 64 by one. An entry is a
sum of two activations and has to fit int8: hence |x| <= 63.

How fast that should be: both instructions can start on two ports of a Zen 5 but share one, so
three of them in a cycle: up to 192 MAC per cycle, where the int8 dot product ends at 128. It was
140 to 146 for 64 rows; with one row the tables are not worth filling (51).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils

from tinyternary.kernels.simd.targets import I32, I64, LOOKUP7, call_named, splat
from tinyternary.kernels.simd.tile import at, broadcast, load

_BYTES, _WORDS = LOOKUP7.codes, LOOKUP7.words


def emit_tables(builder: ir.IRBuilder, codes: Any, blocks: Any, tables: Any) -> None:
    """Emit the tables of one row: ``blocks`` x 128 bytes from int8 ``codes``.

    Entry e of table b of half h is (e & 3 - 1) x[8h + b] + (e >> 2 - 1) x[8h + 4 + b].
    """
    index = ir.VectorType(I32, 64)
    spread = ir.Constant(index, [byte // 16 for byte in range(64)])

    def chosen(field: int, code: int) -> ir.Constant:
        entries = [byte % 16 >> 2 * field & 3 for byte in range(64)]
        return ir.Constant(_BYTES, [-1 if entry == code else 0 for entry in entries])

    with cgutils.for_range(builder, blocks) as loop:
        source = builder.gep(codes, [builder.mul(loop.index, ir.Constant(I64, 16))])
        sink = builder.gep(tables, [builder.mul(loop.index, ir.Constant(I64, LOOKUP7.row_block))])
        for half in range(2):
            table = splat(0, _BYTES)
            for field in range(2):
                word = load(builder, source, 8 * half + 4 * field, I32, 1)
                four = builder.bitcast(broadcast(builder, word, 16), _BYTES)
                each = builder.shuffle_vector(four, ir.Constant(_BYTES, ir.Undefined), spread)
                table = builder.add(table, builder.and_(each, chosen(field, 2)))
                table = builder.sub(table, builder.and_(each, chosen(field, 0)))
            builder.store(table, at(builder, sink, 64 * half, _BYTES)).align = 1


def emit_lookups(
    builder: ir.IRBuilder, rows: int, tables: Any, stride: Any, codes: Any, blocks: Any
) -> list[list[Any]]:
    """Emit a tile of ``rows`` x 64 outputs; return its int32 sums, [row][column].

    ``tables`` points to what `emit_tables` made, rows ``stride`` bytes apart; ``codes`` to
    a block of outputs as `layout.interleave` lays it out for `LOOKUP7`. Padding needs no
    correction: its activations are 0 and so are its table entries.
    """
    columns = LOOKUP7.columns
    zero = splat(0, _WORDS)
    total = [
        [cgutils.alloca_once_value(builder, zero) for _ in range(columns)] for _ in range(rows)
    ]
    ones = splat(0x01010101, _WORDS)
    which = splat(0x30201000, _WORDS)  # byte b of a word looks in table b: entries 16 b and on
    with cgutils.for_range(builder, blocks) as loop:
        here = builder.mul(loop.index, ir.Constant(I64, columns * 64))
        there = builder.mul(loop.index, ir.Constant(I64, LOOKUP7.row_block))
        words = [
            load(builder, codes, builder.add(here, ir.Constant(I64, 64 * c)), _WORDS, 64)
            for c in range(columns)
        ]
        for half in range(2):
            nibbles = []
            for word in words:
                low = builder.lshr(word, splat(4 * half, _WORDS)) if half else word
                low = builder.and_(low, splat(0x0F0F0F0F, _WORDS))
                nibbles.append(builder.bitcast(builder.or_(low, which), _BYTES))
            for row in range(rows):
                place = builder.add(there, builder.mul(stride, ir.Constant(I64, row)))
                place = builder.add(place, ir.Constant(I64, 64 * half))
                table = load(builder, tables, place, _BYTES, 1)
                for column in range(columns):
                    entry = call_named(
                        builder, "llvm.x86.avx512.permvar.qi.512", _BYTES, (table, nibbles[column])
                    )
                    slot = total[row][column]
                    added = LOOKUP7.dot(
                        builder, builder.load(slot), ones, builder.bitcast(entry, _WORDS)
                    )
                    builder.store(added, slot)
    return [[builder.load(slot) for slot in row] for row in total]
