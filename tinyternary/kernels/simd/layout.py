"""Codes interleaved for wide loads (lesson 08_packing_and_kernels).

A vector of codes holds ``lanes`` outputs x 16 inputs: byte (output i, b), bits 2j and
2j + 1, is the code of input 4j + b. Shift by 2j and mask, and each output has one 32-bit
word of four codes for inputs 4j..4j+3: what a dot-product instruction takes, against the
same four activations broadcast to all lanes. No sum ever crosses lanes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyternary.kernels.simd.tile_shapes import Shape

BLOCK = 16
"""Inputs per vector of codes."""


def padded(size: int, step: int) -> int:
    """``size`` rounded up to a multiple of ``step``."""
    return -(-size // step) * step


def interleave(trits: NDArray[np.int8], target: Shape) -> NDArray[np.uint8]:
    """Lay trits (N, K) out for ``target``.

    Returns
    -------
    (N blocks, K blocks, columns, width) uint8
        Aligned to 64 bytes. Outputs past N and inputs past K hold the 0-trit.
    """
    n, k = trits.shape
    lanes, columns = target.lanes, target.columns
    wide = np.ones((padded(n, target.outputs), padded(k, BLOCK)), dtype=np.uint8)
    wide[:n, :k] = (trits + np.int8(1)).view(np.uint8)
    blocks_n, blocks_k = wide.shape[0] // target.outputs, wide.shape[1] // BLOCK
    # (n block, column, lane, k block, j, b) -> (n block, k block, column, lane, b, j)
    codes = wide.reshape(blocks_n, columns, lanes, blocks_k, 4, 4).transpose(0, 3, 1, 2, 5, 4)
    fields = np.zeros(codes.shape[:-1], dtype=np.uint8)
    for j in range(4):
        fields |= codes[..., j] << np.uint8(2 * j)
    laid = aligned((blocks_n, blocks_k, columns, target.width))
    laid[...] = fields.reshape(laid.shape)
    return laid


def spread(trits: NDArray[np.int8], groups: int) -> NDArray[np.int8]:
    """Fill every group of trits (N, K) up to whole blocks of inputs: each begins on its own."""
    n, k = trits.shape
    size = k // groups
    wide = np.zeros((n, groups, padded(size, BLOCK)), dtype=np.int8)
    wide[:, :, :size] = trits.reshape(n, groups, size)
    return wide.reshape(n, -1)


def aligned(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return an uninitialised array of bytes that starts at a multiple of 64."""
    size = int(np.prod(shape))
    raw = np.empty(size + 64, dtype=np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].reshape(shape)
