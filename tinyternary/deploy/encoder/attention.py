"""Attention for a few rows against the keys of all (lessons 05 and 10)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyternary.deploy.encoder.intrinsics import (
    float_strip,
    float_tile,
    floats,
    new_float_strip,
    new_float_tile,
    scale_row,
    softmax_row,
    transpose_block,
)
from tinyternary.deploy.encoder.steps import Rows, step

_DEPTH = 64  # keys per step of the product with the values: 16 KiB, a third of a first-level cache
_FAR = np.float32(-1e30)
_NONE, _ONE = np.float32(0), np.float32(1)


@step
def lay_keys(target: Any, net: Any, qkv: Rows, memory: Any) -> None:
    """Put keys into panels, transposed and scaled, and values into rows.

    Keys are multiplied by log2(e) / sqrt(Dh) here, once each: the softmax then works
    with powers of two.
    """
    tokens, width, outputs = net.tokens, net.head_width, target.outputs
    panels = -(-tokens // outputs)
    whole = tokens // 16 * 16 if width % 16 == 0 else 0
    for group in range(net.kv_heads):
        key = qkv.at + 4 * (net.heads + group) * width
        value = key + 4 * net.kv_heads * width
        keys = memory.keys + 4 * group * panels * outputs * width
        values = memory.values + 4 * group * panels * outputs * net.value_width
        for token in range(0, whole, 16):
            place = keys + 4 * (token // outputs * outputs * width + token % outputs)
            for d in range(0, width, 16):
                transpose_block(
                    key + token * qkv.step + 4 * d, qkv.step, net.attention_scale,
                    place + 4 * d * outputs, 4 * outputs,
                )  # fmt: skip
        for token in range(whole, tokens):
            row = floats(key + token * qkv.step, width)
            place = keys + 4 * (token // outputs * outputs * width + token % outputs)
            column = floats(place, width * outputs)
            for d in range(width):
                column[d * outputs] = row[d] * net.attention_scale
        for token in range(tokens):
            source, place = value + token * qkv.step, values + 4 * token * net.value_width
            if width % 16 == 0:
                scale_row(source, width // 16, _ONE, place)
            else:
                row, out = floats(source, width), floats(place, width)
                for d in range(width):
                    out[d] = row[d]


@step
def attend(
    target: Any, net: Any, queries: Rows, out: Rows, first: int, count: int, memory: Any
) -> None:
    """Out = softmax(q k^T) v for each head of ``count`` tokens, the first of which is ``first``."""
    width, outputs = net.head_width, target.outputs
    tokens = min(net.tokens, first + count) if net.causal else net.tokens  # that any of them sees
    panels = -(-net.tokens // outputs)
    scores = Rows(memory.scores.at, memory.scores.step)
    for head in range(net.heads):
        group = head * net.kv_heads // net.heads
        keys = memory.keys + 4 * group * panels * outputs * width
        values = memory.values + 4 * group * panels * outputs * net.value_width
        column = 4 * head * width
        _score(target, net, Rows(queries.at + column, queries.step), keys, tokens, scores, count)
        _softmax(net, scores, tokens, first, count, memory.scales)
        _mix(target, net, scores, values, tokens, Rows(out.at + column, out.step), count)
        shares = floats(memory.scales, count)
        for row in range(count):
            # divided by the sum here and not in the scores: there are fewer numbers in the result.
            # What this writes past the head's own columns is written anew by the next head
            place = out.at + column + row * out.step
            scale_row(place, -(-width // 16), shares[row], place)


@step
def _score(
    target: Any, net: Any, queries: Rows, keys: int, tokens: int, out: Rows, count: int
) -> None:
    """Out = q k^T, for the first ``tokens`` keys and what fills their last vector up."""
    width, outputs = net.head_width, target.outputs
    seen = -(-tokens // 16) * 16
    for first in range(0, seen, outputs):
        panel, left = keys + 4 * first * width, min(seen - first, outputs)
        # strips take half as long again for what they do: not for a full panel
        whole = 2 * left > outputs
        for start in range(0, outputs if whole else left, outputs if whole else target.lanes):
            for row in range(0, count, target.rows):
                _multiply(
                    target, whole, True, Rows(queries.at + row * queries.step, queries.step),
                    panel + 4 * start, 4 * outputs, width,
                    Rows(out.at + row * out.step + 4 * (first + start), out.step),
                )  # fmt: skip


@step
def _softmax(net: Any, scores: Rows, tokens: int, first: int, count: int, shares: int) -> None:
    """Scores = 2^(scores - their maximum), and shares = 1 / their sum, by row.

    The smallest power is 2^-126, which no sum notices. Of a key that is not to be seen it
    becomes 0: then it does not matter how many of those a row has.
    """
    seen = -(-tokens // 16) * 16
    for row in range(count):
        here = scores.at + row * scores.step
        values = floats(here, seen)
        last = min(tokens, first + row + 1) if net.causal else tokens
        for token in range(last, seen):
            values[token] = _FAR
        softmax_row(here, seen // 16, shares + 4 * row)
        for token in range(last, tokens):
            values[token] = _NONE


@step
def _mix(
    target: Any, net: Any, scores: Rows, values: int, tokens: int, out: Rows, count: int
) -> None:
    """Out = scores v over ``tokens`` keys, a few after the other."""
    wide, outputs = net.value_width, target.outputs
    for token in range(0, tokens, _DEPTH):
        depth, done = min(_DEPTH, tokens - token), 0
        while done < wide:
            whole = done + outputs <= wide
            for row in range(0, count, target.rows):
                _multiply(
                    target, whole, token == 0,
                    Rows(scores.at + row * scores.step + 4 * token, scores.step),
                    values + 4 * (token * wide + done), 4 * wide, depth,
                    Rows(out.at + row * out.step + 4 * done, out.step),
                )  # fmt: skip
            done += outputs if whole else target.lanes


@step
def _multiply(
    target: Any, whole: bool, fresh: bool, a: Rows, b: int, b_step: int, depth: int, out: Rows
) -> None:
    """Out = a b (``fresh``) or out += a b, for a ``whole`` tile of out or a strip of it."""
    if whole and fresh:
        new_float_tile(target, a.at, a.step, b, b_step, depth, out.at, out.step)
    elif whole:
        float_tile(target, a.at, a.step, b, b_step, depth, out.at, out.step)
    elif fresh:
        new_float_strip(target, a.at, a.step, b, b_step, depth, out.at, out.step)
    else:
        float_strip(target, a.at, a.step, b, b_step, depth, out.at, out.step)
