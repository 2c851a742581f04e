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
from tinyternary.kernels.simd.targets import I8, I32, I64, Target, splat


def at(builder: ir.IRBuilder, pointer: Any, offset: Any, kind: ir.Type) -> Any:
    """Return ``pointer`` (bytes) moved by ``offset`` bytes, as a pointer to ``kind``."""
    if isinstance(offset, int):
        offset = ir.Constant(I64, offset)
    return builder.bitcast(builder.gep(pointer, [offset]), kind.as_pointer())


def broadcast(builder: ir.IRBuilder, scalar: Any, count: int) -> Any:
    """Return a vector with ``scalar`` in each of ``count`` lanes."""
    vector = ir.VectorType(scalar.type, count)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(I32, 0))
    zeros = ir.Constant(ir.VectorType(I32, count), [0] * count)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)


def load(builder: ir.IRBuilder, pointer: Any, offset: Any, kind: ir.Type, align: int) -> Any:
    """Load one ``kind`` from ``pointer`` (bytes) + ``offset``."""
    value = builder.load(at(builder, pointer, offset, kind))
    value.align = align
    return value


def prefetch(builder: ir.IRBuilder, pointer: Any, offset: Any) -> None:
    """Fetch the line at ``pointer`` (bytes) + ``offset`` ahead of use; a wrong one is no harm."""
    kind = ir.FunctionType(ir.VoidType(), [I8.as_pointer(), I32, I32, I32])
    name = "llvm.prefetch.p0"
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    read, near, data = (ir.Constant(I32, value) for value in (0, 2, 1))
    builder.call(function, [builder.gep(pointer, [offset]), read, near, data])


def decode(builder: ir.IRBuilder, target: Target, word: Any, field: int) -> Any:
    """Return field ``field`` (0..3) of a vector of codes as bytes 0, 1, 2."""
    if field:
        word = builder.lshr(word, splat(2 * field, target.words))
    return builder.and_(word, splat(0x03030303, target.words))


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
) -> list[list[Any]]:
    """Emit one tile and return its int32 accumulators, [row][column].

    Parameters
    ----------
    x : pointer to bytes
        First of ``rows`` rows of int8 activations, ``x_stride`` bytes apart, padded with
        zeros to whole blocks.
    codes : pointer to bytes
        ``blocks`` times ``target.columns`` vectors of codes.
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

    def run(first: Any, last: Any, running: list[list[Any]]) -> None:
        with cgutils.for_range(builder, last, start=first) as loop:
            here = builder.mul(loop.index, ir.Constant(I64, columns * target.width))
            there = builder.mul(loop.index, ir.Constant(I64, BLOCK))
            if ahead is not None:
                prefetch(builder, ahead, builder.mul(loop.index, ir.Constant(I64, 64)))
            words = [
                load(
                    builder, codes, builder.add(here, ir.Constant(I64, c * target.width)),
                    target.words, target.width,
                )
                for c in range(columns)
            ]  # fmt: skip
            for field in range(4):
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


def pointer_to_bytes(builder: ir.IRBuilder, pointer: Any) -> Any:
    """Return any pointer as a pointer to bytes."""
    return builder.bitcast(pointer, I8.as_pointer())
