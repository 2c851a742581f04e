"""The twins of fake quantisation have the bits of the NumPy that they stand for."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tests.marks import needs_compiled
from tinyternary.autograd import Tensor
from tinyternary.compiled import twins
from tinyternary.quant.activations.absmax import FakeAbsmax, NormAbsmax
from tinyternary.quant.rules.absmean import FakeAbsmean

pytestmark = needs_compiled

sizes = st.integers(1, 70)
seeds = st.integers(0, 2**32 - 1)
scales = st.sampled_from([1e-7, 1.0, 1e4])
quick = settings(deadline=None, max_examples=30)


def normal(seed, *shape, scale=1.0):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


class Ctx:
    needs = (True,) * 4

    def save(self, *kept):
        self.saved = kept


def both(function, *arrays, **static):
    twin = twins.twin(function.__name__)
    assert twin is not function
    assert twin.fits(*arrays, **static)
    return twin.forward(Ctx(), *arrays, **static), function.forward(Ctx(), *arrays, **static)


@quick
@given(rows=sizes, width=sizes, seed=seeds, scale=scales, bits=st.sampled_from([8, 7, 4]))
def test_rows(rows, width, seed, scale, bits):
    x = normal(seed, rows, width, scale=scale)
    x[0] = 0
    fast, plain = both(FakeAbsmax, x, bits=bits)
    np.testing.assert_array_equal(fast, plain)
    np.testing.assert_array_equal(*both(FakeAbsmax, x[:, ::2], bits=bits))
    assert len(np.unique(fast[-1])) <= 2**bits - 1


@quick
@given(rows=sizes, width=sizes, seed=seeds, scale=scales, alpha=st.floats(1e-5, 10))
def test_weights(rows, width, seed, scale, alpha):
    w = normal(seed, rows, width, scale=scale)
    alpha = np.float32(alpha)
    fast, plain = both(FakeAbsmean, w, alpha=alpha)
    np.testing.assert_array_equal(fast, plain)
    assert set(np.unique(fast)) <= {-alpha, 0, alpha}


def test_halves_round_to_even():
    x = np.array([[127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5]], np.float32)
    for rounded in both(FakeAbsmax, x):
        assert rounded.tolist() == [[127, 0, 2, 2, 0, -2, -2]]
    w = np.array([1, 3, -1, -3, 0, 0.9], np.float32)
    for rounded in both(FakeAbsmean, w, alpha=np.float32(2)):
        assert rounded.tolist() == [0, 2, 0, -2, 0, 0]


@pytest.mark.parametrize("tokens", [49, 50, 196])
def test_an_image_alone_and_in_a_batch_gets_the_same_bits(tokens):
    x, weight = normal(0, 7, tokens, 64), normal(1, 64)
    for layer in (FakeAbsmax.apply, lambda z: NormAbsmax.apply(z, weight, eps=1e-6)):
        together = layer(Tensor(x)).data
        for i in range(len(x)):
            np.testing.assert_array_equal(layer(Tensor(x[i : i + 1])).data[0], together[i])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_shows_in_its_row_and_spoils_no_other(bad):
    x = normal(0, 3, 20)
    x[1, 4] = bad
    for rounded in both(FakeAbsmax, x):
        assert np.isnan(rounded[1]).any()
        assert np.isfinite(rounded[[0, 2]]).all()
