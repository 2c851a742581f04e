"""Five trits in a byte: all 243 of them, what they take, and how they come out again."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tests.kernels.cases import NAMES, exact, trits
from tinyternary import kernels

five = pytest.importorskip("tinyternary.kernels.simd.five", reason="needs the compiler")
FIVE = five.FIVE


def read(byte: int) -> list[int]:
    """The digits of a sign and a size, least first, in balanced ternary as Knuth gives it."""
    number = (byte & 127) * (-1 if byte & 128 else 1)
    digits = []
    for _ in range(5):
        digit = number % 3 if number % 3 < 2 else -1
        digits.append(digit)
        number = (number - digit) // 3
    assert number == 0
    return digits


def test_every_five_trits_have_a_byte_of_their_own():
    seen = set()
    for pattern in itertools.product((-1, 0, 1), repeat=5):
        row = np.zeros((1, 80), np.int8)
        # byte 0 of the first vector: inputs 0, 4, 8, 12 and the first of the fifth block
        row[0, [0, 4, 8, 12, 64]] = pattern
        byte = int(five.interleave(row, FIVE)[0, 0, 0, 0])
        assert read(byte) == list(pattern)
        seen.add(byte)
    assert len(seen) == 243


def test_tables_hold_the_digits_of_every_size():
    four, fifth = five.tables()
    for size in range(122):
        codes = [int(four[size]) >> 2 * place & 3 for place in range(4)] + [int(fifth[size])]
        assert [code - 1 for code in codes] == read(size)


@given(n=st.integers(0, 200), k=st.integers(0, 700), seed=st.integers(0, 2**32 - 1))
def test_a_layout_takes_a_fifth_less_and_holds_every_trit(n, k, seed):
    w = trits(np.random.default_rng(seed), n, k)
    laid = five.interleave(w, FIVE)
    blocks = -(-k // 16)
    panels = -(-n // 64)
    assert laid.nbytes == panels * 1024 // 4 * (4 * (blocks // 5) + blocks % 5)
    assert laid.size == 0 or laid.ctypes.data % 64 == 0
    # bytes of sign and size, each as the sum of the absolute values of its digits
    ones = np.array([sum(map(abs, read(b))) if b & 127 <= 121 else -1000 for b in range(256)])
    assert ones[laid].sum() == np.abs(w.astype(int)).sum()


@pytest.mark.skipif("five" not in NAMES, reason="needs AVX-512 VBMI")
@settings(max_examples=40)
@given(
    m=st.sampled_from([1, 3, 4, 5, 31, 64, 65, 90, 130, 300]), n=st.integers(1, 130),
    k=st.sampled_from([1, 16, 63, 64, 65, 79, 80, 81, 144, 192, 320, 767, 768, 1100]),
    seed=st.integers(0, 2**32 - 1), threads=st.sampled_from([1, 2]),
)  # fmt: skip
def test_chunks_of_rows_and_blocks_left_over(m, n, k, seed, threads):
    rng = np.random.default_rng(seed)
    x, w = rng.integers(-128, 128, (m, k)).astype(np.int8), trits(rng, n, k)
    got = kernels.matmul(x, kernels.pack(w, 1.6), "five", threads=threads)
    assert np.array_equal(got, exact(x, w))
