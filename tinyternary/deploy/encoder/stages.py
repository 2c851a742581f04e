"""Layers and attention for a range of tokens, in plain Numba around the emitters (lesson 10).

Every array is flat and comes with an offset; every row is padded with zeros to
whole blocks, so that nothing has an edge. The first argument of each function, a
compile-time integer, names the `Target` as in `operations`. They are overloads and
not compiled functions of their own: Numba finds a cached function again only if
nothing compiled is in its closure.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import extending, types

from tinyternary.config.grid import BITLINEAR_EPS
from tinyternary.deploy.encoder.operations import (
    float_tile,
    gelu_tanh_row,
    gelu_tile,
    norm_quantize_row,
    quantize_row,
    relu_squared_row,
    rms_norm_row,
    tile,
)
from tinyternary.deploy.encoder.plan import (
    BIASES,
    BLOCKS,
    GELU,
    GELU_TANH,
    INPUTS,
    KIND,
    NORM,
    NOTHING,
    PANELS,
    RELU_SQUARED,
    SCALES,
    TERNARY,
    WEIGHTS,
)
from tinyternary.kernels.simd.targets import TARGETS

_DEPTH = (
    64  # keys per step of the product with the values: 16 KiB of them, half a first-level cache
)
_BITLINEAR_EPS = np.float32(BITLINEAR_EPS)


def stage(function: Any) -> Any:
    """Make an overload of a function that returns its implementation; the name is called."""
    options: Any = {"error_model": "numpy"}

    @functools.wraps(function)
    def literal(key: Any, *args: Any) -> Any:
        # Numba asks again with a plain integer when the first answer had an error in it
        return function(key, *args) if isinstance(key, types.Literal) else None

    @functools.wraps(function)
    def called(*args: Any) -> Any:  # Numba puts the implementation in its place
        raise NotImplementedError(function.__name__)

    extending.overload(called, prefer_literal=True, jit_options=options)(literal)
    return called


@stage
def apply_layer(
    key: Any, plan: Any, layer: Any, codes: Any, floats: Any, source: Any, source_at: Any,
    stride: Any, rows: Any, out: Any, out_at: Any, out_stride: Any, activation: Any,
    row_codes: Any, sums: Any, row_scales: Any, normed: Any,
) -> Any:  # fmt: skip
    """Apply one layer to ``rows`` rows of ``source`` and leave the result in ``out``.

    Both are flat float32 with an offset and a stride; ``rows`` is a multiple of the tile's.
    """
    target = TARGETS[key.literal_value % 16]
    tall, outputs = target.rows, target.outputs

    def apply(
        key: Any, plan: Any, layer: Any, codes: Any, floats: Any, source: Any, source_at: Any,
        stride: Any, rows: Any, out: Any, out_at: Any, out_stride: Any, activation: Any,
        row_codes: Any, sums: Any, row_scales: Any, normed: Any,
    ) -> Any:  # fmt: skip
        inputs, blocks, panels = plan[layer, INPUTS], plan[layer, BLOCKS], plan[layer, PANELS]
        weights, biases = plan[layer, WEIGHTS], plan[layer, BIASES]
        norm, wide = plan[layer, NORM], 16 * plan[layer, BLOCKS]
        simple = GELU if activation == GELU else NOTHING  # what a tile does by itself
        if plan[layer, KIND] == TERNARY:
            scales = plan[layer, SCALES]
            for row in range(rows):
                if norm >= 0:
                    row_scales[row], sums[row] = norm_quantize_row(
                        source, source_at + row * stride, floats, norm, inputs, blocks,
                        _BITLINEAR_EPS, row_codes, row * wide,
                    )  # fmt: skip
                else:
                    row_scales[row], sums[row] = quantize_row(
                        source, source_at + row * stride, floats, 0, inputs, blocks,
                        _BITLINEAR_EPS, row_codes, row * wide,
                    )  # fmt: skip
            panel = blocks * 4 * outputs
            for block in range(panels):
                column = block * outputs
                for first in range(0, rows, tall):
                    place = out_at + first * out_stride + column
                    tile(
                        key, row_codes, first * wide, wide, codes, weights + block * panel, blocks,
                        sums, row_scales, first, floats, scales + column, biases + column, out,
                        place, out_stride, simple,
                    )  # fmt: skip
        else:
            begin, step = source_at, stride
            if norm >= 0:
                for row in range(rows):
                    rms_norm_row(
                        source, source_at + row * stride, floats, norm, inputs, blocks,
                        _BITLINEAR_EPS, normed, row * wide,
                    )  # fmt: skip
                source, begin, step = normed, 0, wide
            for block in range(panels):
                column = block * outputs
                matrix = weights + block * inputs * outputs
                for first in range(0, rows, tall):
                    place = out_at + first * out_stride + column
                    for row in range(tall):
                        for j in range(outputs):
                            out[place + row * out_stride + j] = floats[biases + column + j]
                    float_tile(
                        key, source, begin + first * step, step, floats, matrix, outputs, inputs,
                        out, place, out_stride,
                    )  # fmt: skip
                    if simple == GELU:
                        gelu_tile(key, out, place, out_stride)
        if activation in (GELU_TANH, RELU_SQUARED):
            vectors = panels * outputs // 16
            for row in range(rows):
                if activation == GELU_TANH:
                    gelu_tanh_row(out, out_at + row * out_stride, vectors)
                else:
                    relu_squared_row(out, out_at + row * out_stride, vectors)

    return apply
