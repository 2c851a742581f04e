"""The emitters as functions that Numba code can call (lesson 08_packing_and_kernels).

Each takes ``key``, a compile-time integer, first: its low four bits say which `Target` to emit
for. Arrays come with an offset in bytes instead of as slices, which would cost more than a
small tile does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types

from tinyternary.kernels.simd import epilogue, quantise
from tinyternary.kernels.simd.gemv import emit_gemv
from tinyternary.kernels.simd.lookup import emit_lookups, emit_tables
from tinyternary.kernels.simd.targets import F32, I32, I64, LOOKUP7, TARGETS, Target
from tinyternary.kernels.simd.tile import at, emit_tile, load, pointer_to_bytes

_INDEX = types.int64
NOTES = 8
"""Bytes that quantisation notes down per row: scale (float32), sum of the codes (int32)."""

# its own annotations describe the function before decoration
intrinsic: Any = extending.intrinsic(prefer_literal=True)


class _Call:
    """The arguments of one call, by position, as the emitters want them."""

    def __init__(self, context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> None:
        self.context, self.builder, self.kinds, self.values = context, builder, sig.args, args
        self.target: Target = TARGETS[sig.args[0].literal_value % 16]

    def scalar(self, index: int) -> Any:
        return self.values[index]

    def pointer(self, index: int) -> Any:
        """Return a pointer to byte ``args[index + 1]`` of array ``args[index]``."""
        array = self.context.make_array(self.kinds[index])(
            self.context, self.builder, self.values[index]
        )
        return self.builder.gep(
            pointer_to_bytes(self.builder, array.data), [self.values[index + 1]]
        )

    def notes(self, index: int, rows: int) -> tuple[list[Any], list[Any]]:
        """Return scales and code sums of ``rows`` rows from where argument ``index`` points."""
        start = self.pointer(index)
        scales = [load(self.builder, start, NOTES * row, F32, 4) for row in range(rows)]
        sums = [load(self.builder, start, NOTES * row + 4, I32, 4) for row in range(rows)]
        return scales, sums


def _emitted(emit: Callable[[_Call], None], *kinds: Any) -> tuple[Any, Any]:
    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        emit(_Call(context, builder, sig, args))
        return context.get_dummy_value()

    return types.none(*kinds), codegen


@intrinsic
def quantise_row(
    typingctx: Any, key: Any, x: Any, x_at: Any, k: Any, scratch: Any, codes_at: Any,
    scratch_again: Any, notes_at: Any,
) -> Any:  # fmt: skip
    """Quantise ``k`` floats; store codes, filled up to whole blocks by zeros, and notes.

    For a target that looks products up, codes have to be followed by `finish_row`.
    """

    def emit(call: _Call) -> None:
        builder = call.builder
        row = quantise.Row(builder, call.pointer(1), call.scalar(3))
        scale = quantise.scale_of(builder, quantise.largest_bits(builder, row), call.target.most)
        total = quantise.emit_codes(builder, row, scale, call.pointer(4))
        notes = call.pointer(6)
        builder.store(scale, at(builder, notes, 0, F32)).align = 4
        builder.store(total, at(builder, notes, 4, I32)).align = 4

    return _emitted(emit, key, x, _INDEX, _INDEX, scratch, _INDEX, scratch_again, _INDEX)


@intrinsic
def finish_row(typingctx: Any, key: Any, scratch: Any, row_at: Any, blocks: Any) -> Any:
    """Turn the codes at the end of a row's place into what its tiles read: tables, if anything."""

    def emit(call: _Call) -> None:
        if call.target is LOOKUP7:
            row, blocks = call.pointer(1), call.scalar(3)
            last = ir.Constant(I64, LOOKUP7.row_block - 16)
            codes = call.builder.gep(row, [call.builder.mul(blocks, last)])
            # a block's tables never reach codes that are still to be read
            emit_tables(call.builder, codes, blocks, row)

    return _emitted(emit, key, scratch, _INDEX, _INDEX)


def _products(call: _Call, rows: int) -> tuple[list[list[Any]], list[Any]]:
    """Accumulators of a tile, and its rows' scales; from arguments 1 to 8."""
    codes, stride, weights, blocks = (
        call.pointer(1),
        call.scalar(3),
        call.pointer(4),
        call.scalar(6),
    )
    scales, sums = call.notes(7, rows)
    start = [call.builder.neg(total) for total in sums]
    if call.target is LOOKUP7:
        return emit_lookups(call.builder, rows, codes, stride, weights, blocks), scales
    if rows == 1:
        tile = [emit_gemv(call.builder, call.target, codes, weights, blocks, start[0])]
    else:
        tile = emit_tile(call.builder, call.target, rows, codes, stride, weights, blocks, start)
    return tile, scales


def _destination(call: _Call, index: int) -> tuple[Any, Any]:
    """Where a tile goes and its row stride in bytes: ``out``, or ``edge`` if it sticks out.

    Arguments from ``index``: out, its offset, its stride, edge, its offset, whether it fits.
    """
    builder, fits = call.builder, call.scalar(index + 5)
    place = builder.select(fits, call.pointer(index), call.pointer(index + 3))
    width = ir.Constant(I64, 4 * call.target.outputs)
    return place, builder.select(fits, call.scalar(index + 2), width)


def _tile_integers(rows: int | None) -> Any:
    @intrinsic
    def tile_integers(
        typingctx: Any, key: Any, codes: Any, codes_at: Any, codes_stride: Any,
        weights: Any, weights_at: Any, blocks: Any, notes: Any, notes_at: Any,
        out: Any, out_at: Any, out_stride: Any, edge: Any, edge_at: Any, fits: Any,
    ) -> Any:  # fmt: skip
        """Store a tile's int32 accumulators."""

        def emit(call: _Call) -> None:
            tile, _ = _products(call, rows or call.target.rows)
            place, stride = _destination(call, 9)
            epilogue.store_integers(call.builder, call.target, tile, place, stride)

        return _emitted(
            emit, key, codes, _INDEX, _INDEX, weights, _INDEX, _INDEX, notes, _INDEX,
            out, _INDEX, _INDEX, edge, _INDEX, types.boolean,
        )  # fmt: skip

    return tile_integers


def _tile_floats(rows: int | None) -> Any:
    @intrinsic
    def tile_floats(
        typingctx: Any, key: Any, codes: Any, codes_at: Any, codes_stride: Any,
        weights: Any, weights_at: Any, blocks: Any, notes: Any, notes_at: Any,
        out: Any, out_at: Any, out_stride: Any, edge: Any, edge_at: Any, fits: Any,
        scales: Any, scales_at: Any, biases: Any, biases_at: Any, activation: Any,
    ) -> Any:  # fmt: skip
        """Store activation(float(accumulators) * (row scale * column scale) + bias)."""

        def emit(call: _Call) -> None:
            builder, target = call.builder, call.target
            tile, row_scales = _products(call, rows or target.rows)
            place, stride = _destination(call, 9)
            epilogue.store_floats(
                builder, target, tile, row_scales, call.pointer(15), call.pointer(17), place, stride
            )
            epilogue.activate(builder, target, call.scalar(19), place, stride, len(tile))

        return _emitted(
            emit, key, codes, _INDEX, _INDEX, weights, _INDEX, _INDEX, notes, _INDEX,
            out, _INDEX, _INDEX, edge, _INDEX, types.boolean,
            scales, _INDEX, biases, _INDEX, _INDEX,
        )  # fmt: skip

    return tile_floats


tile_integers, row_integers = _tile_integers(None), _tile_integers(1)
tile_floats, row_floats = _tile_floats(None), _tile_floats(1)


@intrinsic
def draw(typingctx: Any, address: Any, place: Any, amount: Any) -> Any:
    """Add ``amount`` to one of the counters that threads share; return what it was."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        counters = builder.inttoptr(args[0], I64.as_pointer())
        return builder.atomic_rmw("add", builder.gep(counters, [args[1]]), args[2], "seq_cst")

    return types.int64(_INDEX, _INDEX, _INDEX), codegen
