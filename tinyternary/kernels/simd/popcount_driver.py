"""Loops around the counting kernel: ternary activations times ternary weights (lesson 08)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, types
from numpy.typing import NDArray

from tinyternary.errors import ShapeError
from tinyternary.jit.switch import njit
from tinyternary.kernels.simd import popcount
from tinyternary.kernels.simd.driver import checksum
from tinyternary.kernels.simd.targets import I32, I64
from tinyternary.kernels.simd.tile import at, pointer_to_bytes

_INDEX = types.int64
_ROWS, _LANES, _COLUMNS, _OUTPUTS = (
    popcount.ROWS,
    popcount.LANES,
    popcount.COLUMNS,
    popcount.OUTPUTS,
)
intrinsic: Any = extending.intrinsic(prefer_literal=True)


def _pointer(context: Any, builder: ir.IRBuilder, kind: Any, array: Any, offset: Any) -> Any:
    data = pointer_to_bytes(builder, context.make_array(kind)(context, builder, array).data)
    return builder.gep(data, [offset])


@intrinsic
def _planes(
    typingctx: Any, key: Any, x: Any, x_at: Any, k: Any, planes: Any, planes_at: Any
) -> Any:
    """Split a row of trits into planes; offsets in bytes."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = _pointer(context, builder, sig.args[1], args[1], args[2])
        sink = _pointer(context, builder, sig.args[4], args[4], args[5])
        popcount.emit_planes(builder, source, args[3], sink)
        return context.get_dummy_value()

    return types.none(key, x, _INDEX, _INDEX, planes, _INDEX), codegen


@intrinsic
def _counts(
    typingctx: Any, key: Any, x: Any, x_at: Any, stride: Any, weights: Any, weights_at: Any,
    words: Any, out: Any, out_at: Any, out_stride: Any, edge: Any, fits: Any, height: Any,
) -> Any:  # fmt: skip
    """Store the sums of a tile of ``height`` rows in out[out_at:], or in edge unless it fits."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = _pointer(context, builder, sig.args[1], args[1], args[2])
        planes = _pointer(context, builder, sig.args[4], args[4], args[5])
        tile = popcount.emit_counts(
            builder, sig.args[12].literal_value, source, args[3], planes, args[6]
        )
        inside = _pointer(context, builder, sig.args[7], args[7], args[8])
        outside = _pointer(context, builder, sig.args[10], args[10], ir.Constant(I64, 0))
        sink = builder.select(args[11], inside, outside)
        step = builder.select(args[11], args[9], ir.Constant(I64, 4 * _OUTPUTS))
        narrow = ir.VectorType(I32, _LANES)
        for row, values in enumerate(tile):
            start = builder.gep(sink, [builder.mul(step, ir.Constant(I64, row))])
            for column, value in enumerate(values):
                place = at(builder, start, 4 * _LANES * column, narrow)
                builder.store(builder.trunc(value, narrow), place).align = 4
        return context.get_dummy_value()

    kinds = (
        key, x, _INDEX, _INDEX, weights, _INDEX, _INDEX, out, _INDEX, _INDEX, edge,
        types.boolean, height,
    )  # fmt: skip
    return types.none(*kinds), codegen


@functools.cache
def matmul_kernel() -> Callable[..., None]:
    """Return ``matmul(x trits (M, K) int8, planes, out (M, N) int32)``, compiled."""
    key = checksum()

    @njit()
    def matmul(x: Any, weights: Any, out: Any) -> None:
        m, k = x.shape
        n = out.shape[1]
        blocks, words = weights.shape[0], weights.shape[1]
        stride = 16 * words
        panel = 8 * (weights.size // blocks)
        step = max(_ROWS, 32768 // stride // _ROWS * _ROWS)
        planes = np.empty(min(m, step) * 2 * words, np.uint64)
        edge = np.empty(_ROWS * _OUTPUTS, np.int32)
        for first in range(0, m, step):
            count = min(step, m - first)
            for row in range(count):
                _planes(key, x, (first + row) * k, k, planes, row * stride)
            height = _ROWS if count >= _ROWS else 1
            for block in range(blocks):
                column = block * _OUTPUTS
                fits = column + _OUTPUTS <= n
                for tile in range(-(-count // height)):
                    row = min(tile * height, count - height)  # the last may overlap
                    place = 4 * ((first + row) * n + column)
                    if height == 1:
                        _counts(key, planes, row * stride, stride, weights, block * panel, words,
                                out, place, 4 * n, edge, fits, 1)  # fmt: skip
                    else:
                        _counts(key, planes, row * stride, stride, weights, block * panel, words,
                                out, place, 4 * n, edge, fits, _ROWS)  # fmt: skip
                    if not fits:
                        for i in range(height):
                            for j in range(n - column):
                                out[first + row + i, column + j] = edge[i * _OUTPUTS + j]

    return matmul


def matmul(x: NDArray[np.int8], layout: NDArray[np.uint64], out: NDArray[np.int32]) -> None:
    """Fill ``out`` (M, N) int32 with x (M, K) times W transposed; x must be trits.

    Raises
    ------
    ShapeError
        If ``x`` holds anything but -1, 0 and +1.
    """
    if x.size and (x.min() < -1 or x.max() > 1):
        raise ShapeError(
            f"the ternary kernel takes activations of -1, 0 and +1, got {x.min()}..{x.max()}"
        )
    matmul_kernel()(x, layout, out)
