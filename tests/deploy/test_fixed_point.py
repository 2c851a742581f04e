"""The network in integers: exact where it says so, close to real numbers elsewhere."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, strategies as st
from scipy.special import erf

from tests.deploy.small_models import images_for, make_model
from tests.deploy.test_engine import CASES, POLICIES
from tinyternary.deploy import Engine, fixed_point as fixed, pack
from tinyternary.errors import ConfigError

ONE = 2**fixed.POINT
numbers = st.integers(-(2**31), 2**31 - 1)
rows = st.lists(numbers, min_size=1, max_size=40)
small_rows = st.lists(st.integers(-20 * ONE, 20 * ONE), min_size=2, max_size=40)


def array(values):
    return np.array(values, np.int64)


@given(st.integers(-(2**62), 2**62 - 1), st.integers(0, 70))
def test_shifts_round_half_up(x, places):
    expected = math.floor(Fraction(x, 2**places) + Fraction(1, 2)) if places <= 62 else 0
    assert fixed.shift_right(array(x), places) == expected


@given(st.integers(-(2**61), 2**61), st.integers(1, 2**61))
def test_division_rounds_half_away_from_zero(x, by):
    whole = math.floor(abs(Fraction(x, by)) + Fraction(1, 2))
    assert fixed.divide(array(x), by) == (whole if x > 0 else -whole)


@given(st.integers(0, 2**62 + 2**61))
def test_roots_and_lengths_are_pythons(x):
    assert fixed.square_root(array([x]))[0] == math.isqrt(x)
    assert fixed.bit_length(array([x]))[0] == x.bit_length()


@given(st.floats(1e-12, 1e12))
def test_a_scale_has_31_bits(value):
    mantissa, exponent = fixed.to_scale(value)
    assert 2**30 <= mantissa < 2**31
    error = Fraction(int(mantissa)) / Fraction(2) ** int(exponent) / Fraction(value) - 1
    assert abs(error) <= Fraction(1, 2**30)


@given(st.integers(1, 2**39), st.integers(1, 2**39))
def test_a_quotient_is_close(x, by):
    mantissa, exponent = fixed.quotient(array([x]), array([by]))
    assert 2**30 <= mantissa[0] < 2**31
    found = Fraction(int(mantissa[0])) / Fraction(2) ** int(exponent[0])
    assert abs(found / Fraction(x, by) - 1) <= Fraction(1, 2**22)


@given(st.integers(-(2**24), 2**24), st.floats(1e-6, 1e3), st.floats(1e-6, 1e3))
def test_rescaling_is_the_product(total, a, b):
    found = int(fixed.rescaled(array([total]), fixed.to_scale(a), fixed.to_scale(b))[0])
    exact = Fraction(total) * Fraction(a) * Fraction(b) * ONE
    bounded = min(max(exact, -(2**31)), 2**31 - 1)
    assert abs(found - bounded) <= abs(bounded) / 2**28 + 1


@given(small_rows, st.floats(1e-6, 0.9))
@example([-1309943, -1309949], 0.0003074353235796827)
def test_layer_norm(row, eps):
    x = array([row])
    found = fixed.layer_norm(x, np.full(len(row), ONE), np.zeros(len(row), np.int64), eps) / ONE
    real = x / ONE
    exact = (real - real.mean()) / np.sqrt(real.var() + eps)
    # the mean is off by half a unit, which a row of equal entries makes large
    slack = 1.0 / ONE / np.sqrt(real.var() + eps)
    assert np.abs(found - exact).max() <= 1e-4 * (1 + np.abs(exact).max()) + slack


@given(rows, st.sampled_from([127, 63, 7]), st.booleans())
def test_codes_and_scale_stand_for_the_row(row, most, normed):
    x = array([row])
    norm = np.full(len(row), ONE) if normed else None
    codes, (mantissa, exponent) = fixed.quantize(x, most, norm)
    assert np.abs(codes).max() <= most
    scale = float(mantissa[0, 0]) / 2.0 ** float(exponent[0, 0])
    real = x / ONE
    if normed:
        real = real / np.sqrt((real**2).mean() + 1e-5)
    step = max(np.abs(real).max(), 1 / ONE) / most
    assert np.abs(codes * scale - real).max() <= step * 0.501 + 1e-6 * np.abs(real).max()


@given(st.integers(-(12 * ONE), 12 * ONE))
def test_gelu(x):
    real = x / ONE
    exact = real * (1 + erf(real / math.sqrt(2))) / 2
    assert abs(fixed.gelu(array(x), fixed.GELU) / ONE - exact) < 4e-4
    tanh = real / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (real + 0.044715 * real**3)))
    assert abs(fixed.gelu(array(x), fixed.GELU_TANH) / ONE - tanh) < 4e-4


@given(st.integers(-(2**62), 2**62), st.integers(-70, 62))
def test_shifted(x, left):
    x >>= max(left, 0)  # what is shifted has to fit
    assert fixed.shifted(array(x), left) == (x << left if left >= 0 else x >> -left)
    if left <= 0:
        half = 0 if left == 0 else 1 << (-left - 1)
        exact = (x + half) >> -left if left >= -62 else 0
        assert fixed.shift_right(array(x), -left) == exact


@given(st.integers(-(2**33), 0))
def test_powers_of_two(x):
    assert abs(fixed.powers_of_two(array(x)) / 2**20 - 2.0 ** (x / ONE)) < 2e-6


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20))
def test_what_is_stored_has_16_bits(values):
    stored = fixed.Stored(values)
    assert stored.values.min() >= -(2**15)
    assert stored.values.max() < 2**15
    largest = max(map(abs, values))
    error = np.abs(np.ldexp(stored.values.astype(float), -stored.exponent) - values)
    assert error.max() <= largest * 2.0**-14


def check_close(packed, model):
    images = images_for(model, 6)
    images[0], images[1] = 0, 255
    expected = Engine(packed)(images)
    found = fixed.FixedNetwork(packed)(images) / ONE
    spread = float(np.ptp(expected, axis=0).max())
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.05 * spread + 1e-3)


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_shapes(changes):
    model = make_model(**changes)
    check_close(pack(model).read(), model)


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_policies(policy):
    model = make_model(policy)
    packed = pack(model).read()
    layers = [layer for layer in packed.header.layers.values() if not layer.is_float]
    if {layer.activation for layer in layers} & {"none", "ternary"}:
        with pytest.raises(ConfigError, match="expected int8"):
            fixed.FixedNetwork(packed)
        return
    check_close(packed, model)


def test_the_network_of_floats_alone_and_other_storage():
    for policy, options in ((None, {}), ("everything", {"bits": 1.6, "rest": "int8"})):
        model = make_model(policy)
        check_close(pack(model, **options).read(), model)


def test_too_many_tokens():
    model = make_model(image_size=46, patch_size=1, width=4, heads=1, depth=1, mlp_width=4)
    with pytest.raises(ConfigError, match="2116 tokens"):
        fixed.FixedNetwork(pack(model).read())
