"""Attention for a range of tokens, in plain Numba around the emitters (lessons 05 and 10)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyternary.deploy.encoder.operations import (
    copy_row,
    float_strip,
    float_tile,
    new_float_strip,
    new_float_tile,
    softmax_row,
    transpose_block,
)
from tinyternary.deploy.encoder.stages import stage
from tinyternary.kernels.simd.targets import TARGETS

_DEPTH = 64  # keys per step of the product with the values: 16 KiB, a third of a first-level cache
_FAR = np.float32(-1e30)


@stage
def lay_keys(
    key: Any, qkv: Any, stride: Any, first: Any, last: Any, heads: Any, kv_heads: Any, head: Any,
    tokens: Any, keys: Any, values: Any, value_stride: Any, factor: Any,
) -> Any:  # fmt: skip
    """Put keys into panels, transposed and scaled, and values into rows.

    Keys are multiplied by log2(e) / sqrt(Dh) here, once each: the softmax then works
    with powers of two.
    """
    outputs = TARGETS[key.literal_value % 16].outputs

    def lay(
        key: Any, qkv: Any, stride: Any, first: Any, last: Any, heads: Any, kv_heads: Any,
        head: Any, tokens: Any, keys: Any, values: Any, value_stride: Any, factor: Any,
    ) -> Any:  # fmt: skip
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
                            qkv, row + key_at + d, stride, factor, keys, place + d * outputs,
                            outputs,
                        )  # fmt: skip
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
    key: Any, qkv: Any, stride: Any, first: Any, rows: Any, heads: Any, kv_heads: Any, head: Any,
    tokens: Any, keys: Any, values: Any, value_stride: Any, scores: Any, out: Any, out_stride: Any,
) -> Any:  # fmt: skip
    """Compute softmax(q k^T) v for ``rows`` tokens from ``first`` on."""
    target = TARGETS[key.literal_value % 16]
    tall, outputs, lanes = target.rows, target.outputs, target.lanes

    def run(
        key: Any, qkv: Any, stride: Any, first: Any, rows: Any, heads: Any, kv_heads: Any,
        head: Any, tokens: Any, keys: Any, values: Any, value_stride: Any, scores: Any, out: Any,
        out_stride: Any,
    ) -> Any:  # fmt: skip
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
                            key, qkv, query + row * stride, stride, keys, matrix, outputs, head,
                            scores, row * wide + column, wide,
                        )  # fmt: skip
                else:  # strips take half as long again for what they do: not for a full panel
                    for start in range(0, left, lanes):
                        for row in range(0, rows, tall):
                            new_float_strip(
                                key, qkv, query + row * stride, stride, keys, matrix + start,
                                outputs, head, scores, row * wide + column + start, wide,
                            )  # fmt: skip
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
                                key, scores, share, wide, values, matrix + done, value_stride,
                                depth, out, place, out_stride,
                            )  # fmt: skip
                        elif whole:
                            float_tile(
                                key, scores, share, wide, values, matrix + done, value_stride,
                                depth, out, place, out_stride,
                            )  # fmt: skip
                        elif token == 0:
                            new_float_strip(
                                key, scores, share, wide, values, matrix + done, value_stride,
                                depth, out, place, out_stride,
                            )  # fmt: skip
                        else:
                            float_strip(
                                key, scores, share, wide, values, matrix + done, value_stride,
                                depth, out, place, out_stride,
                            )  # fmt: skip
                    done += outputs if whole else lanes
            for row in range(rows):
                # what this writes past the head's own columns is written anew by the next head
                place = row * out_stride + column
                copy_row(out, place, -(-head // 16), scores[rows * wide + row], out, place)

    return run
