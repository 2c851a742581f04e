"""Straight-through gradients against the surrogates that they declare.

Finite differences of the quantised function are zero or infinite by design; here
the declared curve is differentiated numerically in its place.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinyternary.autograd import Tensor
from tinyternary.errors import ConfigError
from tinyternary.quant import LayerQuant, weight_quantizer
from tinyternary.quant.registry import ACTIVATIONS, WEIGHTS, activation_quantizer
from tinyternary.quant.ste import STRAIGHT_THROUGH, surrogate

SIZES = ["tensor", "channel", 4]
TERNARY = [name for name in WEIGHTS if not name.startswith("int")]


def spread(values, shape):
    """A scale's layout, written out per weight by loops."""
    values = np.atleast_2d(np.asarray(values, np.float64))
    out = np.empty(shape)
    for row in range(shape[0]):
        for column in range(shape[1]):
            group = column * values.shape[1] // shape[1]
            out[row, column] = values[row if len(values) > 1 else 0, group]
    return out


def numeric(curve, w, *rest, step=1e-6):
    return (curve(w + step, *rest) - curve(w - step, *rest)) / (2 * step)


def run(rule, w, sharpness=1.0):
    """Fake-quantise w under a random upstream gradient."""
    quantizer = weight_quantizer(rule, w)
    quantizer.sharpness = sharpness
    weight = Tensor(w.copy(), requires_grad=True)
    grad = np.random.default_rng(7).standard_normal(w.shape)
    out = quantizer(weight)
    out.backward(grad.astype(w.dtype))
    return quantizer, weight, out, grad


@pytest.mark.parametrize("name", STRAIGHT_THROUGH)
@pytest.mark.parametrize("sharpness", [0.5, 2.0, 9.0])
def test_each_slope_is_the_derivative_of_its_curve(rng, name, sharpness):
    w = rng.standard_normal((50, 8))
    alpha, delta = np.array([[0.9]]), np.array([[0.4]])
    rule = surrogate(name)
    expected = numeric(rule.curve, w, alpha, delta, sharpness)
    np.testing.assert_allclose(rule.slope(w, alpha, delta, sharpness), expected, atol=1e-6)


@pytest.mark.parametrize("name", STRAIGHT_THROUGH)
def test_each_curve_is_odd_and_rises(name):
    w = np.linspace(-3, 3, 601)
    curve = surrogate(name).curve(w, np.float64(1.2), np.float64(0.6), 3.0)
    np.testing.assert_allclose(curve, -curve[::-1], atol=1e-12)
    assert (np.diff(curve) >= 0).all()


def test_the_soft_curve_becomes_the_staircase():
    w = np.linspace(-3, 3, 600)
    away = np.abs(np.abs(w) - 0.6) > 0.05
    curve = surrogate("soft").curve(w, np.float64(1.2), np.float64(0.6), 500.0)
    np.testing.assert_allclose(curve[away], (1.2 * np.sign(w) * (np.abs(w) > 0.6))[away], atol=1e-9)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ste", STRAIGHT_THROUGH)
@pytest.mark.parametrize("name", [n for n in TERNARY if n != "seq"])
def test_gradient_of_the_weights_is_that_of_the_surrogate(rng, name, ste, size):
    w = rng.standard_normal((3, 8))
    quantizer, weight, _, grad = run(LayerQuant(name, size, ste=ste), w, sharpness=2.5)
    q = quantizer.quantize(w)
    alpha, delta = spread(q.scale, w.shape), spread(q.threshold, w.shape)
    if q.scale_negative is not None:
        alpha = np.where(w < 0, spread(q.scale_negative, w.shape), alpha)
    slope = numeric(surrogate(ste).curve, w, alpha, delta, 2.5)
    # a group with one survivor has it for a scale: the corner of the clip has no slope
    sure = np.abs(np.abs(w) - alpha) > 1e-5
    np.testing.assert_allclose((weight.grad)[sure], (grad * slope)[sure], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_seq_passes_the_gradient_inside_its_clip_only(rng, size):
    w = rng.standard_normal((3, 8)) * 2
    quantizer, weight, _, grad = run(LayerQuant("seq", size), w)
    half = spread(quantizer.alpha.data, w.shape)
    inside = np.abs(w / half) < 0.99
    assert inside.any()
    assert not inside.all()
    np.testing.assert_allclose(weight.grad, grad * inside, rtol=1e-6)


def total(values, size):
    """Sum per scale, by loops over groups."""
    rows, inputs = values.shape
    if size == "tensor":
        return np.array(values.sum())
    step = inputs if size == "channel" else size
    return np.array(
        [[values[r, i : i + step].sum() for i in range(0, inputs, step)] for r in range(rows)]
    )


def shared(size, shape):
    return {"tensor": shape[0] * shape[1], "channel": shape[1]}.get(size, size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "name", ["learned-fixed", "learned-dynamic", "learned-learned", "ttq", "seq"]
)
def test_a_learned_scale_has_the_exact_derivative_of_the_quantised_weights(rng, name, size):
    """For fixed trits W_q is linear in its scales: finite differences of Q itself are right."""
    w = rng.standard_normal((3, 8))
    quantizer, _, _, grad = run(LayerQuant(name, size), w)
    factor = 1 / np.sqrt(shared(size, w.shape))
    names = {"ttq": ("positive", "negative")}.get(name, ("alpha",))
    for attribute in names:
        parameter = getattr(quantizer, attribute)
        step = np.float32(2.0**-10)
        parameter.data += step
        up = quantizer.quantize(w)
        parameter.data -= 2 * step
        down = quantizer.quantize(w)
        parameter.data += step
        now = quantizer.quantize(w)
        slope = (up.dequantize().astype(np.float64) - down.dequantize()) / (2 * step)
        if name == "seq":
            # the threshold moves with the range; straight-through adds -w/alpha inside the clip
            still = (up.trits == now.trits) & (down.trits == now.trits)
            ratio = w / spread(parameter.data, w.shape)
            slope = np.where(still, slope, now.trits / 1.5) - ratio * (np.abs(ratio) <= 0.99)
        np.testing.assert_allclose(
            parameter.grad, total(grad * slope, size) * factor, rtol=2e-3, atol=2e-3
        )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["statistic-learned", "learned-learned"])
def test_a_learned_threshold_has_the_declared_derivative(rng, name, size):
    w = rng.standard_normal((3, 8))
    quantizer, _, _, grad = run(LayerQuant(name, size), w)
    q = quantizer.quantize(w)
    alpha, delta = spread(q.scale, w.shape), spread(q.threshold, w.shape)
    # the ramp from 0 at W = 0 to alpha at 2 delta, seen as a function of delta
    slope = np.where(np.abs(w) < 2 * delta, -np.sign(w) * alpha / (2 * delta), 0)
    factor = 1 / np.sqrt(shared(size, w.shape))
    np.testing.assert_allclose(
        quantizer.delta.grad, total(grad * slope, size) * factor, rtol=1e-4, atol=1e-5
    )


def test_the_declared_threshold_slope_has_the_area_of_the_true_spike():
    # integrated over W > 0, raising delta by d takes alpha d from the sum of W_q
    from tinyternary.quant.ste import threshold_slope

    w = np.linspace(0, 4, 400_001)
    slope = threshold_slope(w, np.float64(1.3), np.float64(0.7))
    assert np.trapezoid(slope, w) == pytest.approx(-1.3, rel=1e-3)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", WEIGHTS)
def test_fake_quantised_weights_are_the_packed_ones_to_the_bit(rng, name, size):
    w = rng.standard_normal((4, 8)).astype(np.float32)
    quantizer, weight, out, grad = run(LayerQuant(name, size), w)
    np.testing.assert_array_equal(out.data, quantizer.quantize(w).dequantize())
    assert weight.grad.dtype == np.float32
    if name.startswith("int"):
        np.testing.assert_array_equal(weight.grad, grad.astype(np.float32))


def test_fixed_thresholds_do_not_learn_and_may_be_given(rng):
    w = rng.standard_normal((3, 8)).astype(np.float32)
    quantizer, _, _, _ = run(LayerQuant("learned-fixed", "channel", threshold=0.3), w)
    np.testing.assert_allclose(quantizer.delta.data, np.full((3, 1), 0.3), rtol=1e-6)
    assert quantizer.delta.grad is None
    assert not quantizer.delta.requires_grad
    before = quantizer.quantize(w).threshold.copy()
    np.testing.assert_array_equal(quantizer.quantize(5 * w).threshold, before)
    dynamic = weight_quantizer(LayerQuant("learned-dynamic"), w)
    assert dynamic.quantize(2 * w).threshold == pytest.approx(2 * dynamic.quantize(w).threshold)


def test_every_combination_of_scale_and_threshold_has_a_name():
    for alpha in ("statistic", "learned"):
        for delta in ("fixed", "dynamic", "learned"):
            quantizer = weight_quantizer(LayerQuant(f"{alpha}-{delta}"), np.eye(4))
            learns = [n for n, p in quantizer.named_parameters() if p.requires_grad]
            assert learns == ["alpha"] * (alpha == "learned") + ["delta"] * (delta == "learned")


def test_an_unknown_quantiser_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'absmean'"):
        weight_quantizer(LayerQuant("absmaen"), np.eye(2))


# ---- activations ---------------------------------------------------------------------


def act(name, x, ste="identity", sharpness=1.0):
    quantizer = activation_quantizer(LayerQuant(activation=name, ste=ste))
    quantizer.sharpness = sharpness
    tensor = Tensor(x.copy(), requires_grad=True)
    out = quantizer(tensor)
    grad = np.random.default_rng(3).standard_normal(x.shape)
    out.backward(grad.astype(x.dtype))
    return quantizer, tensor, out, grad


NAMES = [name for name in ACTIVATIONS if name != "none"]


@pytest.mark.parametrize("name", NAMES)
def test_fake_activations_are_the_packed_ones_to_the_bit(rng, name):
    x = rng.standard_normal((2, 3, 16)).astype(np.float32)
    quantizer, _, out, _ = act(name, x)
    codes, scale = quantizer.quantize(x)
    assert codes.dtype == np.int8
    assert scale.shape == (2, 3, 1)
    np.testing.assert_array_equal(out.data, codes * scale)


@pytest.mark.parametrize("name", NAMES)
def test_a_token_does_not_depend_on_its_neighbours(rng, name):
    x = rng.standard_normal((5, 16)).astype(np.float32)
    whole = act(name, x)[2].data
    x[1:] *= 100
    np.testing.assert_array_equal(act(name, x)[2].data[0], whole[0])


@given(st.integers(1, 6), st.integers(1, 20), st.sampled_from([8, 4]), st.integers(0, 2**31))
def test_absmax_is_its_definition(rows, inputs, bits, seed):
    from tinyternary.quant import absmax

    x = np.random.default_rng(seed).standard_normal((rows, inputs)).astype(np.float32)
    x[0] = 0
    codes, scale = absmax(x, bits)
    most = 2 ** (bits - 1) - 1
    for row, c, s in zip(x, codes, scale):
        expected = np.float32(max(np.abs(row).max(), np.float32(1e-5))) / np.float32(most)
        assert s[0] == expected
        np.testing.assert_array_equal(c, np.clip(np.round(row / expected), -most - 1, most))
    assert np.abs(codes[1:].astype(int)).max(initial=0) in (0, most)


@pytest.mark.parametrize("name", ["int8", "int4"])
def test_absmax_passes_the_gradient(rng, name):
    _, x, _, grad = act(name, rng.standard_normal((4, 8)).astype(np.float32))
    np.testing.assert_array_equal(x.grad, grad.astype(np.float32))


@pytest.mark.parametrize("ste", STRAIGHT_THROUGH)
@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("ternary")])
def test_ternary_activations_follow_the_surrogate(rng, name, ste):
    x = rng.standard_normal((5, 16))
    quantizer, tensor, out, grad = act(name, x, ste, 2.5)
    unit = np.ones((5, 1)) if "tensor" in name else np.abs(x).mean(1, keepdims=True)
    delta, alpha = quantizer.threshold.data[0] * unit, quantizer.level.data[0] * unit
    np.testing.assert_allclose(out.data, alpha * np.sign(x) * (np.abs(x) > delta), rtol=1e-6)
    slope = numeric(surrogate(ste).curve, x, alpha, delta, 2.5)
    np.testing.assert_allclose(tensor.grad, grad * slope, rtol=1e-5, atol=1e-5)
    factor = 1 / np.sqrt(x.size)
    if name.endswith("learned"):
        level = (grad * np.sign(x) * (np.abs(x) > delta) * unit).sum() * factor
        bump = np.where(np.abs(x) < 2 * delta, -np.sign(x) * alpha / (2 * delta), 0) * unit
        assert quantizer.level.grad[0] == pytest.approx(level, rel=1e-4)
        assert quantizer.threshold.grad[0] == pytest.approx((grad * bump).sum() * factor, rel=1e-4)
    else:
        assert quantizer.level.grad is None
        assert quantizer.threshold.grad is None


def test_ternary_activations_cut_a_gaussian_at_the_best_place(rng):
    x = rng.standard_normal((200, 512))
    for name in ("ternary", "ternary-tensor"):
        quantizer, _, out, _ = act(name, x)
        error = ((out.data - x) ** 2).mean()
        assert error == pytest.approx(0.1902, rel=0.01)  # Max, 1960, table I: three levels
        for attribute in ("threshold", "level"):
            for factor in (0.9, 1.1):
                parameter = getattr(quantizer, attribute)
                kept = parameter.data.copy()
                parameter.data *= np.float32(factor)
                assert ((quantizer(Tensor(x)).data - x) ** 2).mean() > error
                parameter.data[...] = kept


def test_calibration_takes_the_units_of_the_inputs(rng):
    x = 37 * rng.standard_normal((50, 64)).astype(np.float32)
    quantizer = activation_quantizer(LayerQuant(activation="ternary-tensor"))
    quantizer.calibrate(x)
    codes, scale = quantizer.quantize(x)
    assert ((codes * scale - x) ** 2).mean() / (x**2).mean() == pytest.approx(0.19, rel=0.03)


# ---- the compiled usual case ---------------------------------------------------------


@given(st.integers(1, 40), st.integers(1, 70), st.integers(0, 2**31))
def test_the_fused_norm_and_rounding_are_the_two_after_each_other(rows, inputs, seed):
    from tinyternary.autograd import rms_norm
    from tinyternary.quant import absmax
    from tinyternary.quant.activations.absmax import NormAbsmax

    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, inputs)).astype(np.float32)
    x[0] = 0
    weight = rng.standard_normal(inputs).astype(np.float32)
    grad = rng.standard_normal((rows, inputs)).astype(np.float32)
    fused = [Tensor(x, requires_grad=True), Tensor(weight, requires_grad=True)]
    apart = [Tensor(x, requires_grad=True), Tensor(weight, requires_grad=True)]
    out = NormAbsmax.apply(*fused, eps=1e-5)
    normed = rms_norm(*apart, 1e-5)
    codes, scale = absmax(normed.data)
    np.testing.assert_array_equal(out.data, codes * scale)
    out.backward(grad)
    normed.backward(grad)
    for a, b in zip(fused, apart):
        np.testing.assert_array_equal(a.grad, b.grad)


@given(st.integers(1, 40), st.integers(1, 70), st.integers(0, 2**31), st.floats(1e-7, 1e3))
def test_the_compiled_absmean_is_the_plain_one_to_the_bit(rows, inputs, seed, size):
    from tinyternary.quant import absmean

    rng = np.random.default_rng(seed)
    w = (size * rng.standard_normal((rows, inputs))).astype(np.float32)
    _, weight, out, grad = run(LayerQuant(), w)
    np.testing.assert_array_equal(out.data, absmean(w).dequantize())
    np.testing.assert_array_equal(weight.grad, grad.astype(np.float32))
