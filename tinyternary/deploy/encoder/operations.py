"""The emitters as functions that Numba code can call (lesson 08_packing_and_kernels).

As in `tinyternary.kernels.simd.intrinsics`, the first argument is a compile-time
integer that names the `Target`, and arrays come with an element offset.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending, types

from tinyternary.deploy.encoder import emitters, functions
from tinyternary.kernels.simd.epilogue import store_floats
from tinyternary.kernels.simd.gemm import emit_tile
from tinyternary.kernels.simd.targets import F32, I32, I64, TARGETS
from tinyternary.kernels.simd.vectors import load, pointer_to_bytes

# its own annotations describe the function before decoration
intrinsic: Any = extending.intrinsic(prefer_literal=True)
_INDEX = types.int64
_FLOAT = types.float32
FOUR = ir.Constant(I64, 4)
GELU = 1
"""The activation that a tile applies by itself; others run over whole rows."""


def _pointer(context: Any, builder: ir.IRBuilder, kind: Any, array: Any, at: Any) -> Any:
    """Return a pointer to the bytes of element ``at`` of an array."""
    data = context.make_array(kind)(context, builder, array).data
    size = ir.Constant(I64, kind.dtype.bitwidth // 8)
    return builder.gep(pointer_to_bytes(builder, data), [builder.mul(at, size)])


def tile_shape(index: int, vectors: int) -> tuple[int, int, int]:
    """Rows, vectors and floats per vector of a float tile for target number ``index``."""
    target = TARGETS[index % 16]
    return target.rows, vectors, target.lanes


def _float_tile(vectors: int | None, fresh: bool) -> Any:
    @intrinsic
    def float_tile(
        typingctx: Any, key: Any, a: Any, a_at: Any, a_stride: Any, b: Any, b_at: Any,
        b_stride: Any, depth: Any, out: Any, out_at: Any, out_stride: Any,
    ) -> Any:  # fmt: skip
        """Set a tile of out to the product of a and b, or add it, see the names below."""

        def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
            index = sig.args[0].literal_value
            columns = TARGETS[index % 16].columns if vectors is None else vectors
            a_p, b_p, out_p = (
                _pointer(context, builder, sig.args[i], args[i], args[i + 1]) for i in (1, 4, 8)
            )
            strides = [builder.mul(args[i], FOUR) for i in (3, 6, 10)]
            emitters.emit_float_tile(
                builder, tile_shape(index, columns), a_p, strides[0], b_p, strides[1], args[7],
                out_p, strides[2], fresh,
            )  # fmt: skip
            return context.get_dummy_value()

        kinds = (a, _INDEX, _INDEX, b, _INDEX, _INDEX, _INDEX, out, _INDEX, _INDEX)
        return types.none(key, *kinds), codegen

    return float_tile


new_float_tile, float_tile = _float_tile(None, True), _float_tile(None, False)
"""out = a b and out += a b, as many columns wide as the target's integer tile."""
new_float_strip, float_strip = _float_tile(1, True), _float_tile(1, False)
"""The same, one vector wide: for what is narrower than a tile."""


@intrinsic
def tile(
    typingctx: Any, key: Any, x: Any, x_at: Any, x_stride: Any, codes: Any, codes_at: Any,
    blocks: Any, sums: Any, scales: Any, first: Any, columns: Any, columns_at: Any,
    biases_at: Any, out: Any, out_at: Any, out_stride: Any, activation: Any,
) -> Any:  # fmt: skip
    """One tile of a ternary layer: activation(integers * (row scale * column scale) + bias).

    Scales and biases of the columns lie in one array; `sums` and `scales` belong to the rows
    from ``first`` on.
    """

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        target = TARGETS[sig.args[0].literal_value % 16]

        def pointer(index: int, at: int) -> Any:
            return _pointer(context, builder, sig.args[index], args[index], args[at])

        def items(index: int, kind: Any) -> list[Any]:
            place = pointer(index, 9)
            return [load(builder, place, 4 * row, kind, 4) for row in range(target.rows)]

        start = [builder.neg(total) for total in items(7, I32)]
        tile = emit_tile(
            builder, target, target.rows, pointer(1, 2), args[3], pointer(4, 5), args[6], start
        )
        place, stride = pointer(13, 14), builder.mul(args[15], FOUR)
        store_floats(
            builder, target, tile, items(8, F32), pointer(10, 11), pointer(10, 12), place, stride
        )
        with builder.if_then(builder.icmp_signed("==", args[16], ir.Constant(I64, GELU))):
            functions.emit_gelu(builder, (target.rows, target.columns, target.lanes), place, stride)
        return context.get_dummy_value()

    kinds = (
        x, _INDEX, _INDEX, codes, _INDEX, _INDEX, sums, scales, _INDEX, columns, _INDEX, _INDEX,
        out, _INDEX, _INDEX, _INDEX,
    )  # fmt: skip
    return types.none(key, *kinds), codegen


@intrinsic
def gelu_tile(typingctx: Any, key: Any, out: Any, out_at: Any, out_stride: Any) -> Any:
    """Apply GELU to a tile in place."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        target = TARGETS[sig.args[0].literal_value % 16]
        place = _pointer(context, builder, sig.args[1], args[1], args[2])
        shape = (target.rows, target.columns, target.lanes)
        functions.emit_gelu(builder, shape, place, builder.mul(args[3], FOUR))
        return context.get_dummy_value()

    return types.none(key, out, _INDEX, _INDEX), codegen


@intrinsic
def transpose_block(
    typingctx: Any, x: Any, x_at: Any, x_stride: Any, factor: Any, out: Any, out_at: Any,
    out_stride: Any,
) -> Any:  # fmt: skip
    """Write 16 x 16 floats transposed and multiplied by a factor."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        source, sink = (
            _pointer(context, builder, sig.args[i], args[i], args[i + 1]) for i in (0, 4)
        )
        strides = [builder.mul(args[i], FOUR) for i in (2, 6)]
        emitters.emit_transpose(builder, source, strides[0], args[3], sink, strides[1])
        return context.get_dummy_value()

    return types.none(x, _INDEX, _INDEX, _FLOAT, out, _INDEX, _INDEX), codegen


def _quantizer(with_norm: bool) -> Any:
    @intrinsic
    def quantize(
        typingctx: Any, x: Any, x_at: Any, weights: Any, weight_at: Any, width: Any, vectors: Any,
        eps: Any, codes: Any, codes_at: Any,
    ) -> Any:  # fmt: skip
        """Quantise a row to int8; return its scale and the sum of its codes."""

        def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
            source, weight, sink = (
                _pointer(context, builder, sig.args[i], args[i], args[i + 1]) for i in (0, 2, 7)
            )
            norm = weight if with_norm else None
            found = emitters.emit_quantize(builder, source, norm, args[4], args[5], args[6], sink)
            return context.make_tuple(builder, sig.return_type, found)

        kinds = (x, _INDEX, weights, _INDEX, _INDEX, _INDEX, _FLOAT, codes, _INDEX)
        return types.Tuple((types.float32, types.int32))(*kinds), codegen

    return quantize


quantize_row, norm_quantize_row = _quantizer(False), _quantizer(True)
"""Without and with an RMSNorm."""


@intrinsic
def add_row(typingctx: Any, x: Any, x_at: Any, y: Any, y_at: Any, vectors: Any) -> Any:
    """Add 16 * vectors floats of y to x."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        left, right = (
            _pointer(context, builder, sig.args[i], args[i], args[i + 1]) for i in (0, 2)
        )
        emitters.emit_add(builder, left, right, args[4])
        return context.get_dummy_value()

    return types.none(x, _INDEX, y, _INDEX, _INDEX), codegen


@intrinsic
def copy_row(
    typingctx: Any, x: Any, x_at: Any, vectors: Any, factor: Any, out: Any, out_at: Any
) -> Any:
    """Write 16 * vectors floats multiplied by a factor."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        source, sink = (
            _pointer(context, builder, sig.args[i], args[i], args[i + 1]) for i in (0, 4)
        )
        emitters.emit_copy(builder, source, args[2], args[3], sink)
        return context.get_dummy_value()

    return types.none(x, _INDEX, _INDEX, _FLOAT, out, _INDEX), codegen


@intrinsic
def layer_norm_row(
    typingctx: Any, x: Any, x_at: Any, weights: Any, weight_at: Any, bias_at: Any, width: Any,
    vectors: Any, eps: Any, out: Any, out_at: Any,
) -> Any:  # fmt: skip
    """LayerNorm of a row; weight and bias lie in one array."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        source = _pointer(context, builder, sig.args[0], args[0], args[1])
        weight, bias = (_pointer(context, builder, sig.args[2], args[2], args[i]) for i in (3, 4))
        sink = _pointer(context, builder, sig.args[8], args[8], args[9])
        emitters.emit_layer_norm(builder, source, weight, bias, args[5], args[6], args[7], sink)
        return context.get_dummy_value()

    kinds = (x, _INDEX, weights, _INDEX, _INDEX, _INDEX, _INDEX, _FLOAT, out, _INDEX)
    return types.none(*kinds), codegen


@intrinsic
def rms_norm_row(
    typingctx: Any, x: Any, x_at: Any, weights: Any, weight_at: Any, width: Any, vectors: Any,
    eps: Any, out: Any, out_at: Any,
) -> Any:  # fmt: skip
    """RMSNorm of a row."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        source, weight, sink = (
            _pointer(context, builder, sig.args[i], args[i], args[i + 1]) for i in (0, 2, 7)
        )
        emitters.emit_rms_norm(builder, source, weight, args[4], args[5], args[6], sink)
        return context.get_dummy_value()

    kinds = (x, _INDEX, weights, _INDEX, _INDEX, _INDEX, _FLOAT, out, _INDEX)
    return types.none(*kinds), codegen


@intrinsic
def softmax_row(typingctx: Any, x: Any, x_at: Any, vectors: Any) -> Any:
    """x = 2^(x - max x) in place for 16 * vectors floats; return their sum."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        row = _pointer(context, builder, sig.args[0], args[0], args[1])
        return functions.emit_softmax(builder, row, args[2])

    return types.float32(x, _INDEX, _INDEX), codegen


def _in_place(emit: Any) -> Any:
    @intrinsic
    def apply(typingctx: Any, x: Any, x_at: Any, vectors: Any) -> Any:
        """Apply a function to 16 * vectors floats of x, in place."""

        def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
            emit(builder, _pointer(context, builder, sig.args[0], args[0], args[1]), args[2])
            return context.get_dummy_value()

        return types.none(x, _INDEX, _INDEX), codegen

    return apply


gelu_tanh_row = _in_place(functions.emit_gelu_tanh)
relu_squared_row = _in_place(functions.emit_relu_squared)


@intrinsic
def add(typingctx: Any, counters: Any, at: Any, amount: Any) -> Any:
    """Add to an int32 counter that other threads read and add to; return what it was."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        place = _pointer(context, builder, sig.args[0], args[0], args[1])
        place = builder.bitcast(place, I32.as_pointer())
        before = builder.atomic_rmw("add", place, builder.trunc(args[2], I32), "seq_cst")
        return builder.sext(before, I64)

    return types.int64(counters, _INDEX, _INDEX), codegen


@intrinsic
def look(typingctx: Any, counters: Any, at: Any) -> Any:
    """Return what such a counter is now."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        place = _pointer(context, builder, sig.args[0], args[0], args[1])
        place = builder.bitcast(place, I32.as_pointer())
        return builder.sext(builder.load_atomic(place, "seq_cst", 4), I64)

    return types.int64(counters, _INDEX), codegen
