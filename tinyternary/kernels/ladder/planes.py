"""Rung 7 of 15: bit planes and popcount: 64 products by two ANDs and two counts.

What it adds: W as two planes of bits, W+ and W-, and the int8 activations as eight planes of
their own bits (two's complement: the top one counts -128). For each bit b of x,
sum(x_b * w) = ones(x_b AND W+) - ones(x_b AND W-), and y is the sum of these, weighted by 2^b.
Bytes per MAC: 0.25 for W; x takes 1, as planes too. Operations per MAC: eight planes times
(2 ANDs + 2 counts + 2 additions) / 64 inputs = 0.75 on words, an eighth of that on
512-bit vectors.
How fast that should be: 20 to 40 MAC per cycle with vector popcount (AVX-512 VPOPCNTDQ),
3 to 5 without. It was 18, and 21 where the planes stay in the first-level cache. A dot-product
instruction does 64 to 128: with int8 activations planes cannot win, whatever the code. Rung
14, `ternary`, shows where they do. (lesson 08_packing_and_kernels)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import extending, types
from numpy.typing import NDArray

from tinyternary.compiled.switch import njit
from tinyternary.kernels.packing import to_planes


def prepare(trits: NDArray[np.int8]) -> NDArray[np.uint64]:
    """Return the planes, uint64 (2, ceil(K / 64), N): neighbours in memory are outputs."""
    plus, minus = to_planes(trits)
    return np.ascontiguousarray(np.stack([plus.T, minus.T]))


intrinsic: Any = extending.intrinsic


@intrinsic
def ones(typingctx: Any, word: Any) -> Any:
    """Return how many bits of a uint64 are 1, as int64: one instruction."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.uint64), codegen


@njit()
def matmul(x: NDArray[np.int8], layout: NDArray[np.uint64], out: NDArray[np.int32]) -> None:
    """Fill ``out`` (M, N) int32 with the product of x (M, K) int8 and W (N, K)."""
    m, k = x.shape
    words, n = layout.shape[1], layout.shape[2]
    totals = np.empty(n, np.int64)
    for row in range(m):
        totals[:] = 0
        for word in range(words):
            first = 64 * word
            for bit in range(8):
                plane = np.uint64(0)
                for i in range(min(64, k - first)):
                    one = (np.uint8(x[row, first + i]) >> np.uint8(bit)) & np.uint8(1)
                    plane |= np.uint64(one) << np.uint64(i)
                weight = -128 if bit == 7 else 1 << bit
                for column in range(n):
                    totals[column] += weight * (
                        ones(plane & layout[0, word, column])
                        - ones(plane & layout[1, word, column])
                    )
        for column in range(n):
            out[row, column] = totals[column]
