"""Rung: trits unpacked to int8 once, a plain loop that the compiler vectorises.

(lesson 08_packing_and_kernels)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyternary.jit.switch import njit


def prepare(trits: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return the trits as contiguous int8 (N, K): four times the bytes of 2-bit codes."""
    return np.ascontiguousarray(trits)


@njit()
def matmul(x: NDArray[np.int8], layout: NDArray[np.int8], out: NDArray[np.int32]) -> None:
    """Fill ``out`` (M, N) int32 with the product of x (M, K) int8 and W (N, K)."""
    m, k = x.shape
    n = layout.shape[0]
    for row in range(m):
        for column in range(n):
            total = np.int32(0)
            for i in range(k):
                total += np.int32(x[row, i]) * np.int32(layout[column, i])
            out[row, column] = total
