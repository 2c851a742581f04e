"""Attention in 8-bit integers for a few rows against the keys of all (lessons 05 and 10).

`tinyternary.deploy.int8_attention` says what it computes, to the last bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyternary.deploy.encoder.integers import (
    BLOCK,
    key_row,
    mix_strip,
    mix_tile,
    query_row,
    scale_of_top,
    score_strip,
    score_tile,
    share_row,
    top_row,
    value_rows,
)
from tinyternary.deploy.encoder.intrinsics import floats
from tinyternary.deploy.encoder.steps import Rows, step

_NONE, _UNSEEN = np.float32(0), np.float32(-np.inf)


@step
def lay_int8_keys(target: Any, net: Any, qkv: Rows, memory: Any) -> None:
    """Put codes of keys and values into vectors of outputs, filled up with zeros on all sides.

    A key has a scale of its own, all values of a head share one.
    """
    tokens, width, outputs, unit = net.tokens, net.head_width, target.outputs, target.share_unit
    vectors = -(-width // 16)
    whole = 16 * vectors
    all_keys = -(-tokens // outputs) * outputs
    words, deep = whole // target.key_unit, -(-tokens // BLOCK) * BLOCK // unit
    apart, spare = target.apart, memory.floats
    for group in range(net.kv_heads):
        key = qkv.at + 4 * (net.heads + group) * width
        value = key + 4 * net.kv_heads * width
        keys = memory.keys + 4 * group * all_keys * words
        column = 4 * group * all_keys
        scales, faults = memory.key_scales + column, floats(memory.key_faults + column, all_keys)
        fault = _NONE
        for token in range(all_keys):
            here = key + token * qkv.step
            if token >= tokens or width < whole:
                _copy(here, width if token < tokens else 0, spare, whole)
                here = spare
            place = keys + 4 * (token // target.lanes * target.lanes * words + token % target.lanes)
            scale = scales + 4 * token
            key_row(target, here, vectors, place, scale, memory.key_starts + column + 4 * token)
            fault += floats(scale, 1)[0] * _NONE  # NaN from the first key on that is not finite
            faults[token] = fault
        top = memory.value_scales + 4 * group
        floats(top, 1)[0] = _NONE
        for token in range(tokens):
            here = value + token * qkv.step
            if width < whole:
                _copy(here, width, spare, whole)
                here = spare
            top_row(here, vectors, top)
        scale_of_top(top)
        values = memory.values + 4 * group * whole * deep
        for word in range(deep):
            first = word // apart * apart * unit + word % apart
            here, between = value + first * qkv.step, apart * qkv.step
            if first + (unit - 1) * apart >= tokens or width < whole:
                for row in range(unit):
                    filled = width if first + row * apart < tokens else 0
                    _copy(here + row * between, filled, spare + 4 * row * whole, whole)
                here, between = spare, 4 * whole
            place = values + 4 * word * target.lanes
            value_rows(target, here, between, vectors, top, place, 4 * deep * target.lanes)


@step
def _copy(source: int, count: int, place: int, whole: int) -> None:
    """Copy ``count`` floats, and zeros up to ``whole``."""
    given, out = floats(source, count), floats(place, whole)
    for i in range(count):
        out[i] = given[i]
    for i in range(count, whole):
        out[i] = _NONE


@step
def attend_int8(
    target: Any, net: Any, queries: Rows, out: Rows, first: int, count: int, memory: Any
) -> None:
    """Out = softmax(q k^T) v for each head of ``count`` tokens, the first of which is ``first``."""
    width, outputs, unit = net.head_width, target.outputs, target.share_unit
    tokens = min(net.tokens, first + count) if net.causal else net.tokens  # that any of them sees
    blocks = -(-tokens // BLOCK)
    vectors = -(-width // 16)
    whole = 16 * vectors
    all_keys = -(-net.tokens // outputs) * outputs
    words, deep = whole // target.key_unit, -(-net.tokens // BLOCK) * BLOCK // unit
    codes = Rows(memory.floats, 4 * words)
    scores = Rows(memory.scores.at, memory.scores.step)
    for head in range(net.heads):
        group = head * net.kv_heads // net.heads
        here = queries.at + 4 * head * width
        for row in range(count):
            query = here + row * queries.step
            if width < whole:
                _copy(query, width, memory.codes, whole)
                query = memory.codes
            place = codes.at + row * codes.step
            query_row(target, query, vectors, net.attention_scale, place, memory.scales + 4 * row)
        keys = memory.keys + 4 * group * all_keys * words
        _score(target, codes, keys, words, tokens, 4 * group * all_keys, scores, count, memory)
        value_scale = floats(memory.value_scales, net.kv_heads)[group]
        faults = floats(memory.key_faults + 4 * group * all_keys, all_keys)
        for row in range(count):
            place = scores.at + row * scores.step
            values = floats(place, blocks * BLOCK)
            last = min(tokens, first + row + 1) if net.causal else tokens
            for token in range(last, blocks * BLOCK):
                values[token] = _UNSEEN
            factor, fault = memory.scales + 4 * row, faults[last - 1]
            share_row(target, place, blocks, factor, value_scale, fault)
        mixed = Rows(out.at + 4 * head * width, out.step)
        at = memory.values + 4 * group * whole * deep
        _mix(
            target, net.value_width, scores, at, deep, blocks * BLOCK // unit, mixed, count, memory
        )


@step
def _score(
    target: Any, codes: Rows, keys: int, words: int, tokens: int, column: int, out: Rows,
    count: int, memory: Any,
) -> None:  # fmt: skip
    """Out = q k^T times the keys' scales, for the first ``tokens`` keys."""
    outputs, lanes = target.outputs, target.lanes
    apart, first = 4 * words * lanes, 0
    while first < tokens:
        left = tokens - first
        whole = 2 * left > outputs  # as for floats: a tile beats its strips
        here, at = keys + 4 * first * words, column + 4 * first
        starts, scales = memory.key_starts + at, memory.key_scales + at
        for row in range(0, count, target.rows):
            queries = codes.at + row * codes.step
            place = out.at + row * out.step + 4 * first
            if whole:
                score_tile(
                    target, queries, codes.step, here, apart, words, starts, scales, place, out.step
                )
            else:
                score_strip(
                    target, queries, codes.step, here, apart, words, starts, scales, place, out.step
                )
        first += outputs if whole else lanes


@step
def _mix(
    target: Any, wide: int, shares: Rows, values: int, deep: int, words: int, out: Rows,
    count: int, memory: Any,
) -> None:  # fmt: skip
    """Out = shares v, each row times what its sums are times of.

    What this writes past the head's own columns is written anew by the next head.
    """
    lanes, done = target.lanes, 0
    apart = 4 * deep * lanes
    while done < wide:
        whole = done + target.outputs <= wide
        here = values + 4 * done * deep
        for row in range(0, count, target.rows):
            given, gains = shares.at + row * shares.step, memory.scales + 4 * row
            place = out.at + row * out.step + 4 * done
            if whole:
                mix_tile(target, given, shares.step, here, apart, words, gains, place, out.step)
            else:
                mix_strip(target, given, shares.step, here, apart, words, gains, place, out.step)
        done += target.outputs if whole else lanes
