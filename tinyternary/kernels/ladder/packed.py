"""Rung 2 of 15: the same loops on 2-bit codes, decoded one by one with a shift and a mask.

What it adds: a quarter of the bytes. Codes are trit + 1, so y = sum(code * x) - sum(x): no
branch and no sign; the correction is one sum per row.
Bytes per MAC: 0.25 for the code and 1 for the activation. Operations per MAC: shift, mask,
multiply, add.
How fast that should be: about 1 MAC per cycle: four operations, of which a core starts four to
six a cycle; a few more where the compiler vectorises. It was 2.2. Memory was never what held
rung 1 up, so fewer bytes alone buy little: what is gained comes from the branch that is gone.
(lesson 08_packing_and_kernels)
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
    for row in range(m):
        correction = np.int32(0)
        for i in range(k):
            correction += np.int32(x[row, i])
        for column in range(layout.shape[0]):
            total = -correction
            for i in range(k):
                code = (layout[column, i >> 2] >> np.uint8(2 * (i & 3))) & np.uint8(3)
                total += np.int32(code) * np.int32(x[row, i])
            out[row, column] = total
