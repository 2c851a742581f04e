"""The forward pass of a ViT as compiled code: embed, blocks, head (lesson 10_deployment).

`run` takes bytes of images and leaves logits. An image has depth + 1 phases, each a few rows at
a time so that the wide hidden layer never leaves the cache: what follows the queries, keys and
values of a block up to those of the next. A token's attention needs all keys: between phases
threads wait for the pieces that others have drawn. The joint rows of queries, keys and values
alternate between two buffers so that once is enough. Each thread lays keys and values out for
itself: threads that write into one panel of keys, or read what another core has just written in
no order, take longer than doing it twice.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from numba import types

from tinyternary.compiled.switch import njit
from tinyternary.deploy.encoder.attention import attend, lay_keys
from tinyternary.deploy.encoder.int8_steps import attend_int8, lay_int8_keys
from tinyternary.deploy.encoder.intrinsics import fetch_add, floats, target_of, view
from tinyternary.deploy.encoder.records import ANSWERED, BLOCK, MEMORY, NETWORK
from tinyternary.deploy.encoder.steps import (
    Rows,
    add_positions,
    cut_patches,
    layer_norm,
    linear,
    mean_token,
    residual,
    rows_of,
    step,
)
from tinyternary.deploy.encoder.team import (
    Team,
    finish,
    next_image,
    next_piece,
    piece,
    place_of,
    wait_for,
    wait_for_all,
)
from tinyternary.kernels.simd.tile_shapes import Shape

_BLOCK_BYTES = BLOCK.itemsize


@step
def embed(
    target: Any, net: Any, images: Any, image: int, x: Rows, first: int, count: int, memory: Any
) -> None:
    """Write the embedded patches of ``count`` tokens from ``first`` on into x."""
    patches = rows_of(memory.patches, 0)
    cut_patches(net, images, image, first, count, patches)
    linear(target, net.embedding, patches, x, count, memory)
    add_positions(net, x, first, count)


@step
def project(target: Any, net: Any, block: Any, x: Rows, qkv: Rows, count: int, memory: Any) -> None:
    """Write the queries, keys and values of a block: its first half, up to where all must be."""
    normed = layer_norm(net, block.norm1, x, rows_of(memory.normed, 0), count)
    linear(target, block.qkv, normed, qkv, count, memory)


@step
def block(
    target: Any, net: Any, block: Any, x: Rows, qkv: Rows, first: int, count: int, memory: Any
) -> None:
    """Run the rest of a block for tokens from ``first`` on: attention and MLP, each added to x."""
    attended, attention_out = rows_of(memory.attended, 0), rows_of(memory.attention_out, 0)
    if block.int8:
        attend_int8(target, net, qkv, attended, first, count, memory)
    else:
        attend(target, net, qkv, attended, first, count, memory)
    linear(target, block.proj, attended, attention_out, count, memory)
    residual(net, x, attention_out, count)

    hidden, mlp_out = rows_of(memory.hidden, 0), rows_of(memory.mlp_out, 0)
    normed = layer_norm(net, block.norm2, x, rows_of(memory.normed, 0), count)
    linear(target, block.fc1, normed, hidden, count, memory)  # and the activation
    linear(target, block.fc2, hidden, mlp_out, count, memory)
    residual(net, x, mlp_out, count)


@step
def head(
    target: Any, net: Any, stream: Rows, image: int, features: Any, logits: Any, memory: Any
) -> None:
    """Pool the tokens; write features and logits of an image."""
    pooled, out = rows_of(memory.pooled, 0), rows_of(memory.logits, 0)
    mean_token(net, stream, pooled)
    layer_norm(net, net.norm, pooled, pooled, 1)
    linear(target, net.head, pooled, out, target.rows, memory)
    for row, values in ((features, pooled), (logits, out)):
        found = floats(values.at, row.shape[1])
        for i in range(row.shape[1]):
            row[image, i] = found[i]


@step
def forward(
    target: Any, net: Any, images: Any, image: int, team: Team, memory: Any, common: Any
) -> None:
    """Run one image up to its last block, alone or with the other threads of a team."""
    tiles = -(-net.tokens // target.rows)  # rows past the last token are padding
    for phase in range(net.depth + 1):
        place = place_of(image - team.first, phase, net.depth)
        # where the joint rows of the block before and of the next begin
        before, after = (phase + 1) % 2 * tiles * target.rows, phase % 2 * tiles * target.rows
        number, laid = -1, False
        while True:
            number = next_piece(team, place, number)
            tile, height = piece(number, tiles, team.size, net.chunk // target.rows)
            if height == 0:
                break
            first, count = tile * target.rows, height * target.rows
            x = rows_of(common.stream, first)
            if phase == 0:
                embed(target, net, images, image, x, first, count, memory)
            else:
                this = view(net.blocks + (phase - 1) * _BLOCK_BYTES, BLOCK)
                if not laid:
                    keys_and_values = rows_of(common.qkv, before)
                    if this.int8:
                        lay_int8_keys(target, net, keys_and_values, memory)
                    else:
                        lay_keys(target, net, keys_and_values, memory)
                    laid = True
                queries = rows_of(common.qkv, before + first)
                block(target, net, this, x, queries, first, count, memory)
            if phase < net.depth:
                following = view(net.blocks + phase * _BLOCK_BYTES, BLOCK)
                qkv = rows_of(common.qkv, after + first)
                project(target, net, following, x, qkv, count, memory)
            finish(team, place, height)
        wait_for_all(team, place, tiles)


_I = types.int64
_RUN = types.void(
    _I, _I, _I, types.Array(types.uint8, 4, "C", readonly=True), _I, _I, _I, _I,
    types.int32[::1], types.float32[:, ::1], types.float32[:, ::1],
)  # fmt: skip
"""Types of `run`: one compilation, whether or not the images may be written to."""


@functools.cache
def encoder(target: Shape) -> Callable[..., None]:
    """Return ``run(network, memory, common, images, ...)`` compiled for ``target``.

    Its arguments: addresses of a `records.NETWORK`, of this thread's `records.MEMORY` and of
    the one whose stream and joint rows all members of the team use; images (B, S, S, C) uint8
    and the range of them that is asked for; this thread's number and how many there are; the
    call's counters; features (B, width) and logits (B, classes) to be written.
    """
    # the target's number is a constant of the compiled code, and so part of the key under which
    # it is kept
    key = target.index

    @njit(signature_or_function=_RUN)
    def run(
        network: int, memory: int, common: int, images: Any, first: int, last: int, member: int,
        size: int, counters: Any, features: Any, logits: Any,
    ) -> None:  # fmt: skip
        target, net = target_of(key), view(network, NETWORK)
        mine, ours = view(memory, MEMORY), view(common, MEMORY)
        team = Team(member, size, counters, first)
        if size > 1:  # images before these: somebody may be at one in the arrays to be shared
            wait_for(counters, ANSWERED, first)
        image = next_image(team, first - 1)
        while image < last:
            forward(target, net, images, image, team, mine, ours)
            end = place_of(image - first, net.depth + 1, net.depth)
            if member == 0 or size == 1:
                head(target, net, rows_of(ours.stream, 0), image, features, logits, mine)
                fetch_add(counters, end if size > 1 else ANSWERED, 1)
            elif image + 1 < last:  # nobody writes into the stream while it is pooled
                wait_for(counters, end, 1)
            image = next_image(team, image)

    return run
