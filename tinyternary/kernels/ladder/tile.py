"""Rung 4 of 15: a row of codes unpacked once into int8, then a loop that the compiler vectorises.

What it adds: each code is decoded once for all M rows of x instead of once per product, and
the product is a plain int8 dot product, which LLVM turns into vector code by itself: int8
widened to int32 (or to 16 bits and summed in pairs).
Bytes per MAC: 0.25 / M for the codes, 1 + 1 from the first-level cache. Operations per MAC:
two widenings, a multiplication and an addition, each on 8 to 16 lanes.
How fast that should be: 4 to 16 MAC per cycle, by the width of the vectors. It was 12 with
512-bit vectors; what the compiler cannot find by itself is the instruction that does four
products at a time. (lesson 08_packing_and_kernels)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled.switch import njit
from tinyternary.kernels.packing import to_codes


def prepare(trits: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return the plain 2-bit codes, uint8 (N, ceil(K / 4))."""
    return to_codes(trits)


@njit()
def matmul(x: NDArray[np.int8], layout: NDArray[np.uint8], out: NDArray[np.int32]) -> None:
    """Fill ``out`` (M, N) int32 with the product of x (M, K) int8 and W (N, K)."""
    m, k = x.shape
    unpacked = np.empty(4 * layout.shape[1], np.int8)
    for column in range(layout.shape[0]):
        for byte in range(layout.shape[1]):
            codes = layout[column, byte]
            for j in range(4):
                unpacked[4 * byte + j] = np.int8((codes >> np.uint8(2 * j)) & np.uint8(3)) - 1
        for row in range(m):
            total = np.int32(0)
            for i in range(k):
                total += np.int32(x[row, i]) * np.int32(unpacked[i])
            out[row, column] = total
