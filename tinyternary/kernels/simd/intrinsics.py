"""The emitters as functions that Numba code can call (lesson 08_packing_and_kernels).

Each takes ``key``, a compile-time integer, first: its low four bits say which `Target` to emit
for. Arrays come with an element offset instead of as slices, which would cost more than a
small tile does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils

from tinyternary.kernels.simd import epilogue, quantise
from tinyternary.kernels.simd.gemv import emit_gemv
from tinyternary.kernels.simd.targets import I64, TARGETS, Target
from tinyternary.kernels.simd.tile import emit_tile, load, pointer_to_bytes

_INDEX = types.int64
intrinsic: Any = extending.intrinsic  # its own annotations describe the function before decoration


class _Arguments:
    """The arguments of one intrinsic call, by position, as the emitters want them."""

    def __init__(self, context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> None:
        self.context, self.builder, self.kinds, self.values = context, builder, sig.args, args
        self.target: Target = TARGETS[sig.args[0].literal_value % 16]

    def scalar(self, index: int) -> Any:
        return self.values[index]

    def pointer(self, index: int) -> Any:
        """Return a pointer to the bytes of array ``index`` from the element that the next argument says."""
        kind = self.kinds[index]
        array = self.context.make_array(kind)(self.context, self.builder, self.values[index])
        size = ir.Constant(I64, kind.dtype.bitwidth // 8)
        start = self.builder.mul(self.values[index + 1], size)
        return self.builder.gep(pointer_to_bytes(self.builder, array.data), [start])

    def items(self, index: int, count: int) -> list[Any]:
        """Return the ``count`` elements of array ``index`` from that offset on, as values."""
        element = self.context.get_value_type(self.kinds[index].dtype)
        size = self.kinds[index].dtype.bitwidth // 8
        start = self.pointer(index)
        return [load(self.builder, start, i * size, element, size) for i in range(count)]


Emit = Callable[[_Arguments], Any]


def _numbered(emit: Emit, result: Any, *kinds: Any) -> tuple[Any, Any]:
    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        value = emit(_Arguments(context, builder, sig, args))
        if value is None:
            return context.get_dummy_value()
        if isinstance(value, tuple):
            return context.make_tuple(builder, sig.return_type, value)
        return value

    return result(*kinds), codegen


@intrinsic(prefer_literal=True)
def quantise_row(
    typingctx: Any, key: Any, x: Any, x_at: Any, vectors: Any, codes: Any, codes_at: Any
) -> Any:
    """Quantise 16 * vectors floats of x to int8 codes; return (scale, sum of the codes)."""

    def emit(a: _Arguments) -> Any:
        source, sink, count = a.pointer(1), a.pointer(4), a.scalar(3)
        scale = quantise.scale_of(a.builder, quantise.largest_bits(a.builder, source, count))
        return scale, quantise.emit_codes(a.builder, source, count, scale, sink)

    result = types.Tuple((types.float32, types.int32))
    return _numbered(emit, result, key, x, _INDEX, _INDEX, codes, _INDEX)


def _products(a: _Arguments, rows: int) -> list[list[Any]]:
    """Accumulators of a tile; arguments 1..8 are those that `tile_integers` lists."""
    x, stride, weights, blocks = a.pointer(1), a.scalar(3), a.pointer(4), a.scalar(6)
    start = [a.builder.neg(total) for total in a.items(7, rows)]
    if rows == 1:
        return [emit_gemv(a.builder, a.target, x, weights, blocks, start[0])]
    return emit_tile(a.builder, a.target, rows, x, stride, weights, blocks, start)


def _tile_integers(rows: int | None) -> Any:
    @intrinsic(prefer_literal=True)
    def tile_integers(
        typingctx: Any, key: Any, x: Any, x_at: Any, x_stride: Any, weights: Any, weights_at: Any,
        blocks: Any, sums: Any, sums_at: Any, out: Any, out_at: Any, out_stride: Any,
    ) -> Any:  # fmt: skip
        """Store a tile's int32 accumulators at out[out_at:], rows out_stride elements apart."""

        def emit(a: _Arguments) -> None:
            tile = _products(a, rows or a.target.rows)
            stride = a.builder.mul(a.scalar(11), ir.Constant(I64, 4))
            epilogue.store_integers(a.builder, a.target, tile, a.pointer(9), stride)

        kinds = (x, _INDEX, _INDEX, weights, _INDEX, _INDEX, sums, _INDEX, out, _INDEX, _INDEX)
        return _numbered(emit, types.none, key, *kinds)

    return tile_integers


def _tile_floats(rows: int | None) -> Any:
    @intrinsic(prefer_literal=True)
    def tile_floats(
        typingctx: Any, key: Any, x: Any, x_at: Any, x_stride: Any, weights: Any, weights_at: Any,
        blocks: Any, sums: Any, sums_at: Any, scales: Any, scales_at: Any,
        columns: Any, columns_at: Any, biases: Any, biases_at: Any,
        out: Any, out_at: Any, out_stride: Any,
    ) -> Any:  # fmt: skip
        """Store float(accumulators) * (row scale * column scale) + bias at out[out_at:]."""

        def emit(a: _Arguments) -> None:
            count = rows or a.target.rows
            tile = _products(a, count)
            stride = a.builder.mul(a.scalar(17), ir.Constant(I64, 4))
            epilogue.store_floats(
                a.builder, a.target, tile, a.items(9, count), a.pointer(11), a.pointer(13),
                a.pointer(15), stride,
            )  # fmt: skip

        kinds = (
            x, _INDEX, _INDEX, weights, _INDEX, _INDEX, sums, _INDEX, scales, _INDEX,
            columns, _INDEX, biases, _INDEX, out, _INDEX, _INDEX,
        )  # fmt: skip
        return _numbered(emit, types.none, key, *kinds)

    return tile_floats


tile_integers, row_integers = _tile_integers(None), _tile_integers(1)
tile_floats, row_floats = _tile_floats(None), _tile_floats(1)


@intrinsic(prefer_literal=True)
def gelu_block(typingctx: Any, key: Any, out: Any, out_at: Any, out_stride: Any, rows: Any) -> Any:
    """Apply GELU in place to ``rows`` rows of one block of outputs."""

    def emit(a: _Arguments) -> None:
        floats = ir.VectorType(ir.FloatType(), a.target.lanes)
        start, stride = a.pointer(1), a.builder.mul(a.scalar(3), ir.Constant(I64, 4))
        with cgutils.for_range(a.builder, a.scalar(4)) as loop:
            row = a.builder.gep(start, [a.builder.mul(loop.index, stride)])
            for column in range(a.target.columns):
                offset = column * a.target.width
                value = epilogue.gelu(a.builder, load(a.builder, row, offset, floats, 4))
                place = a.builder.gep(row, [ir.Constant(I64, offset)])
                place = a.builder.bitcast(place, floats.as_pointer())
                a.builder.store(value, place).align = 4

    return _numbered(emit, types.none, key, out, _INDEX, _INDEX, _INDEX)
