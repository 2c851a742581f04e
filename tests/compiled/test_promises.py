"""What twins promise beyond being near NumPy: extremes, and bits that nothing else changes."""

import numpy as np
import pytest

from tests.compiled.test_twins import normal
from tests.marks import needs_compiled
from tinyternary import autograd as ag, compiled
from tinyternary.compiled import threads

pytestmark = needs_compiled


def test_softmax_of_extremes_and_of_nan():
    x = np.array([[1e38, 1e38], [-1e38, 1e38], [np.nan, 1], [0, -np.inf]], np.float32)
    y = ag.softmax(x).data
    np.testing.assert_allclose(y[[0, 1, 3]], [[0.5, 0.5], [0, 1], [1, 0]])
    assert np.isnan(y[2]).all()


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_far_out_is_the_identity_or_zero(approximate):
    x = ag.Tensor(np.array([-1e4, -50, -9, 9, 50, 1e4], np.float32), requires_grad=True)
    y = x.gelu(approximate)
    np.testing.assert_allclose(y.data, [0, 0, 0, 9, 50, 1e4], rtol=1e-6, atol=2e-3)
    y.sum().backward()
    np.testing.assert_allclose(x.grad, [0, 0, 0, 1, 1, 1], atol=1e-5)
    assert np.isnan(ag.gelu(np.array([np.nan], np.float32)).data).all()


def test_attention_of_large_scores():
    q, k, v = (normal(i, 1, 1, 20, 16, scale=40) for i in range(3))
    expected = ag.attention(*(x.astype(np.float64) for x in (q, k, v))).data
    found = ag.attention(q, k, v).data
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("tokens", [49, 50, 196])
def test_an_image_alone_and_in_a_batch_gets_the_same_bits(tokens):
    x, heads = normal(0, 7, tokens, 64), normal(3, 7, 4, tokens, 16)
    weight, bias = normal(1, 2, 64)
    matrix = normal(2, 48, 64)
    layers = [
        (lambda z: ag.layer_norm(z, weight, bias, 1e-6), x),
        (lambda z: ag.rms_norm(z, weight, 1e-6), x),
        (ag.gelu, x),
        (lambda z: ag.gelu(z, "tanh"), x),
        (ag.softmax, x),
        (lambda z: ag.linear(z, matrix, bias[:48]), x),
        (lambda z: ag.attention(z, z, z), heads),
    ]
    for layer, z in layers:
        together = layer(z).data
        for i in range(len(z)):
            np.testing.assert_array_equal(layer(z[i : i + 1]).data[0], together[i])


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    monkeypatch.setattr(threads, "WORTH", 1e-9)  # cut as finely as can be
    arrays = [
        normal(0, 3000, 64),
        normal(1, 128, 64),
        normal(2, 128),
        *normal(3, 2, 64),
        normal(4, 40, 4, 49, 16),
    ]

    def step():
        x, w, b, scale, shift, heads = leaves = [ag.Tensor(a, requires_grad=True) for a in arrays]
        y = ag.linear(ag.layer_norm(x, scale, shift, 1e-6), w, b).gelu()
        z = ag.attention(heads, heads, heads)
        (y * y).mean().backward()
        (z * z).mean().backward()
        return [y.data, z.data, *(leaf.grad for leaf in leaves)]

    try:
        results = []
        for count in (1, 2, 3):
            compiled.set_threads(count)
            results.append(step())
    finally:
        compiled.set_threads(None)
    for other in results[1:]:
        for a, b in zip(results[0], other):
            np.testing.assert_array_equal(a, b)
