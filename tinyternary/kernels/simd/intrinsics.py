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

from tinyternary.kernels.simd import epilogue
from tinyternary.kernels.simd.layout import BLOCK
from tinyternary.kernels.simd.micro_kernels import MICRO_KERNELS
from tinyternary.kernels.simd.quantize import NOTES
from tinyternary.kernels.simd.targets import F32, I8, I32, I64, TARGETS, Target
from tinyternary.kernels.simd.vectors import at, load, pointer_to_bytes

INDEX = types.int64
INTEGERS, FLOATS, GROUPED = 0, 1, 2
"""Kinds of a product: int8 in and int32 out; float32 in and out; that with scales per group of
inputs."""

UNPACKED = 0
"""What `store_tile` takes for a height."""

# its own annotations describe the function before decoration
intrinsic: Any = extending.intrinsic(prefer_literal=True)


class Call:
    """The arguments of one call, by position, as the emitters want them."""

    def __init__(self, builder: ir.IRBuilder, sig: Any, args: Any) -> None:
        self.builder, self.kinds, self.values = builder, sig.args, args
        self.target: Target = TARGETS[self.literal(0)]

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
def memcpy_rows(
    typingctx: Any, size: Any, source: Any, source_step: Any, sink: Any, sink_step: Any, rows: Any
) -> Any:  # fmt: skip
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
def load_field(typingctx: Any, record: Any, place: Any) -> Any:
    """Return one of the numbers behind the address of a `record.Record`."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        numbers = builder.inttoptr(args[0], I64.as_pointer())
        return builder.load(builder.gep(numbers, [args[1]]))

    return INDEX(INDEX, INDEX), codegen


@intrinsic
def prepare_row(typingctx: Any, key: Any, kind: Any, x: Any, k: Any, row: Any, notes: Any) -> Any:
    """Write ``k`` activations as the micro-kernel reads them: floats, or codes if kind is 0."""

    def emit(call: Call) -> None:
        micro = MICRO_KERNELS[call.target.index]
        take = micro.emit_floats if call.literal(1) else micro.emit_integers
        take(call.builder, call.target, call.pointer(2), call.scalar(3), call.pointer(4),
             call.pointer(5))  # fmt: skip

    return emitted(emit, key, kind, *[INDEX] * 4)


@intrinsic
def unpack_panel(typingctx: Any, key: Any, packed: Any, blocks: Any, panel: Any) -> Any:
    """Write ``blocks`` blocks of a panel as the micro-kernel reads them."""

    def emit(call: Call) -> None:
        unpack = MICRO_KERNELS[call.target.index].emit_unpack
        if unpack is not None:
            unpack(call.builder, call.pointer(1), call.scalar(2), call.pointer(3))

    return emitted(emit, key, *[INDEX] * 3)


@intrinsic
def store_tile(
    typingctx: Any, key: Any, kind: Any, height: Any, x: Any, wide: Any, weights: Any,
    blocks: Any, groups: Any, notes: Any, sums: Any, place: Any, stride: Any, scales: Any,
    scale_step: Any, activation: Any, ahead: Any,
) -> Any:  # fmt: skip
    """Store a tile of ``height`` rows (1 or the target's) at ``place``, ``stride`` bytes apart.

    `UNPACKED` for a height: the target's, from a panel that `unpack_panel` wrote.

    What is stored depends on the literal ``kind``:

    * `INTEGERS`: the int32 sums;
    * `FLOATS`: activation(float(sums) * (row scale * scale) + bias); and what lies at ``ahead``
      is fetched, 64 bytes a block;
    * `GROUPED`: the same with a term of the sum for each group of ``blocks`` inputs, whose scales
      follow each other, and where ``sums`` has each row's sums of codes, group by group.
    """

    def emit(call: Call) -> None:
        builder, micro = call.builder, MICRO_KERNELS[call.target.index]

        def if_height(height: int) -> Any:
            return builder.if_else(
                builder.icmp_signed("==", call.scalar(2), ir.Constant(I64, height))
            )

        def emit_packed() -> None:
            with if_height(1) as (single, whole):
                with single:
                    emit_rows(call, 1, micro.emit_sums, micro.block_bytes)
                with whole:
                    emit_rows(call, call.target.rows, micro.emit_sums, micro.block_bytes)

        if micro.emit_unpacked_sums is None:
            emit_packed()
            return
        with if_height(UNPACKED) as (unpacked, packed):
            with unpacked:
                emit_rows(call, call.target.rows, micro.emit_unpacked_sums, micro.unpacked_bytes)
            with packed:
                emit_packed()

    def emit_rows(call: Call, rows: int, emit_sums: Any, block_bytes: int) -> None:
        builder, target, kind = call.builder, call.target, call.literal(1)
        x, wide, weights, blocks = (
            call.pointer(3), call.scalar(4), call.pointer(5), call.scalar(6),
        )  # fmt: skip
        groups, scales, scale_step = call.scalar(7), call.pointer(12), call.scalar(13)
        place, stride = call.pointer(10), call.scalar(11)
        row_scales, row_sums = call.notes(8, rows)

        if kind == GROUPED:

            def group_sums(group: Any) -> Any:
                here = builder.mul(group, blocks)
                codes = builder.gep(x, [builder.mul(here, ir.Constant(I64, BLOCK))])
                size = ir.Constant(I64, block_bytes)
                panel = builder.gep(weights, [builder.mul(here, size)])
                start = []
                for row in range(rows):
                    index = builder.add(builder.mul(groups, ir.Constant(I64, row)), group)
                    offset = builder.mul(index, ir.Constant(I64, 4))
                    start.append(builder.neg(load(builder, call.pointer(9), offset, I32, 4)))
                return emit_sums(builder, target, rows, codes, wide, panel, blocks, start, None)

            epilogue.store_groups(
                builder, target, rows, group_sums, groups, row_scales, scales, scale_step, place,
                stride,
            )  # fmt: skip
        else:
            ahead = call.pointer(15) if kind == FLOATS else None
            start = [builder.neg(total) for total in row_sums]
            sums = emit_sums(builder, target, rows, x, wide, weights, blocks, start, ahead)
            if kind == INTEGERS:
                epilogue.store_integers(builder, target, sums, place, stride)
                return
            biases = builder.gep(scales, [scale_step])
            epilogue.store_floats(builder, target, sums, row_scales, scales, biases, place, stride)
        epilogue.activate(builder, target, call.scalar(14), place, stride, rows)

    return emitted(emit, key, kind, *[INDEX] * 14)


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
def fetch_add(typingctx: Any, address: Any, place: Any, amount: Any) -> Any:
    """Add ``amount`` to one of the counters that threads share; return what it was."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        counters = builder.inttoptr(args[0], I64.as_pointer())
        return builder.atomic_rmw("add", builder.gep(counters, [args[1]]), args[2], "seq_cst")

    return types.int64(INDEX, INDEX, INDEX), codegen
