"""Rung 5 of 15: float BLAS through NumPy, exact, needs no compiler.

What it adds: somebody else's tuned loops, the floor that a ternary kernel has to beat; and an
answer without a compiler: this is what runs with ``TINYTERNARY_JIT=0``. Products of int8 and trits
are integers, and a float32 sum of integers is exact, in whatever order BLAS adds, while every
partial sum stays within 2^24: K up to 131,072 for int8 inputs. Longer rows go through float64.
Bytes per MAC: 4 / M and more for W, 16 times what it takes in codes. Operations per MAC: 1 / 8 or
1 / 16 of a fused multiply-add.
How fast that should be: two 512-bit multiply-adds a cycle do 32 MAC; `tinyternary bench kernels`
says what this BLAS does here. (lesson 08_packing_and_kernels)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_EXACT_FLOAT32 = 2**24 // 128


def prepare(trits: NDArray[np.int8]) -> NDArray[np.floating]:
    """Return W as float32 (float64 for very long rows), (N, K): 16 times its packed bytes."""
    exact = np.float32 if trits.shape[1] <= _EXACT_FLOAT32 else np.float64
    return trits.astype(exact)


def matmul(x: NDArray[np.int8], layout: NDArray[np.floating], out: NDArray[np.int32]) -> None:
    """Fill ``out`` (M, N) int32 with the product of x (M, K) int8 and W (N, K)."""
    np.copyto(out, x.astype(layout.dtype) @ layout.T, casting="unsafe")
