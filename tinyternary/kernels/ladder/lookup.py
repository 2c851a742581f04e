"""Rung 3 of 15: tables of sums: two trits at a time index sums that were computed beforehand.

What it adds: T-MAC's idea (Wei et al., arXiv 2407.00088). Two trits have nine values, so two
activations have nine possible contributions: compute them once per row of x, then every output
only looks up and adds. No multiplication, and the codes are never decoded: four bits of the
packed byte are the index.
Bytes per MAC: 0.25 / 2 for the index, 2 / 2 for the entry. Operations per MAC: half a
shift-and-mask, half a load that depends on it, half an addition; and 8 K operations
per row to fill the tables, which N outputs share.
How fast that should be: 2 MAC for each load of an entry, and a chain of shift, mask and load
in front of it: 2 to 4 MAC per cycle in scalar code. It was 2.1. The table has to sit in a
register to go faster: rung 13, `lookup7`, does that.
(lesson 08_packing_and_kernels)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled.switch import njit
from tinyternary.kernels.packing import to_codes


def prepare(trits: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return the plain 2-bit codes, uint8 (N, ceil(K / 4)): each nibble is an index."""
    return to_codes(trits)


@njit()
def matmul(x: NDArray[np.int8], layout: NDArray[np.uint8], out: NDArray[np.int32]) -> None:
    """Fill ``out`` (M, N) int32 with the product of x (M, K) int8 and W (N, K)."""
    m, k = x.shape
    length = layout.shape[1]
    tables = np.empty((length, 32), np.int16)  # two tables of 16 entries for a byte of codes
    four = np.zeros(4, np.int16)
    for row in range(m):
        for byte in range(length):
            for j in range(4):
                i = 4 * byte + j
                four[j] = x[row, i] if i < k else 0
            for entry in range(16):
                low, high = (entry & 3) - 1, (entry >> 2) - 1
                tables[byte, entry] = low * four[0] + high * four[1]
                tables[byte, 16 + entry] = low * four[2] + high * four[3]
        for column in range(layout.shape[0]):
            total = np.int32(0)
            for byte in range(length):
                codes = layout[column, byte]
                total += tables[byte, codes & 15] + tables[byte, 16 + (codes >> 4)]
            out[row, column] = total
