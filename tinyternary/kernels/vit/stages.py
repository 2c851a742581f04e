"""Layers and attention for a range of tokens, in plain Numba around the emitters (lesson 10).

Every array is flat and comes with an offset; every row is padded with zeros to
whole blocks, so that nothing has an edge. The first argument of each function, a
compile-time integer, names the `Target` as in `operations`. They are overloads and
not compiled functions of their own: Numba finds a cached function again only if
nothing compiled is in its closure.
"""

from __future__ import annotations

import functools
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numba import extending, types

from tinyternary.kernels.simd.targets import TARGETS
from tinyternary.kernels.vit.operations import (
    copy_row,
    float_strip,
    float_tile,
    gelu_tanh_row,
    gelu_tile,
    new_float_strip,
    new_float_tile,
    norm_quantise_row,
    quantise_row,
    relu_squared_row,
    rms_norm_row,
    softmax_row,
    tile,
    transpose_block,
)

TERNARY, FLOAT = 0, 1
"""Kinds of a layer."""
KIND, INPUTS, OUTPUTS, BLOCKS, PANELS, WEIGHTS, SCALES, BIASES, NORM, FIELDS = range(10)
"""Columns of a plan, one row per layer: sizes, and offsets into the flat arrays (-1: none)."""
NOTHING, GELU, GELU_TANH, RELU_SQUARED = 0, 1, 2, 3
"""Activations by number."""
_DEPTH = (
    64  # keys per step of the product with the values: 16 KiB of them, half a first-level cache
)
_BITLINEAR_EPS = np.float32(1e-5)
_FAR = np.float32(-1e30)


@functools.cache
def fingerprint() -> int:
    """CRC of both folders' sources: Numba's cache watches one file, machine code depends on all."""
    total = 0
    here = Path(__file__).parent
    for path in sorted([*here.glob("*.py"), *(here.parent / "simd").glob("*.py")]):
        total = zlib.crc32(path.read_bytes(), total)
    return total & 0xFFFFFF


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
    key: Any,
    plan: Any,
    layer: Any,
    codes: Any,
    floats: Any,
    source: Any,
    source_at: Any,
    stride: Any,
    rows: Any,
    out: Any,
    out_at: Any,
    out_stride: Any,
    activation: Any,
    row_codes: Any,
    sums: Any,
    row_scales: Any,
    normed: Any,
) -> Any:
    """Apply one layer to ``rows`` rows of ``source`` and leave the result in ``out``.

    Both are flat float32 with an offset and a stride; ``rows`` is a multiple of the tile's.
    """
    target = TARGETS[key.literal_value % 16]
    tall, outputs = target.rows, target.outputs

    def apply(
        key: Any,
        plan: Any,
        layer: Any,
        codes: Any,
        floats: Any,
        source: Any,
        source_at: Any,
        stride: Any,
        rows: Any,
        out: Any,
        out_at: Any,
        out_stride: Any,
        activation: Any,
        row_codes: Any,
        sums: Any,
        row_scales: Any,
        normed: Any,
    ) -> Any:
        inputs, blocks, panels = plan[layer, INPUTS], plan[layer, BLOCKS], plan[layer, PANELS]
        weights, biases = plan[layer, WEIGHTS], plan[layer, BIASES]
        norm, wide = plan[layer, NORM], 16 * plan[layer, BLOCKS]
        simple = GELU if activation == GELU else NOTHING  # what a tile does by itself
        if plan[layer, KIND] == TERNARY:
            scales = plan[layer, SCALES]
            for row in range(rows):
                if norm >= 0:
                    row_scales[row], sums[row] = norm_quantise_row(
                        source,
                        source_at + row * stride,
                        floats,
                        norm,
                        inputs,
                        blocks,
                        _BITLINEAR_EPS,
                        row_codes,
                        row * wide,
                    )
                else:
                    row_scales[row], sums[row] = quantise_row(
                        source,
                        source_at + row * stride,
                        floats,
                        0,
                        inputs,
                        blocks,
                        _BITLINEAR_EPS,
                        row_codes,
                        row * wide,
                    )
            panel = blocks * 4 * outputs
            for block in range(panels):
                column = block * outputs
                for first in range(0, rows, tall):
                    place = out_at + first * out_stride + column
                    tile(
                        key,
                        row_codes,
                        first * wide,
                        wide,
                        codes,
                        weights + block * panel,
                        blocks,
                        sums,
                        row_scales,
                        first,
                        floats,
                        scales + column,
                        biases + column,
                        out,
                        place,
                        out_stride,
                        simple,
                    )
        else:
            begin, step = source_at, stride
            if norm >= 0:
                for row in range(rows):
                    rms_norm_row(
                        source,
                        source_at + row * stride,
                        floats,
                        norm,
                        inputs,
                        blocks,
                        _BITLINEAR_EPS,
                        normed,
                        row * wide,
                    )
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
                        key,
                        source,
                        begin + first * step,
                        step,
                        floats,
                        matrix,
                        outputs,
                        inputs,
                        out,
                        place,
                        out_stride,
                    )
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


@stage
def lay_keys(
    key: Any,
    qkv: Any,
    stride: Any,
    first: Any,
    last: Any,
    heads: Any,
    kv_heads: Any,
    head: Any,
    tokens: Any,
    keys: Any,
    values: Any,
    value_stride: Any,
    factor: Any,
) -> Any:
    """Put keys into panels, transposed and scaled, and values into rows.

    Keys are multiplied by log2(e) / sqrt(Dh) here, once each: the softmax then works
    with powers of two.
    """
    outputs = TARGETS[key.literal_value % 16].outputs

    def lay(
        key: Any,
        qkv: Any,
        stride: Any,
        first: Any,
        last: Any,
        heads: Any,
        kv_heads: Any,
        head: Any,
        tokens: Any,
        keys: Any,
        values: Any,
        value_stride: Any,
        factor: Any,
    ) -> Any:
        panels = -(-tokens // outputs)
        for group in range(kv_heads):
            key_at = (heads + group) * head
            value_at = (heads + kv_heads + group) * head
            token = first
            while token < last:
                row = token * stride
                place = ((group * panels + token // outputs) * head) * outputs + token % outputs
                if token % 16 == 0 and token + 16 <= last and head % 16 == 0:
                    for d in range(0, head, 16):
                        transpose_block(
                            qkv,
                            row + key_at + d,
                            stride,
                            factor,
                            keys,
                            place + d * outputs,
                            outputs,
                        )
                    token += 16
                else:
                    for d in range(head):
                        keys[place + d * outputs] = qkv[row + key_at + d] * factor
                    token += 1
            for token in range(first, last):
                place = (group * panels * outputs + token) * value_stride
                row = token * stride + value_at
                if head % 16 == 0:
                    copy_row(qkv, row, head // 16, np.float32(1), values, place)
                else:
                    for d in range(head):
                        values[place + d] = qkv[row + d]

    return lay


@stage
def attend(
    key: Any,
    qkv: Any,
    stride: Any,
    first: Any,
    rows: Any,
    heads: Any,
    kv_heads: Any,
    head: Any,
    tokens: Any,
    keys: Any,
    values: Any,
    value_stride: Any,
    scores: Any,
    out: Any,
    out_stride: Any,
) -> Any:
    """Compute softmax(q k^T) v for ``rows`` tokens from ``first`` on."""
    target = TARGETS[key.literal_value % 16]
    tall, outputs, lanes = target.rows, target.outputs, target.lanes

    def run(
        key: Any,
        qkv: Any,
        stride: Any,
        first: Any,
        rows: Any,
        heads: Any,
        kv_heads: Any,
        head: Any,
        tokens: Any,
        keys: Any,
        values: Any,
        value_stride: Any,
        scores: Any,
        out: Any,
        out_stride: Any,
    ) -> Any:
        panels = -(-tokens // outputs)
        # sixteen more than needed: rows a power of two apart would share one set of the cache
        wide = panels * outputs + 16
        seen = -(-tokens // 16) * 16
        for h in range(heads):
            group = h * kv_heads // heads
            query = first * stride + h * head
            for panel in range(panels):
                matrix = (group * panels + panel) * head * outputs
                column = panel * outputs
                left = min(seen - column, outputs)
                if 2 * left > outputs:
                    for row in range(0, rows, tall):
                        new_float_tile(
                            key,
                            qkv,
                            query + row * stride,
                            stride,
                            keys,
                            matrix,
                            outputs,
                            head,
                            scores,
                            row * wide + column,
                            wide,
                        )
                else:  # strips take half as long again for what they do: not for a full panel
                    for start in range(0, left, lanes):
                        for row in range(0, rows, tall):
                            new_float_strip(
                                key,
                                qkv,
                                query + row * stride,
                                stride,
                                keys,
                                matrix + start,
                                outputs,
                                head,
                                scores,
                                row * wide + column + start,
                                wide,
                            )
            column = h * head
            for row in range(rows):
                for token in range(tokens, seen):
                    scores[row * wide + token] = _FAR
                total = softmax_row(scores, row * wide, seen // 16)
                # normalised here and not in the scores: there are fewer numbers in the result
                scores[rows * wide + row] = np.float32(1) / total
            start = group * panels * outputs * value_stride
            for token in range(0, tokens, _DEPTH):
                depth = min(_DEPTH, tokens - token)
                matrix = start + token * value_stride
                done = 0
                while done < value_stride:
                    whole = done + outputs <= value_stride
                    for row in range(0, rows, tall):
                        share = row * wide + token
                        place = row * out_stride + column + done
                        if whole and token == 0:
                            new_float_tile(
                                key,
                                scores,
                                share,
                                wide,
                                values,
                                matrix + done,
                                value_stride,
                                depth,
                                out,
                                place,
                                out_stride,
                            )
                        elif whole:
                            float_tile(
                                key,
                                scores,
                                share,
                                wide,
                                values,
                                matrix + done,
                                value_stride,
                                depth,
                                out,
                                place,
                                out_stride,
                            )
                        elif token == 0:
                            new_float_strip(
                                key,
                                scores,
                                share,
                                wide,
                                values,
                                matrix + done,
                                value_stride,
                                depth,
                                out,
                                place,
                                out_stride,
                            )
                        else:
                            float_strip(
                                key,
                                scores,
                                share,
                                wide,
                                values,
                                matrix + done,
                                value_stride,
                                depth,
                                out,
                                place,
                                out_stride,
                            )
                    done += outputs if whole else lanes
            for row in range(rows):
                # what this writes past the head's own columns is written anew by the next head
                place = row * out_stride + column
                copy_row(out, place, -(-head // 16), scores[rows * wide + row], out, place)

    return run
