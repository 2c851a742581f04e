"""Attention in 8-bit integers for a few rows against the keys of all (lessons 05 and 10).

What `tinyternary.deploy.int8_attention` computes, to the last bit, laid out for products of four
bytes a word: keys as words of a head's width, values as words of four tokens.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyternary.deploy.encoder.intrinsics import (
    floats,
    key_row,
    largest_of_row,
    mixed_row,
    mixed_strip,
    mixed_tile,
    new_mixed_strip,
    new_mixed_tile,
    octets,
    query_row,
    scale_of_largest,
    scaled_row,
    score_tile,
    shares_row,
    words,
)
from tinyternary.deploy.encoder.steps import Rows, step

_DEPTH = 64  # words of four tokens per step of the product with the values: 16 KiB of them


@step
def lay_int8_keys(target: Any, net: Any, qkv: Rows, memory: Any) -> None:
    """Round keys, row by row, and values, head by head, and put them where products read them."""
    tokens, width, outputs = net.tokens, net.head_width, target.outputs
    deep, panels = -(-width // 16) * 16, -(-tokens // outputs)  # bytes of a row; of keys
    quads = panels * outputs // 4
    for group in range(net.kv_heads):
        key = qkv.at + 4 * (net.heads + group) * width
        value = key + 4 * net.kv_heads * width
        keys = memory.int8_keys + group * panels * outputs * deep
        values = memory.int8_values + 4 * group * quads * net.value_width
        at = 4 * group * panels * outputs
        scales = floats(memory.key_scales + at, panels * outputs)
        own = floats(memory.head_scales + 8 * group, 2)
        own[0] = own[1] = np.float32(0)
        row = words(memory.codes, deep // 4)
        for token in range(tokens):
            place = memory.key_scales + at + 4 * token
            start = memory.key_starts + at + 4 * token
            key_row(target, key + token * qkv.step, width, memory.codes, place, start)
            own[1] += scales[token] - scales[token]  # 0, or NaN from then on
            panel = words(keys + token // outputs * outputs * deep, deep // 4 * outputs)
            for word in range(deep // 4):
                panel[word * outputs + token % outputs] = row[word]
            largest_of_row(value + token * qkv.step, width, memory.head_scales + 8 * group)
        scale_of_largest(memory.head_scales + 8 * group, memory.head_scales + 8 * group)
        codes = octets(memory.codes, 4 * deep)
        for first in range(0, tokens, 4):
            for i in range(4):
                token = min(first + i, tokens - 1)  # those past the last are multiplied by 0
                scaled_row(value + token * qkv.step, width, own[0], memory.codes + i * deep)
            quad = words(values + first * net.value_width, width)
            for d in range(width):
                quad[d] = (
                    codes[d] | codes[deep + d] << 8 | codes[2 * deep + d] << 16
                    | codes[3 * deep + d] << 24
                )  # fmt: skip


@step
def attend_in_int8(
    target: Any, net: Any, queries: Rows, out: Rows, first: int, count: int, memory: Any
) -> None:
    """Out = softmax(q k^T) v for each head of ``count`` tokens, the first of which is ``first``."""
    width, outputs = net.head_width, target.outputs
    tokens = min(net.tokens, first + count) if net.causal else net.tokens  # that any of them sees
    deep, panels = -(-width // 16) * 16, -(-net.tokens // outputs)
    quads, vectors = panels * outputs // 4, -(-tokens // 16)
    scores, scales = memory.scores, floats(memory.scales, count)
    for head in range(net.heads):
        group = head * net.kv_heads // net.heads
        keys = memory.int8_keys + group * panels * outputs * deep
        values = memory.int8_values + 4 * group * quads * net.value_width
        at, column = 4 * group * panels * outputs, 4 * head * width
        for row in range(count):
            query_row(
                target, queries.at + column + row * queries.step, width, memory.codes + row * deep,
                memory.scales + 4 * row,
            )  # fmt: skip
        for token in range(0, tokens, outputs):
            for row in range(0, count, target.rows):
                score_tile(
                    target, memory.codes + row * deep, deep, keys + token * deep, 4 * outputs,
                    deep // 4, memory.key_starts + at + 4 * token,
                    scores.at + row * scores.step + 4 * token, scores.step,
                )  # fmt: skip
        for row in range(count):
            seen = min(tokens, first + row + 1) if net.causal else tokens
            shares_row(
                scores.at + row * scores.step, memory.key_scales + at,
                scales[row] * net.attention_scale, seen, vectors, memory.head_scales + 8 * group,
                memory.scales + 4 * row,
            )  # fmt: skip
        place = Rows(out.at + column, out.step)
        _mix(target, net, scores, values, vectors, place, count)
        for row in range(count):
            # what this writes past the head's own columns is written anew by the next head
            mixed_row(place.at + row * place.step, -(-width // 16), scales[row])


@step
def _mix(
    target: Any, net: Any, shares: Any, values: int, vectors: int, out: Rows, count: int
) -> None:
    """Out = shares v over 16 ``vectors`` tokens, some words after the other."""
    wide, outputs = net.value_width, target.outputs
    for word in range(0, 4 * vectors, _DEPTH):
        depth, done = min(_DEPTH, 4 * vectors - word), 0
        while done < wide:
            whole = done + outputs <= wide
            panel = values + 4 * (word * wide + done)
            for row in range(0, count, target.rows):
                a, place = shares.at + row * shares.step + 4 * word, out.at + row * out.step
                place += 4 * done
                if whole and word == 0:
                    new_mixed_tile(
                        target, a, shares.step, panel, 4 * wide, depth, 0, place, out.step
                    )
                elif whole:
                    mixed_tile(target, a, shares.step, panel, 4 * wide, depth, 0, place, out.step)
                elif word == 0:
                    new_mixed_strip(
                        target, a, shares.step, panel, 4 * wide, depth, 0, place, out.step
                    )
                else:
                    mixed_strip(target, a, shares.step, panel, 4 * wide, depth, 0, place, out.step)
            done += outputs if whole else target.lanes
