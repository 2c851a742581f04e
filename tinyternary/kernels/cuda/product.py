"""x W^T on 2-bit codes, two rows of x in one multiplication (lesson 08_packing_and_kernels).

A GPU's cores multiply 32-bit integers. Two activations fit into one of those, one above the other:

    pair = upper * 2^16 + lower,        trit * pair = (trit * upper) * 2^16 + (trit * lower)

so a sum of such products holds two sums. The lower one is its low 16 bits, read as a signed number,
as long as it stays between -32,768 and 32,767: `STEP` products of at most 128 do. Then both sums
are taken apart and added to 32-bit ones, and the pair starts from zero again.

A block of threads computes a tile of `ROWS` x `COLUMNS` results. For each `STEP` inputs its
threads first copy their part of x, as pairs, and of W, as words of 16 codes, to memory that they
share; every code is then read once and decoded once for `ROWS_EACH` rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda, int32, uint32
from numpy.typing import NDArray

from tinyternary.kernels.packing import to_codes

ROWS, COLUMNS = 64, 32
"""Results of a block: rows of x, rows of W."""
STEP = 64
"""Inputs between two rests: 64 * 128 < 2^15."""
CODES = 16
"""Codes in a word of 32 bits."""

ROWS_EACH = 8
"""Rows of one thread; it has one column."""
_THREADS = (COLUMNS, ROWS // ROWS_EACH)
_PAIRS = ROWS // 2  # of a block
_PAIRS_EACH = ROWS_EACH // 2
_WORDS = STEP // CODES
_ALL = COLUMNS * (ROWS // ROWS_EACH)  # threads of a block


def to_words(trits: NDArray[np.int8]) -> NDArray[np.uint32]:
    """Return 2-bit codes of trits (N, K) as words, uint32 (N, ceil(K / 16)).

    Code i of a word is in bits 2i and 2i + 1, as in the bytes of a file.
    """
    n, k = trits.shape
    words = -(-k // CODES)
    padded = np.zeros((n, words * CODES), np.int8)
    padded[:, :k] = trits
    return to_codes(padded).view("<u4").astype(np.uint32)


def grid(m: int, n: int) -> tuple[int, int]:
    """Return how many blocks it takes for M x N results, across and down."""
    return -(-n // COLUMNS), -(-m // ROWS)


@cuda.jit
def _product(x: Any, words: Any, out: Any) -> None:
    m, k = x.shape
    n = words.shape[0]
    pairs = cuda.shared.array((STEP, _PAIRS), int32)
    codes = cuda.shared.array((COLUMNS, _WORDS), uint32)
    sums = cuda.local.array(ROWS_EACH, int32)
    both = cuda.local.array(_PAIRS_EACH, int32)
    across, down = cuda.threadIdx.x, cuda.threadIdx.y
    thread = down * COLUMNS + across
    first_row, first_column = cuda.blockIdx.y * ROWS, cuda.blockIdx.x * COLUMNS
    for r in range(ROWS_EACH):
        sums[r] = int32(0)

    for start in range(0, k, STEP):
        # what all need, copied by all: neighbours read neighbouring inputs
        for place in range(thread, STEP * _PAIRS, _ALL):
            i, pair = place % STEP, place // STEP
            row = first_row + 2 * pair
            lower, upper = int32(0), int32(0)
            if start + i < k and row < m:
                lower = int32(x[row, start + i])
            if start + i < k and row + 1 < m:
                upper = int32(x[row + 1, start + i])
            pairs[i, pair] = int32(upper * int32(65536) + lower)
        for place in range(thread, COLUMNS * _WORDS, _ALL):
            column, word = place // _WORDS, place % _WORDS
            at = start // CODES + word
            codes[column, word] = uint32(0)
            if first_column + column < n and at < words.shape[1]:
                codes[column, word] = words[first_column + column, at]
        cuda.syncthreads()

        for p in range(_PAIRS_EACH):
            both[p] = int32(0)
        for word in range(_WORDS):
            left = codes[across, word]
            for i in range(CODES):
                trit = int32(int32(left & uint32(3)) - int32(1))
                left = uint32(left >> uint32(2))
                for p in range(_PAIRS_EACH):
                    pair_of_x = pairs[word * CODES + i, down * _PAIRS_EACH + p]
                    both[p] = int32(both[p] + int32(trit * pair_of_x))
        for p in range(_PAIRS_EACH):
            lower = int32(int32((both[p] & int32(65535)) ^ int32(32768)) - int32(32768))
            upper = int32(int32(both[p] - lower) >> int32(16))
            sums[2 * p] = int32(sums[2 * p] + lower)
            sums[2 * p + 1] = int32(sums[2 * p + 1] + upper)
        cuda.syncthreads()  # before anybody overwrites what another still reads

    for r in range(ROWS_EACH):
        row, column = first_row + down * ROWS_EACH + r, first_column + across
        if row < m and column < n:
            out[row, column] = sums[r]


def product(x: Any, words: Any, out: Any) -> None:
    """Fill ``out`` with x W^T; arrays on the GPU stay there, others are copied there and back.

    Parameters
    ----------
    x : (M, K) int8
    words : (N, ceil(K / 16)) uint32
        From `to_words`.
    out : (M, N) int32
    """
    _product[grid(*out.shape), _THREADS](x, words, out)
