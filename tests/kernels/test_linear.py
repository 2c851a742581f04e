"""float32 in, float32 out: within the bound of absmax quantisation, and the same on every path."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.special import erf

from tests.kernels.cases import LIMIT, NAMES, trits
from tinyternary import kernels
from tinyternary.errors import ConfigError, ShapeError
from tinyternary.kernels import TernaryLinear, api, packed_ternary, reference

INT8 = [name for name in NAMES if LIMIT[name][1] == 127]
EIGHT_OR_SEVEN = [name for name in NAMES if LIMIT[name][1] >= 63]
EPS = 2.0**-23


def bound(x, w, scale, bias, most=127):
    """Largest error that absmax quantisation and five float32 roundings allow, per output.

    Each activation moves by at most half a step s = max(max |x|, 1e-5) / most, so the sum moves
    by at most s / 2 for each nonzero trit; rounding adds a few 2^-24 of the largest terms.
    """
    x, scale = x.astype(np.float64), np.abs(scale.astype(np.float64))
    step = np.maximum(np.abs(x).max(axis=1, initial=0), 1e-5)[:, None] / most
    count = np.abs(w).sum(axis=1)[None, :]
    quantization = step / 2 * count * scale
    size = (np.abs(x) @ np.abs(w).T.astype(np.float64)) * scale + quantization + np.abs(bias)
    return quantization * (1 + 8 * EPS) + 8 * EPS * size + 1e-37


def draw(seed, m, k, n, spread):
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(m, k)) * 10.0**spread).astype(np.float32)
    w = trits(rng, n, k)
    scale = rng.uniform(-1, 1, n).astype(np.float32)
    bias = rng.normal(size=n).astype(np.float32)
    return x, w, scale, bias


@pytest.mark.parametrize("name", EIGHT_OR_SEVEN)
@settings(max_examples=40)
@given(
    m=st.integers(1, 9), k=st.integers(1, 150), n=st.integers(1, 90),
    seed=st.integers(0, 2**32 - 1), spread=st.integers(-8, 8),
)  # fmt: skip
def test_error_stays_within_the_bound(name, m, k, n, seed, spread):
    x, w, scale, bias = draw(seed, m, k, n, spread)
    got = kernels.linear(x, kernels.pack(w), scale, bias, backend=name)
    wanted = (x.astype(np.float64) @ w.T) * scale + bias
    limit = bound(x, w, scale, bias, 63 if name == "lookup7" else 127)
    assert got.dtype == np.float32
    assert (np.abs(got - wanted) <= limit).all()


@pytest.mark.parametrize("name", INT8)
@pytest.mark.parametrize("activation", [None, "gelu", "relu"])
@settings(max_examples=25)
@given(
    m=st.integers(0, 11), k=st.sampled_from([1, 7, 16, 33, 64, 100, 192]), n=st.integers(1, 70),
    seed=st.integers(0, 2**32 - 1), spread=st.integers(-3, 3),
)  # fmt: skip
def test_every_path_gives_the_same_float_bits(name, activation, m, k, n, seed, spread):
    x, w, scale, bias = draw(seed, m, k, n, spread)
    packed = kernels.pack(w)
    wanted = TernaryLinear(packed, scale, bias, activation, backend="blas")(x)
    got = TernaryLinear(packed, scale, bias, activation, backend=name)(x)
    assert np.array_equal(got, wanted)


@pytest.mark.skipif("lookup7" not in NAMES, reason="needs AVX-512 VBMI")
@pytest.mark.parametrize("activation", [None, "gelu", "relu"])
@settings(max_examples=40)
@given(
    m=st.sampled_from([0, 1, 2, 7, 8, 9, 10, 13, 16, 27]), n=st.integers(1, 140),
    k=st.sampled_from([1, 15, 100, 192, 511, 512, 513, 700, 1100, 2048]),
    seed=st.integers(0, 2**32 - 1), spread=st.integers(-3, 3),
)  # fmt: skip
def test_seven_bits_through_tables_are_seven_bits_in_numpy(activation, m, k, n, seed, spread):
    x, w, scale, bias = draw(seed, m, k, n, spread)
    packed = kernels.pack(w)
    wanted = TernaryLinear(packed, scale, bias, activation, backend="blas", inputs="int7")(x)
    layer = TernaryLinear(packed, scale, bias, activation, inputs="int7")
    assert layer.backend.name == "lookup7"
    assert np.array_equal(layer(x), wanted)
    assert np.array_equal(layer(x, threads=2), wanted)


@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 70), most=st.sampled_from([127, 63]))
def test_quantisation_is_the_rule_word_for_word(seed, k, most):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(5, k)).astype(np.float32)
    x[1] = 0
    x[2] *= np.float32(1e-9)
    # quotients on the half: 127 / 254 steps, rounded to even
    x[3] = rng.integers(-254, 255, k).astype(np.float32) / 2
    x[3, 0] = 127
    codes, scale = reference.quantize(x, most)
    for row in range(5):
        s = np.float32(max(np.abs(x[row]).max(), np.float32(1e-5)) / np.float32(most))
        assert scale[row] == s
        assert [int(c) for c in codes[row]] == [
            max(-most - 1, min(most, round(float(np.float32(v / s))))) for v in x[row]
        ]


def test_gelu_is_the_exact_one_to_float32():
    x = np.linspace(-12, 12, 20001, dtype=np.float32)
    wide = x.astype(np.float64)
    wanted = 0.5 * wide * (1 + erf(wide / np.sqrt(2)))
    assert np.abs(reference.gelu(x) - wanted).max() < 2e-6
    packed = kernels.pack(np.ones((1, 1), np.int8))
    got = TernaryLinear(packed, 1.0, activation="gelu")(x[:, None])[:, 0]
    assert np.abs(got - wanted).max() < 3e-6


@pytest.mark.parametrize("name", EIGHT_OR_SEVEN)
def test_a_row_does_not_depend_on_its_neighbours(name, rng):
    x, w, scale, bias = draw(3, 23, 70, 90, 0)
    layer = TernaryLinear(kernels.pack(w), scale, bias, "gelu", name)
    whole = layer(x)
    for rows in (slice(0, 1), slice(7, 10), slice(1, 5), slice(4, 23)):
        assert np.array_equal(layer(x[rows]), whole[rows])


@pytest.mark.parametrize("name", EIGHT_OR_SEVEN)
def test_a_bad_row_is_nan_and_spoils_no_other(name):
    x, w, scale, bias = draw(4, 6, 40, 20, 0)
    clean = kernels.linear(x, kernels.pack(w), scale, bias, backend=name)
    x[1, 3], x[4, 39], x[5, 0] = np.nan, np.inf, -np.inf
    got = kernels.linear(x, kernels.pack(w), scale, bias, backend=name)
    assert np.isnan(got[[1, 4, 5]]).all()
    assert np.array_equal(got[[0, 2, 3]], clean[[0, 2, 3]])


@pytest.mark.parametrize("shape", ["number", "()", "(1,)", "(1, 1)", "(N,)", "(N, 1)"])
def test_scales_per_tensor_and_per_channel(shape):
    x, w, scale, _ = draw(5, 3, 20, 6, 0)
    packed = kernels.pack(w)
    if "N" in shape:
        wanted = kernels.linear(x, packed, 1.0) * scale
        given_ = scale if shape == "(N,)" else scale[:, None]
    else:
        wanted = kernels.linear(x, packed, 1.0) * np.float32(0.25)
        given_ = 0.25 if shape == "number" else np.full(eval(shape), 0.25, np.float32)
    np.testing.assert_allclose(kernels.linear(x, packed, given_), wanted, rtol=1e-6)


@pytest.mark.parametrize("name", INT8)
@pytest.mark.parametrize("groups", [2, 3, 6])
def test_scales_per_group(name, groups, rng):
    x, w, _, bias = draw(6, 7, 36, 11, 0)
    scale = rng.uniform(0.5, 2, (11, groups)).astype(np.float32)
    got = kernels.linear(x, kernels.pack(w), scale, bias, backend=name)
    spread_out = np.repeat(scale, 36 // groups, axis=1)
    wanted = x.astype(np.float64) @ (w * spread_out).T + bias
    limit = bound(x, w, scale.max(axis=1), bias)
    assert (np.abs(got - wanted) <= limit).all()


def test_ternary_inputs_take_the_ternary_rule(rng):
    x, w, scale, bias = draw(7, 9, 100, 33, 0)
    layer = TernaryLinear(kernels.pack(w), scale, bias, inputs="ternary")
    unit = np.abs(x).mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    codes = np.sign(x) * (np.abs(x) > np.float32(0.767) * unit)
    wanted = (codes @ w.T) * (np.float32(1.534) * unit * scale) + bias
    np.testing.assert_allclose(layer(x), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", EIGHT_OR_SEVEN)
@pytest.mark.parametrize("activation", [None, "gelu"])
@settings(max_examples=25)
@given(
    m=st.sampled_from([0, 1, 3, 4, 5, 9, 13]), n=st.integers(1, 70), groups=st.integers(2, 9),
    size=st.sampled_from([1, 3, 15, 16, 17, 32, 64]), seed=st.integers(0, 2**32 - 1),
    spread=st.integers(-3, 3),
)  # fmt: skip
def test_groups_in_one_call_are_groups_in_numpy(name, activation, m, n, groups, size, seed, spread):
    x, w, _, bias = draw(seed, m, groups * size, n, spread)
    scale = np.random.default_rng(seed).uniform(-1, 2, (n, groups)).astype(np.float32)
    packed = kernels.pack(w)
    inputs = "int7" if name == "lookup7" else "int8"
    layer = TernaryLinear(packed, scale, bias, activation, name)
    codes, rows = reference.quantize(x, 63 if name == "lookup7" else 127)
    wanted = np.zeros((m, n), np.float32)
    for group in range(groups):
        part = slice(group * size, (group + 1) * size)
        sums = reference.matmul(codes[:, part], w[:, part]).astype(np.float32)
        wanted += sums * (rows[:, None] * scale[:, group])
    wanted += bias
    wanted = reference.gelu(wanted) if activation else wanted
    assert layer.inputs == inputs
    assert np.array_equal(layer(x), wanted)
    assert np.array_equal(layer(x, threads=2), wanted)
    composed = TernaryLinear(packed, scale, bias, activation, backend="blas", inputs=inputs)
    assert np.array_equal(composed(x), wanted)


@pytest.mark.skipif("ternary" not in NAMES, reason="compiled code is switched off")
@pytest.mark.parametrize("activation", [None, "gelu", "relu"])
@settings(max_examples=40)
@given(
    m=st.sampled_from([0, 1, 3, 4, 5, 8, 21]), n=st.integers(1, 70), spread=st.integers(-9, 9),
    k=st.sampled_from([1, 15, 16, 17, 63, 64, 65, 100, 192, 513]), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_ternary_inputs_in_one_call_are_those_of_numpy(activation, m, k, n, seed, spread):
    x, w, scale, bias = draw(seed, m, k, n, spread)
    if m > 4:
        x[1], x[2, 0], x[3, -1] = 0, np.nan, -np.inf
    packed = kernels.pack(w)
    wanted = TernaryLinear(packed, scale, bias, activation, backend="blas", inputs="ternary")(x)
    layer = TernaryLinear(packed, scale, bias, activation, inputs="ternary")
    assert layer.backend.name == "ternary"
    assert np.array_equal(layer(x), wanted, equal_nan=True)
    assert np.array_equal(layer(x, threads=2), wanted, equal_nan=True)
    out = np.empty_like(wanted)
    assert layer(x, out) is out
    assert np.array_equal(out, wanted, equal_nan=True)


def test_results_can_go_to_an_array_of_the_caller_and_inputs_may_be_any_view(rng):
    x, w, scale, bias = draw(8, 12, 30, 17, 0)
    layer = TernaryLinear(kernels.pack(w), scale, bias)
    wanted = layer(x)
    out = np.full((12, 17), 9, np.float32)
    assert layer(x, out) is out
    assert np.array_equal(out, wanted)
    frozen = x.copy()
    frozen.flags.writeable = False
    for view in (np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2], frozen):
        out[:] = 0
        assert np.array_equal(layer(view), wanted)
        assert np.array_equal(layer(view, out), wanted)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "x",
    [np.zeros((2, 8)), np.zeros((2, 8), np.int8), np.zeros((2, 9), np.float32),
     np.zeros(8, np.float32), [[0.0] * 8], None, 3],
)  # fmt: skip
@pytest.mark.parametrize("with_out", [False, True])
def test_wrong_input_is_said_in_one_line_before_numba_sees_it(name, x, with_out):
    layer = TernaryLinear(kernels.pack(np.zeros((3, 8), np.int8)), 1.0, backend=name)
    with pytest.raises(ShapeError) as caught:
        layer(x, np.zeros((2, 3), np.float32) if with_out else None)
    assert str(caught.value).startswith("x must be")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "out",
    [np.zeros((2, 4), np.float32), np.zeros((3, 3), np.float32), np.zeros((2, 3)),
     np.zeros((3, 2), np.float32).T, np.zeros((2, 6), np.float32)[:, ::2], [0]],
)  # fmt: skip
@pytest.mark.parametrize("name", INT8)
def test_wrong_out_is_said_in_one_line(name, out):
    layer = TernaryLinear(kernels.pack(np.zeros((3, 8), np.int8)), 1.0, backend=name)
    with pytest.raises(ShapeError, match="out must be"):
        layer(np.zeros((2, 8), np.float32), out)


def test_read_only_out_is_refused():
    out = np.zeros((2, 3), np.float32)
    out.flags.writeable = False
    layer = TernaryLinear(kernels.pack(np.zeros((3, 8), np.int8)), 1.0)
    with pytest.raises(ShapeError, match="writeable"):
        layer(np.zeros((2, 8), np.float32), out)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"scale": np.ones(4, np.float32)}, ShapeError),
        ({"scale": np.ones((3, 3), np.float32)}, ShapeError),
        ({"scale": "big"}, ShapeError),
        ({"bias": np.ones(4, np.float32)}, ShapeError),
        ({"activation": "swish"}, ConfigError),
        ({"inputs": "int4"}, ConfigError),
        ({"backend": "avx1024"}, ConfigError),
        ({"packed": np.zeros((3, 8), np.int8)}, ShapeError),
    ],
)
def test_wrong_parameters_are_said_in_one_line(arguments, error):
    packed = kernels.pack(np.zeros((3, 8), np.int8))
    with pytest.raises(error) as caught:
        TernaryLinear(**{"packed": packed, "scale": 1.0, **arguments})
    assert "\n" not in str(caught.value)


def test_a_layer_that_is_kept_follows_its_numbers(rng):
    """Scale and bias may be changed in place between calls, to the last bit."""
    packed = kernels.pack(rng.integers(-1, 2, (24, 40)).astype(np.int8))
    x = rng.normal(size=(3, 40)).astype(np.float32)
    scale, bias = np.full(24, 0.5, np.float32), np.zeros(24, np.float32)
    for _ in range(40):  # more kinds of calls than are kept
        scale[rng.integers(24)] *= -1.5
        bias[rng.integers(24)] += 1
        for activation in (None, "gelu", "relu"):
            expected = kernels.TernaryLinear(packed, scale, bias, activation)(x)
            got = kernels.linear(x, packed, scale, bias, activation)
            assert np.array_equal(got, expected)
    for scale_ in (0.0, -0.0):
        got = kernels.linear(x, packed, scale_)
        expected = kernels.TernaryLinear(packed, scale_)(x)
        assert np.array_equal(np.signbit(got), np.signbit(expected))
    assert len(packed._ready) <= packed_ternary.KEPT_READY


def test_a_layer_that_is_kept_is_made_once(rng, monkeypatch):
    packed = kernels.pack(rng.integers(-1, 2, (8, 16)).astype(np.int8))
    x = rng.normal(size=(2, 16)).astype(np.float32)
    first = kernels.linear(x, packed, 0.25)
    monkeypatch.setattr(api, "TernaryLinear", lambda *arguments: pytest.fail("made once more"))
    assert np.array_equal(kernels.linear(x, packed, 0.25), first)
    assert np.array_equal(kernels.linear(x, packed, np.float32(0.25)), first)


@pytest.mark.parametrize("scale", ["much", None, [1, 2, 3], {}, np.nan, np.inf])
def test_a_scale_that_is_none_is_said(rng, scale):
    packed = kernels.pack(rng.integers(-1, 2, (8, 16)).astype(np.int8))
    with pytest.raises(ShapeError, match="scale must be"):
        kernels.linear(np.zeros((1, 16), np.float32), packed, scale)
