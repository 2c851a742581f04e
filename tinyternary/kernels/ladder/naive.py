"""Rung 1 of 15: plain loops over trits: add, subtract or skip, never multiply.

What it adds: nothing yet; this is the definition. A trit is one int8.
Bytes per MAC: 1 for the trit and 1 for the activation, and 8 to read and write the sum, which
stays in ``out``. Operations per MAC: a comparison, a branch that cannot be predicted (one in
three each way), an addition.
How fast that should be: about half of the branches are mispredicted, at some 15 cycles each:
0.1 MAC per cycle. It was 0.1 (Zen 5, 3.8 GHz; measured like all figures of these files at M, K,
N = 64, 512, 2048 on one thread; `tinyternary bench kernels` does it again). With the sum in a
variable, and the activation read before the branch, the compiler turns branches into selections
and vectorises: 5. (lesson 08_packing_and_kernels)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled.switch import njit


def prepare(trits: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return the trits as they are, int8 (N, K): four times the bytes of 2-bit codes."""
    return np.ascontiguousarray(trits)


@njit()
def matmul(x: NDArray[np.int8], layout: NDArray[np.int8], out: NDArray[np.int32]) -> None:
    """Fill ``out`` (M, N) int32 with the product of x (M, K) int8 and W (N, K)."""
    m, k = x.shape
    for row in range(m):
        for column in range(layout.shape[0]):
            out[row, column] = 0
            for i in range(k):
                trit = layout[column, i]
                if trit > 0:
                    out[row, column] += x[row, i]
                elif trit < 0:
                    out[row, column] -= x[row, i]
