"""The emitters as functions that Numba code can call (lesson 08_packing_and_kernels).

As in `tinyternary.kernels.simd.intrinsics`, the first argument is a compile-time
integer that names the `Target`, and arrays come with an element offset.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from tinyternary.kernels.simd.intrinsics import intrinsic
from tinyternary.kernels.simd.targets import F32, I32, I64, TARGETS
from tinyternary.kernels.simd.tile import load, pointer_to_bytes
from tinyternary.kernels.vit import emitters

_INDEX = types.int64
_FLOAT = types.float32
FOUR = ir.Constant(I64, 4)


def _pointer(context: Any, builder: ir.IRBuilder, kind: Any, array: Any, at: Any) -> Any:
    """Return a pointer to the bytes of element ``at`` of an array."""
    data = context.make_array(kind)(context, builder, array).data
    size = ir.Constant(I64, kind.dtype.bitwidth // 8)
    return builder.gep(pointer_to_bytes(builder, data), [builder.mul(at, size)])


def tile_shape(index: int, vectors: int) -> tuple[int, int, int]:
    """Rows, vectors and floats per vector of a float tile for target number ``index``."""
    target = TARGETS[index % 16]
    return target.rows, vectors, target.lanes


def _float_tile(vectors: int | None) -> Any:
    @intrinsic(prefer_literal=True)
    def float_tile(
        typingctx: Any, key: Any, a: Any, a_at: Any, a_stride: Any, b: Any, b_at: Any,
        b_stride: Any, depth: Any, out: Any, out_at: Any, out_stride: Any,
    ) -> Any:  # fmt: skip
        """Add the product of a (rows, depth) and b (depth, columns) to a tile of out."""

        def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
            index = sig.args[0].literal_value
            columns = TARGETS[index % 16].columns if vectors is None else vectors
            a_p, b_p, out_p = (
                _pointer(context, builder, sig.args[i], args[i], args[i + 1]) for i in (1, 4, 8)
            )
            strides = [builder.mul(args[i], FOUR) for i in (3, 6, 10)]
            emitters.emit_float_tile(
                builder, tile_shape(index, columns), a_p, strides[0], b_p, strides[1], args[7],
                out_p, strides[2],
            )  # fmt: skip
            return context.get_dummy_value()

        kinds = (a, _INDEX, _INDEX, b, _INDEX, _INDEX, _INDEX, out, _INDEX, _INDEX)
        return types.none(key, *kinds), codegen

    return float_tile


float_tile = _float_tile(None)
"""As many columns as the target's integer tile."""
float_strip = _float_tile(1)
"""One vector of columns: for heads that are narrower than a tile."""


@intrinsic
def add_row(typingctx: Any, x: Any, x_at: Any, y: Any, y_at: Any, vectors: Any) -> Any:
    """Add 16 * vectors floats of y to x."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        left, right = (_pointer(context, builder, sig.args[i], args[i], args[i + 1]) for i in (0, 2))
        emitters.emit_add(builder, left, right, args[4])
        return context.get_dummy_value()

    return types.none(x, _INDEX, y, _INDEX, _INDEX), codegen


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
        emitters.emit_layer_norm(
            builder, source, weight, bias, args[5], args[6], args[7], sink
        )
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
        return emitters.emit_softmax(builder, row, args[2])

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


gelu_tanh_row = _in_place(emitters.emit_gelu_tanh)
relu_squared_row = _in_place(emitters.emit_relu_squared)


@intrinsic
def arrive(typingctx: Any, counters: Any, at: Any) -> Any:
    """Add one to an int32 counter that other threads read."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        place = _pointer(context, builder, sig.args[0], args[0], args[1])
        place = builder.bitcast(place, I32.as_pointer())
        builder.atomic_rmw("add", place, ir.Constant(I32, 1), "seq_cst")
        return context.get_dummy_value()

    return types.none(counters, _INDEX), codegen


@intrinsic
def arrived(typingctx: Any, counters: Any, at: Any) -> Any:
    """Return what an int32 counter is now."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        place = _pointer(context, builder, sig.args[0], args[0], args[1])
        place = builder.bitcast(place, I32.as_pointer())
        return builder.load_atomic(place, "seq_cst", 4)

    return types.int32(counters, _INDEX), codegen


__all__ = [
    "F32",
    "add_row",
    "arrive",
    "arrived",
    "float_strip",
    "float_tile",
    "gelu_tanh_row",
    "layer_norm_row",
    "load",
    "relu_squared_row",
    "rms_norm_row",
    "softmax_row",
    "tile_shape",
]
