"""The emitters as functions that Numba code can call (lesson 08_packing_and_kernels).

Each takes ``key``, a compile-time integer, first: its low four bits say which `Target` to emit
for. What lies in memory comes as an address: slices would cost more than a small tile does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils

from tinyternary.kernels.simd import epilogue, quantize
from tinyternary.kernels.simd.gemv import emit_gemv
from tinyternary.kernels.simd.layout import BLOCK
from tinyternary.kernels.simd.targets import F32, I8, I32, I64, TARGETS, Target
from tinyternary.kernels.simd.tile import at, emit_tile, load, pointer_to_bytes

INDEX = types.int64
NOTES = 8
"""Bytes that quantisation notes down per row: scale (float32), sum of the codes (int32)."""

# its own annotations describe the function before decoration
intrinsic: Any = extending.intrinsic(prefer_literal=True)


class Call:
    """The arguments of one call, by position, as the emitters want them."""

    def __init__(self, builder: ir.IRBuilder, sig: Any, args: Any) -> None:
        self.builder, self.kinds, self.values = builder, sig.args, args
        self.target: Target = TARGETS[self.literal(0) % 16]

    def literal(self, index: int) -> int:
        """Return an argument that is known when code is compiled."""
        return int(self.kinds[index].literal_value)

    def scalar(self, index: int) -> Any:
        """Return the number that is argument ``index``."""
        return self.values[index]

    def pointer(self, index: int) -> Any:
        """Return the address that is argument ``index`` as a pointer to bytes."""
        return self.builder.inttoptr(self.values[index], I8.as_pointer())

    def notes(self, index: int, rows: int) -> tuple[list[Any], list[Any]]:
        """Return scales and code sums of ``rows`` rows from where argument ``index`` points."""
        start = self.pointer(index)
        scales = [load(self.builder, start, NOTES * row, F32, 4) for row in range(rows)]
        sums = [load(self.builder, start, NOTES * row + 4, I32, 4) for row in range(rows)]
        return scales, sums


def emitted(emit: Callable[[Call], None], key: Any, *kinds: Any) -> tuple[Any, Any]:
    """Return signature and generator of an intrinsic: literals as they are, the rest int64."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        emit(Call(builder, sig, args))
        return context.get_dummy_value()

    return types.none(key, *kinds), codegen


ROOM = 24576
"""Bytes of working memory that a kernel takes from its stack; more has to be asked for, which
takes as long as a small layer."""


@intrinsic
def address(typingctx: Any, array: Any) -> Any:
    """Return where an array's first element lies."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        return builder.ptrtoint(pointer_to_bytes(builder, data), I64)

    return INDEX(array), codegen


@intrinsic
def reserve(typingctx: Any, size: Any) -> Any:
    """Return the address of ``size`` bytes to work in; `release` gives them back."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        found = cgutils.alloca_once(builder, I64)
        with builder.goto_entry_block():  # alloca_once would fill it with zeros
            stack = builder.alloca(ir.ArrayType(I8, ROOM))
        stack.align = 64
        builder.store(builder.ptrtoint(stack, I64), found)
        with builder.if_then(builder.icmp_signed(">", args[0], ir.Constant(I64, ROOM))):
            heap = context.nrt.allocate(builder, args[0])
            builder.store(builder.ptrtoint(heap, I64), found)
        return builder.load(found)

    return INDEX(INDEX), codegen


@intrinsic
def release(typingctx: Any, place: Any, size: Any) -> Any:
    """Give back what `reserve` gave for ``size`` bytes."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        with builder.if_then(builder.icmp_signed(">", args[1], ir.Constant(I64, ROOM))):
            context.nrt.free(builder, builder.inttoptr(args[0], I8.as_pointer()))
        return context.get_dummy_value()

    return types.none(INDEX, INDEX), codegen


@intrinsic
def move(typingctx: Any, size: Any, source: Any, source_step: Any, sink: Any, sink_step: Any,
         rows: Any) -> Any:  # fmt: skip
    """Copy ``rows`` pieces of ``size`` bytes, a multiple of 4; steps are in bytes."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        size, source, source_step, sink, sink_step, rows = args
        words = builder.sdiv(size, ir.Constant(I64, 4))
        with cgutils.for_range(builder, rows) as row:
            ends = (
                builder.inttoptr(builder.add(start, builder.mul(row.index, step)), I32.as_pointer())
                for start, step in ((source, source_step), (sink, sink_step))
            )
            left, right = ends
            with cgutils.for_range(builder, words) as word:
                value = builder.load(builder.gep(left, [word.index]))
                builder.store(value, builder.gep(right, [word.index]))
        return context.get_dummy_value()

    return types.none(*[INDEX] * 6), codegen


@intrinsic
def fact(typingctx: Any, plan: Any, place: Any) -> Any:
    """Return one of the numbers behind the address of a `plan.Plan`."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        numbers = builder.inttoptr(args[0], I64.as_pointer())
        return builder.load(builder.gep(numbers, [args[1]]))

    return INDEX(INDEX, INDEX), codegen


@intrinsic
def quantize_row(typingctx: Any, key: Any, x: Any, k: Any, codes: Any, notes: Any) -> Any:
    """Quantise ``k`` floats; store codes, filled up to whole blocks by zeros, and notes."""

    def emit(call: Call) -> None:
        builder = call.builder
        row = quantize.Row(builder, call.pointer(1), call.scalar(2))
        scale = quantize.scale_of(builder, quantize.largest_bits(builder, row), call.target.most)
        total = quantize.emit_codes(builder, row, scale, call.pointer(3))
        notes = call.pointer(4)
        builder.store(scale, at(builder, notes, 0, F32)).align = 4
        builder.store(total, at(builder, notes, 4, I32)).align = 4

    return emitted(emit, key, *[INDEX] * 4)


@intrinsic
def copy_row(typingctx: Any, key: Any, x: Any, k: Any, codes: Any, notes: Any) -> Any:
    """Copy ``k`` int8 codes, filled up to whole blocks by zeros, and note their sum."""

    def emit(call: Call) -> None:
        builder, k = call.builder, call.scalar(2)
        x, codes = call.pointer(1), call.pointer(3)
        total = cgutils.alloca_once_value(builder, ir.Constant(I32, 0))
        with cgutils.for_range(builder, k) as loop:
            value = builder.load(builder.gep(x, [loop.index]))
            builder.store(value, builder.gep(codes, [loop.index]))
            builder.store(builder.add(builder.load(total), builder.sext(value, I32)), total)
        fifteen = ir.Constant(I64, BLOCK - 1)
        whole = builder.and_(builder.add(k, fifteen), builder.not_(fifteen))
        with cgutils.for_range(builder, whole, start=k) as loop:
            builder.store(ir.Constant(I8, 0), builder.gep(codes, [loop.index]))
        builder.store(builder.load(total), at(builder, call.pointer(4), 4, I32)).align = 4

    return emitted(emit, key, *[INDEX] * 4)


@intrinsic
def tile(
    typingctx: Any, key: Any, floats: Any, height: Any, codes: Any, wide: Any, weights: Any,
    blocks: Any, notes: Any, place: Any, stride: Any, scales: Any, biases: Any, activation: Any,
    ahead: Any,
) -> Any:  # fmt: skip
    """Store a tile of ``height`` rows (1 or the target's) at ``place``, ``stride`` bytes apart.

    Its int32 sums, or, if the literal ``floats`` is 1, activation(float(sums) * (row scale *
    column scale) + bias); then what lies at ``ahead`` is fetched, 64 bytes a block.
    """

    def emit(call: Call) -> None:
        builder, target = call.builder, call.target
        one = builder.icmp_signed("==", call.scalar(2), ir.Constant(I64, 1))
        with builder.if_else(one) as (single, whole):
            with single:
                emit_rows(call, 1)
            with whole:
                emit_rows(call, target.rows)

    def emit_rows(call: Call, rows: int) -> None:
        builder, target, floats = call.builder, call.target, call.literal(1)
        codes, weights, blocks = call.pointer(3), call.pointer(5), call.scalar(6)
        row_scales, sums = call.notes(7, rows)
        start = [builder.neg(total) for total in sums]
        if rows == 1:
            sums = [emit_gemv(builder, target, codes, weights, blocks, start[0])]
        else:
            ahead = call.pointer(13) if floats else None
            sums = emit_tile(
                builder, target, rows, codes, call.scalar(4), weights, blocks, start, ahead
            )
        place, stride = call.pointer(8), call.scalar(9)
        if not floats:
            epilogue.store_integers(builder, target, sums, place, stride)
            return
        scales, biases = call.pointer(10), call.pointer(11)
        epilogue.store_floats(builder, target, sums, row_scales, scales, biases, place, stride)
        epilogue.activate(builder, target, call.scalar(12), place, stride, rows)

    return emitted(emit, key, floats, *[INDEX] * 12)


@intrinsic
def spread_row(
    typingctx: Any, key: Any, codes: Any, size: Any, groups: Any, wide: Any, sums: Any
) -> Any:
    """Move each of ``groups`` groups of ``size`` codes to a place of ``wide`` bytes; note sums.

    From the last to the first, in place: a group never moves down. Codes between them become 0.
    """

    def emit(call: Call) -> None:
        builder, codes, sums = call.builder, call.pointer(1), call.pointer(5)
        size, groups, wide = call.scalar(2), call.scalar(3), call.scalar(4)
        last = builder.sub(groups, ir.Constant(I64, 1))
        end = builder.sub(size, ir.Constant(I64, 1))
        with cgutils.for_range(builder, groups) as backwards:
            group = builder.sub(last, backwards.index)
            source = builder.gep(codes, [builder.mul(group, size)])
            sink = builder.gep(codes, [builder.mul(group, wide)])
            with builder.if_then(builder.icmp_signed("<", size, wide), likely=False):
                with cgutils.for_range(builder, size) as loop:
                    place = builder.sub(end, loop.index)
                    value = builder.load(builder.gep(source, [place]))
                    builder.store(value, builder.gep(sink, [place]))
                with cgutils.for_range(builder, wide, start=size) as loop:
                    builder.store(ir.Constant(I8, 0), builder.gep(sink, [loop.index]))
            total = cgutils.alloca_once(builder, I32)
            builder.store(ir.Constant(I32, 0), total)
            with cgutils.for_range(builder, size) as loop:
                value = builder.sext(builder.load(builder.gep(sink, [loop.index])), I32)
                builder.store(builder.add(builder.load(total), value), total)
            offset = builder.mul(group, ir.Constant(I64, 4))
            builder.store(builder.load(total), at(builder, sums, offset, I32)).align = 4

    return emitted(emit, key, *[INDEX] * 5)


@intrinsic
def draw(typingctx: Any, address: Any, place: Any, amount: Any) -> Any:
    """Add ``amount`` to one of the counters that threads share; return what it was."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        counters = builder.inttoptr(args[0], I64.as_pointer())
        return builder.atomic_rmw("add", builder.gep(counters, [args[1]]), args[2], "seq_cst")

    return types.int64(INDEX, INDEX, INDEX), codegen
