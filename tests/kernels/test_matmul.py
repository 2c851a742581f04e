"""Every rung and every path gives the same int32 bits as NumPy's int64 product."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tests.kernels.cases import LIMIT, NAMES, codes, exact, sizes, trits
from tinyternary import kernels
from tinyternary.errors import ConfigError, ShapeError

pytestmark = pytest.mark.parametrize("name", NAMES)


@settings(max_examples=60)
@given(m=sizes, k=sizes, n=sizes, seed=st.integers(0, 2**32 - 1), bits=st.sampled_from([2, 1.6]))
def test_ragged_shapes(name, m, k, n, seed, bits):
    rng = np.random.default_rng(seed)
    x, w = codes(rng, m, k, name), trits(rng, n, k)
    got = kernels.matmul(x, kernels.pack(w, bits), name)
    assert got.dtype == np.int32
    assert np.array_equal(got, exact(x, w))


@settings(max_examples=25)
@given(
    m=st.integers(1, 9),
    k=st.sampled_from([1, 15, 16, 255, 256, 257, 497, 508, 512, 1000, 4096]),
    n=st.integers(1, 70),
    trit=st.sampled_from([-1, 0, 1]),
    top=st.booleans(),
)
def test_extremes_of_one_sign(name, m, k, n, trit, top):
    x = np.full((m, k), LIMIT[name][top], np.int8)
    w = np.full((n, k), trit, np.int8)
    assert np.array_equal(kernels.matmul(x, kernels.pack(w), name), exact(x, w))


@pytest.mark.parametrize(("m", "k"), [(1, 100_000), (4, 100_000), (5, 100_000), (1, 600_000)])
@pytest.mark.parametrize("top", [False, True])
def test_rows_so_long_that_narrow_accumulators_overflow(name, m, k, top):
    x = np.full((m, k), LIMIT[name][top], np.int8)
    w = np.concatenate([np.ones((1, k)), -np.ones((1, k)), np.tile([[1, -1]], k // 2)])
    w = w.astype(np.int8)
    assert np.array_equal(kernels.matmul(x, kernels.pack(w), name), exact(x, w))


def test_rows_of_zeros(name, rng):
    w = trits(rng, 67, 150)
    w[[0, 5, 66]] = 0
    x = codes(rng, 6, 150, name)
    x[[1, 5]] = 0
    assert np.array_equal(kernels.matmul(x, kernels.pack(w), name), exact(x, w))
    assert not kernels.matmul(x, kernels.pack(np.zeros_like(w)), name).any()


def test_strided_transposed_and_read_only_inputs(name, rng):
    w = trits(rng, 37, 90)
    packed = kernels.pack(w)
    wide = codes(rng, 20, 180, name)
    views = [wide[:, ::2], wide[::-1, 90:], np.asfortranarray(wide[:, :90]), wide[3:4, 5:95]]
    frozen = wide[:, :90].copy()
    frozen.flags.writeable = False
    for x in [*views, frozen]:
        before = x.copy()
        assert np.array_equal(kernels.matmul(x, packed, name), exact(x, w))
        assert np.array_equal(x, before)


def test_a_row_does_not_depend_on_its_neighbours(name, rng):
    w = trits(rng, 80, 100)
    packed = kernels.pack(w)
    x = codes(rng, 13, 100, name)
    whole = kernels.matmul(x, packed, name)
    for rows in (slice(0, 1), slice(3, 5), slice(2, 9), slice(5, 13)):
        assert np.array_equal(kernels.matmul(x[rows], packed, name), whole[rows])


def test_result_can_go_to_an_array_of_the_caller(name, rng):
    w = trits(rng, 9, 21)
    x = codes(rng, 3, 21, name)
    out = np.full((3, 9), 7, np.int32)
    assert kernels.matmul(x, kernels.pack(w), name, out=out) is out
    assert np.array_equal(out, exact(x, w))


@pytest.mark.parametrize(
    "x",
    [
        np.zeros((2, 8), np.float32),
        np.zeros((2, 8), np.int16),
        np.zeros((2, 8), np.uint8),
        np.zeros((2, 7), np.int8),
        np.zeros(8, np.int8),
        np.zeros((1, 2, 8), np.int8),
        [[0] * 8],
        None,
    ],
)
def test_wrong_input_is_said_in_one_line_before_numba_sees_it(name, x):
    with pytest.raises(ShapeError) as caught:
        kernels.matmul(x, kernels.pack(np.zeros((3, 8), np.int8)), name)
    assert str(caught.value).startswith("x must be")
    assert "\n" not in str(caught.value)


def test_activations_out_of_a_kernels_range_are_refused(name):
    low, high = LIMIT[name]
    if high == 127:
        pytest.skip("takes every int8")
    packed = kernels.pack(np.ones((2, 4), np.int8))
    for value in (low - 1, high + 1):
        x = np.zeros((3, 4), np.int8)
        x[1, 2] = value
        with pytest.raises((ShapeError, ConfigError)):
            kernels.matmul(x, packed, name)
