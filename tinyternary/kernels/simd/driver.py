"""Loops over rows and tiles in plain Numba around the emitted kernels (lesson 08).

`kernels(target)` returns the two compiled entry points of one target, ``matmul`` and
``linear``. The target's number is a constant of the compiled code and so part of the key
under which Numba caches it; so is a checksum of this folder's source, because Numba itself
only watches the file in which a function is defined.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tinyternary.jit.switch import njit
from tinyternary.kernels.simd.intrinsics import (
    gelu_block,
    quantise_row,
    row_floats,
    row_integers,
    tile_floats,
    tile_integers,
)
from tinyternary.kernels.simd.targets import Target

CHUNK_BYTES = 32768
"""Activation codes that are quantised at a time: what is left of a first-level cache."""

GELU, RELU = 1, 2
"""Activations by the number that the compiled code takes; 0 is none."""


@functools.cache
def _checksum() -> int:
    """CRC of this folder's source, so that editing an emitter cannot revive old machine code."""
    total = 0
    for path in sorted(Path(__file__).parent.glob("*.py")):
        total = zlib.crc32(path.read_bytes(), total)
    return total & 0xFFFFFF


@functools.cache
def matmul_kernel(target: Target) -> Callable[..., None]:
    """Return ``matmul(x int8 (M, K), weights, out int32 (M, N))`` compiled for ``target``."""
    key, tall, outputs = target.index + 16 * _checksum(), target.rows, target.outputs

    @njit()
    def matmul(x: Any, weights: Any, out: Any) -> None:
        m, k = x.shape
        n = out.shape[1]
        blocks_n, blocks = weights.shape[0], weights.shape[1]
        wide = 16 * blocks
        panel = weights.size // blocks_n
        step = max(tall, CHUNK_BYTES // wide // tall * tall)
        codes = np.zeros(min(m, step) * wide, np.int8)
        sums = np.empty(min(m, step), np.int32)
        edge = np.empty(tall * outputs, np.int32)
        flat = out.reshape(-1)
        for first in range(0, m, step):
            count = min(step, m - first)
            for row in range(count):
                total = np.int32(0)
                for i in range(k):
                    value = x[first + row, i]
                    codes[row * wide + i] = value
                    total += np.int32(value)
                sums[row] = total
            height = tall if count >= tall else 1
            for block in range(blocks_n):
                column = block * outputs
                valid = min(outputs, n - column)
                target, stride = (flat, n) if valid == outputs else (edge, outputs)
                for tile in range(-(-count // height)):
                    row = min(tile * height, count - height)  # the last may overlap
                    place = (first + row) * n + column
                    into = place if valid == outputs else 0
                    if height == 1:
                        row_integers(key, codes, row * wide, wide, weights, block * panel,
                                     blocks, sums, row, target, into, stride)  # fmt: skip
                    else:
                        tile_integers(key, codes, row * wide, wide, weights, block * panel,
                                      blocks, sums, row, target, into, stride)  # fmt: skip
                    if valid < outputs:
                        for i in range(height):
                            for j in range(valid):
                                flat[place + i * n + j] = edge[i * outputs + j]

    return matmul


@functools.cache
def linear_kernel(target: Target) -> Callable[..., None]:
    """Return ``linear(x, weights, scales, biases, out, activation)`` compiled for ``target``.

    x (M, K) and out (M, N) are float32; scales and biases are float32, padded to whole blocks
    of outputs; ``activation`` is 0, `GELU` or `RELU`.
    """
    key, tall, outputs = target.index + 16 * _checksum(), target.rows, target.outputs

    @njit()
    def linear(x: Any, weights: Any, scales: Any, biases: Any, out: Any, activation: int) -> None:
        m, k = x.shape
        n = out.shape[1]
        blocks_n, blocks = weights.shape[0], weights.shape[1]
        wide = 16 * blocks
        panel = weights.size // blocks_n
        step = max(tall, CHUNK_BYTES // wide // tall * tall)
        codes = np.empty(min(m, step) * wide, np.int8)
        sums = np.empty(min(m, step), np.int32)
        row_scales = np.empty(min(m, step), np.float32)
        edge = np.empty(tall * outputs, np.float32)
        whole = np.zeros(wide if wide > k else 0, np.float32)
        flat_x = x.reshape(-1)
        flat = out.reshape(-1)
        for first in range(0, m, step):
            count = min(step, m - first)
            for row in range(count):
                source, start = flat_x, (first + row) * k
                if wide > k:  # a row of whole vectors, so that nothing is read past the end
                    for i in range(k):
                        whole[i] = flat_x[start + i]
                    source, start = whole, 0
                row_scales[row], sums[row] = quantise_row(
                    key, source, start, blocks, codes, row * wide
                )
            height = tall if count >= tall else 1
            for block in range(blocks_n):
                column = block * outputs
                valid = min(outputs, n - column)
                target, stride = (flat, n) if valid == outputs else (edge, outputs)
                for tile in range(-(-count // height)):
                    row = min(tile * height, count - height)  # the last may overlap
                    place = (first + row) * n + column
                    into = place if valid == outputs else 0
                    if height == 1:
                        row_floats(key, codes, row * wide, wide, weights, block * panel, blocks,
                                   sums, row, row_scales, row, scales, column, biases, column,
                                   target, into, stride)  # fmt: skip
                    else:
                        tile_floats(key, codes, row * wide, wide, weights, block * panel, blocks,
                                    sums, row, row_scales, row, scales, column, biases, column,
                                    target, into, stride)  # fmt: skip
                    if activation == GELU:
                        gelu_block(key, target, into, stride, height)
                    elif activation == RELU:
                        for i in range(height):
                            for j in range(outputs):
                                place_ij = into + i * stride + j
                                target[place_ij] = max(target[place_ij], np.float32(0))
                    if valid < outputs:
                        for i in range(height):
                            for j in range(valid):
                                flat[place + i * n + j] = edge[i * outputs + j]

    return linear
