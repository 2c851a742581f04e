"""The network for a range of images, on one thread or a team (lesson 10_deployment).

One compiled call takes bytes of images and leaves logits. An image has depth + 1 phases,
each a few rows at a time so that the wide hidden layer never leaves the cache: attention,
projection and feed-forward network of a block, then queries, keys and values of the next;
the first phase embeds patches instead, the last has no next block. A token's attention
needs all keys: between phases threads wait for the pieces that others have drawn. The joint
rows of queries, keys and values alternate between two buffers so that once is enough. Each
thread lays keys and values out for itself: threads that write into one panel of keys, or
read what another core has just written in no order, take longer than doing it twice.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from tinyternary.compiled.switch import njit
from tinyternary.deploy.encoder.attention import attend, lay_keys
from tinyternary.deploy.encoder.operations import add, add_row, layer_norm_row
from tinyternary.deploy.encoder.plan import (
    ACTIVATION,
    ANSWERED,
    CHANNELS,
    CHUNK,
    CLASSES,
    CLS,
    CLS_TOKEN,
    DEPTH,
    EPS,
    GAIN,
    GRID,
    HEAD,
    HEADS,
    HIDDEN,
    INPUTS,
    JOINT,
    KV_HEADS,
    OFFSET,
    OUTPUTS,
    PADDING,
    PATCH,
    POSITIONS,
    SIZE,
    STEP,
    STREAM,
    TAKEN,
    TOKENS,
    VALUE,
    WIDTH,
    fingerprint,
)
from tinyternary.deploy.encoder.stages import apply_layer
from tinyternary.deploy.encoder.team import piece, place_of, wait_for
from tinyternary.kernels.simd.shapes import Shape

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
    _F,
    _F,
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
def encoder(target: Shape) -> Callable[..., None]:
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
        tokens, width, depth = shape[TOKENS], shape[WIDTH], shape[DEPTH]
        wide, joined, hidden = shape[STREAM], shape[JOINT], shape[HIDDEN]
        heads, kv_heads, head = shape[HEADS], shape[KV_HEADS], shape[HEAD]
        vectors = -(-width // 16)
        eps = floats[shape[EPS]]
        factor = np.float32(np.log2(np.e) / np.sqrt(head))
        # rows come in whole tiles: those past the last token are padding
        tiles, most = -(-tokens // tall), shape[CHUNK] // tall
        special = 1 if shape[CLS] else 0
        patch_wide = -(-plan[0, INPUTS] // 16) * 16
        if team > 1:  # images before these: somebody may be at one in the arrays to be shared
            wait_for(counters, ANSWERED, first_image)
        image = first_image - 1
        while True:
            image = image + 1 if team > 1 else first_image + add(counters, TAKEN, 1)
            if image >= last_image:
                break
            for phase in range(depth + 1):
                at = place_of(image - first_image, phase, depth)
                number, laid = -1, False
                while True:
                    number = add(counters, at, 1) if team > 1 else number + 1
                    tile, count = piece(number, tiles, team, most)
                    if count == 0:
                        break
                    start, rows = tile * tall, count * tall
                    if phase == 0:
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
                    else:
                        block = phase - 1
                        layer, qkv = 1 + 4 * block, joint[block % 2]
                        if not laid:
                            laid = True
                            lay_keys(
                                key, qkv, joined, none, tokens, heads, kv_heads, head, tokens,
                                keys, values, shape[VALUE], factor,
                            )  # fmt: skip
                        attend(
                            key, qkv, joined, start, rows, heads, kv_heads, head, tokens, keys,
                            values, shape[VALUE], scores, rows_a, wide,
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
                                    norms[2 * block + 1, 1], width, vectors, eps, rows_a,
                                    row * wide,
                                )  # fmt: skip
                                source, source_at = rows_a, 0
                        apply_layer(
                            key, plan, layer + 2, codes, floats, source, source_at, wide, rows,
                            rows_b, none, hidden, shape[ACTIVATION], row_codes, sums, row_scales,
                            normed,
                        )  # fmt: skip
                        apply_layer(
                            key, plan, layer + 3, codes, floats, rows_b, none, hidden, rows,
                            rows_a, none, wide, none, row_codes, sums, row_scales, normed,
                        )  # fmt: skip
                        for row in range(rows):
                            add_row(stream, (start + row) * wide, rows_a, row * wide, vectors)
                    if phase < depth:
                        for row in range(rows):
                            layer_norm_row(
                                stream, (start + row) * wide, floats, norms[2 * phase, 0],
                                norms[2 * phase, 1], width, vectors, eps, rows_a, row * wide,
                            )  # fmt: skip
                        apply_layer(
                            key, plan, 1 + 4 * phase, codes, floats, rows_a, none, wide, rows,
                            joint[phase % 2], start * joined, joined, none, row_codes, sums,
                            row_scales, normed,
                        )  # fmt: skip
                    if team > 1:
                        add(counters, at + 1, count)
                if team > 1:
                    wait_for(counters, at + 1, tiles)
            end = place_of(image - first_image, depth + 1, depth)
            if member == 0 or team == 1:
                for d in range(vectors * 16):
                    rows_a[d] = stream[d]
                if special == 0:
                    for token in range(1, tokens):
                        add_row(rows_a, 0, stream, token * wide, vectors)
                    for d in range(width):
                        rows_a[d] /= np.float32(tokens)
                last = 2 * depth
                layer_norm_row(
                    rows_a, 0, floats, norms[last, 0], norms[last, 1], width, vectors, eps, rows_a,
                    0,
                )  # fmt: skip
                for d in range(width):
                    features[image, d] = rows_a[d]
                head_layer = 1 + 4 * depth
                across = -(-plan[head_layer, OUTPUTS] // outputs) * outputs
                apply_layer(
                    key, plan, head_layer, codes, floats, rows_a, none, wide, tall, rows_b, none,
                    across, none, row_codes, sums, row_scales, normed,
                )  # fmt: skip
                for j in range(shape[CLASSES]):
                    logits[image, j] = rows_b[j]
                add(counters, end if team > 1 else ANSWERED, 1)
            elif image + 1 < last_image:  # nobody writes into the stream while it is pooled
                wait_for(counters, end, 1)

    return run
