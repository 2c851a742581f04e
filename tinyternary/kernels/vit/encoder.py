"""The network for a range of images, on one thread or a team (lesson 10_deployment).

One compiled call takes bytes of images and leaves logits. A block has two stages:
queries, keys and values of all tokens; then, for a few rows at a time, attention,
projection and feed-forward network, so that the wide hidden layer never leaves the
cache. Between them each thread of a team waits for the others once; keys and values
alternate between two buffers so that once is enough.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from tinyternary.jit.switch import njit
from tinyternary.kernels.simd.targets import Target
from tinyternary.kernels.vit.attention import attend, lay_keys
from tinyternary.kernels.vit.operations import add_row, arrive, arrived, layer_norm_row
from tinyternary.kernels.vit.stages import (
    INPUTS,
    OUTPUTS,
    apply_layer,
    fingerprint,
)

(
    SIZE,
    CHANNELS,
    PATCH,
    STEP,
    PADDING,
    GRID,
    TOKENS,
    WIDTH,
    DEPTH,
    HEADS,
    KV_HEADS,
    HEAD,
    CLASSES,
    CLS,
    ACTIVATION,
    STREAM,
    JOINT,
    HIDDEN,
    VALUE,
    CHUNK,
    GAIN,
    OFFSET,
    POSITIONS,
    CLS_TOKEN,
    EPS,
    SETTINGS,
) = range(26)
"""Places in the ``shape`` array: the network's sizes, strides of rows in floats, offsets."""


_PATIENCE = 2_000_000
"""Looks at a counter, some milliseconds, before a thread offers its core to others.

Offering it sooner is worse: on a busy machine each offer costs a whole time slice.
"""

_yield: Any
if os.name == "posix":
    _yield = types.ExternalFunction("sched_yield", types.int32())
else:
    _yield = njit()(lambda: 0)


_I, _I32, _F = types.int64, types.int32[::1], types.float32[::1]
_RUN = types.void(
    types.int64[::1],
    types.int64[:, ::1],
    types.int64[:, ::1],
    types.uint8[::1],
    _F,
    types.Array(types.uint8, 4, "C", readonly=True),
    _I,
    _I,
    _I,
    _I,
    _I32,
    _F,
    types.float32[:, ::1],
    types.float32[:, ::1],
    types.float32[:, ::1],
    types.int8[::1],
    _I32,
    _F,
    _F,
    _F,
    _F,
    _F,
    types.float32[:, ::1],
    types.float32[:, ::1],
)
"""Types of `run`: one compilation, whether or not the images may be written to."""


@njit()
def _wait(counters: Any, team: int, round_: int) -> None:
    """Wait until each member of a team has come here for the time number ``round_``."""
    if team > 1:
        arrive(counters, 0)
        turns = 0
        while arrived(counters, 0) < team * round_:
            turns += 1
            if turns > _PATIENCE:
                _yield()  # the others may be waiting for this core


@njit()
def _cut(
    shape: Any, floats: Any, images: Any, image: int, token: int, out: Any, at: int, wide: int
) -> None:
    """Write one patch, normalised, in the order channel, row, column."""
    size, channels, patch = shape[SIZE], shape[CHANNELS], shape[PATCH]
    top = token // shape[GRID] * shape[STEP] - shape[PADDING]
    left = token % shape[GRID] * shape[STEP] - shape[PADDING]
    for c in range(channels):
        gain, offset = floats[shape[GAIN] + c], floats[shape[OFFSET] + c]
        for i in range(patch):
            y = top + i
            place = at + (c * patch + i) * patch
            for j in range(patch):
                x = left + j
                value = np.float32(0)
                if 0 <= y < size and 0 <= x < size:
                    pixel = np.float32(images[image, y, x, c])
                    value = pixel * gain - offset
                out[place + j] = value
    for i in range(channels * patch * patch, wide):
        out[at + i] = np.float32(0)


@functools.cache
def encoder(target: Target) -> Callable[..., None]:
    """Return ``run(shape, plan, norms, codes, floats, images, ...)`` compiled for ``target``."""
    key, tall, outputs = target.index + 16 * fingerprint(), target.rows, target.outputs

    @njit(signature_or_function=_RUN)
    def run(
        shape: Any, plan: Any, norms: Any, codes: Any, floats: Any, images: Any, first_image: int,
        last_image: int, member: int, team: int, counters: Any, stream: Any, joint: Any, keys: Any,
        values: Any, row_codes: Any, sums: Any, row_scales: Any, normed: Any, rows_a: Any,
        rows_b: Any, scores: Any, features: Any, logits: Any,
    ) -> None:  # fmt: skip
        none = np.int64(0)  # a literal would compile everything that it is passed to once more
        round_ = 0
        tokens, width, chunk = shape[TOKENS], shape[WIDTH], shape[CHUNK]
        wide, joined, hidden = shape[STREAM], shape[JOINT], shape[HIDDEN]
        heads, kv_heads, head = shape[HEADS], shape[KV_HEADS], shape[HEAD]
        vectors = -(-width // 16)
        eps = floats[shape[EPS]]
        factor = np.float32(np.log2(np.e) / np.sqrt(head))
        # whole tiles for each member of the team; the rows past the last token are padding
        tiles = -(-tokens // tall)
        begin, end = tiles * member // team * tall, tiles * (member + 1) // team * tall
        special = 1 if shape[CLS] else 0
        patch_wide = -(-plan[0, INPUTS] // 16) * 16
        for image in range(first_image, last_image):
            for start in range(begin, end, chunk):
                rows = min(chunk, end - start)
                for row in range(rows):
                    token = start + row
                    if special <= token < tokens:
                        _cut(
                            shape, floats, images, image, token - special, rows_b,
                            row * patch_wide, patch_wide,
                        )  # fmt: skip
                apply_layer(
                    key, plan, none, codes, floats, rows_b, none, patch_wide, rows, stream,
                    start * wide, wide, none, row_codes, sums, row_scales, normed,
                )  # fmt: skip
                for row in range(rows):
                    token = start + row
                    if token < tokens:
                        if token < special:
                            for d in range(width):
                                stream[token * wide + d] = floats[shape[CLS_TOKEN] + d]
                        position = shape[POSITIONS] + token * vectors * 16
                        add_row(stream, token * wide, floats, position, vectors)
            for block in range(shape[DEPTH]):
                layer = 1 + 4 * block
                half = block % 2
                qkv = joint[half]
                for start in range(begin, end, chunk):
                    rows = min(chunk, end - start)
                    for row in range(rows):
                        layer_norm_row(
                            stream, (start + row) * wide, floats, norms[2 * block, 0],
                            norms[2 * block, 1], width, vectors, eps, rows_a, row * wide,
                        )  # fmt: skip
                    apply_layer(
                        key, plan, layer, codes, floats, rows_a, none, wide, rows, qkv,
                        start * joined, joined, none, row_codes, sums, row_scales, normed,
                    )  # fmt: skip
                lay_keys(
                    key, qkv, joined, begin, min(end, tokens), heads, kv_heads, head, tokens,
                    keys[half], values[half], shape[VALUE], factor,
                )  # fmt: skip
                round_ += 1
                _wait(counters, team, round_)
                for start in range(begin, end, chunk):
                    rows = min(chunk, end - start)
                    attend(
                        key, qkv, joined, start, rows, heads, kv_heads, head, tokens, keys[half],
                        values[half], shape[VALUE], scores, rows_a, wide,
                    )  # fmt: skip
                    apply_layer(
                        key, plan, layer + 1, codes, floats, rows_a, none, wide, rows, rows_b,
                        none, wide, none, row_codes, sums, row_scales, normed,
                    )  # fmt: skip
                    source, source_at = stream, start * wide
                    for row in range(rows):
                        add_row(stream, (start + row) * wide, rows_b, row * wide, vectors)
                        if norms[2 * block + 1, 0] >= 0:
                            layer_norm_row(
                                stream, (start + row) * wide, floats, norms[2 * block + 1, 0],
                                norms[2 * block + 1, 1], width, vectors, eps, rows_a, row * wide,
                            )  # fmt: skip
                            source, source_at = rows_a, 0
                    apply_layer(
                        key, plan, layer + 2, codes, floats, source, source_at, wide, rows, rows_b,
                        none, hidden, shape[ACTIVATION], row_codes, sums, row_scales, normed,
                    )  # fmt: skip
                    apply_layer(
                        key, plan, layer + 3, codes, floats, rows_b, none, hidden, rows, rows_a,
                        none, wide, none, row_codes, sums, row_scales, normed,
                    )  # fmt: skip
                    for row in range(rows):
                        add_row(stream, (start + row) * wide, rows_a, row * wide, vectors)
            round_ += 1
            _wait(counters, team, round_)
            if member == 0:
                for d in range(vectors * 16):
                    rows_a[d] = stream[d]
                if special == 0:
                    for token in range(1, tokens):
                        add_row(rows_a, 0, stream, token * wide, vectors)
                    for d in range(width):
                        rows_a[d] /= np.float32(tokens)
                last = 2 * shape[DEPTH]
                layer_norm_row(
                    rows_a, 0, floats, norms[last, 0], norms[last, 1], width, vectors, eps, rows_a,
                    0,
                )  # fmt: skip
                for d in range(width):
                    features[image, d] = rows_a[d]
                head_layer = 1 + 4 * shape[DEPTH]
                across = -(-plan[head_layer, OUTPUTS] // outputs) * outputs
                apply_layer(
                    key, plan, head_layer, codes, floats, rows_a, none, wide, tall, rows_b, none,
                    across, none, row_codes, sums, row_scales, normed,
                )  # fmt: skip
                for j in range(shape[CLASSES]):
                    logits[image, j] = rows_b[j]
            if image + 1 < last_image:  # nobody writes into the stream while it is pooled
                round_ += 1
                _wait(counters, team, round_)

    return run
