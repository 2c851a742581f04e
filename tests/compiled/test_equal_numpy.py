"""Every compiled kernel against the plain NumPy beside it, and its promises about bits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyternary import compiled
from tinyternary.compiled import (
    adamw,
    attention,
    gelu,
    linear,
    normalization,
    softmax,
    threads,
)
from tinyternary.compiled.switch import jit_enabled

pytestmark = pytest.mark.skipif(not jit_enabled(), reason="TINYTERNARY_JIT=0: nothing is compiled")

sizes = st.integers(1, 70)
seeds = st.integers(0, 2**32 - 1)
quick = settings(deadline=None, max_examples=30)


def normal(seed, *shape, scale=1.0):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def near(found, expected, exact=2e-6):
    expected = np.asarray(expected)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=exact, atol=exact * (1 + np.abs(expected).max(initial=0)))  # fmt: skip


def strided(x, kind):
    """The same numbers with other strides, or read-only."""
    if kind == "every other":
        wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
        wide[..., ::2] = x
        return wide[..., ::2]
    if kind == "transposed":
        return np.ascontiguousarray(x.swapaxes(0, -1)).swapaxes(0, -1)
    x = x.copy()
    x.flags.writeable = False
    return x


kinds = st.sampled_from(["read-only", "every other", "transposed"])


@quick
@given(rows=sizes, width=sizes, seed=seeds, kind=kinds, scale=st.sampled_from([0.01, 1.0, 50.0]))
def test_softmax(rows, width, seed, kind, scale):
    x = strided(normal(seed, rows, width, scale=scale), kind)
    y = compiled.softmax(x)
    near(y, softmax.softmax_numpy(x))
    g = strided(normal(seed + 1, rows, width), kind)
    near(compiled.softmax_backward(y, g), softmax.softmax_backward_numpy(y, g))
    target = np.empty((width, rows), np.float32).T  # not contiguous
    assert compiled.softmax(x, out=target) is target
    np.testing.assert_array_equal(target, y)
    own = np.array(x, order="C")
    compiled.softmax(own, out=own)
    np.testing.assert_array_equal(own, y)


def test_softmax_of_extremes_and_of_nan():
    x = np.array([[1e38, 1e38], [-1e38, 1e38], [np.nan, 1], [0, -np.inf]], np.float32)
    y = compiled.softmax(x)
    np.testing.assert_allclose(y[[0, 1, 3]], [[0.5, 0.5], [0, 1], [1, 0]])
    assert np.isnan(y[2]).all()


@quick
@given(rows=st.integers(1, 600), width=sizes, seed=seeds, kind=kinds, biased=st.booleans())
def test_norms(rows, width, seed, kind, biased):
    x, g = (strided(normal(seed + i, rows, width), kind) for i in range(2))
    weight, bias = normal(seed + 2, 2, width)
    bias = bias if biased else None
    found = compiled.layer_norm_forward(x, weight, bias, 1e-3)
    expected = normalization.layer_norm_forward_numpy(x, weight, bias, 1e-3)
    for a, b in zip(found, expected):
        near(a, b, 2e-5)
    for a, b in zip(compiled.layer_norm_backward(g, x, weight, *found[1:]), normalization.layer_norm_backward_numpy(g, x, weight, *found[1:])):  # fmt: skip
        near(a, b, 2e-5)
    for w in (weight, None):
        found = compiled.rms_norm_forward(x, w, 1e-3)
        for a, b in zip(found, normalization.rms_norm_forward_numpy(x, w, 1e-3)):
            near(a, b, 2e-5)
        for a, b in zip(compiled.rms_norm_backward(g, x, w, found[1]), normalization.rms_norm_backward_numpy(g, x, w, found[1])):  # fmt: skip
            assert (a is None) == (b is None)
            if a is not None:
                near(a, b, 2e-5)
    np.testing.assert_array_equal(compiled.layer_norm(x, weight, bias, 1e-3), compiled.layer_norm_forward(x, weight, bias, 1e-3)[0])  # fmt: skip


@quick
@given(shape=st.lists(sizes, min_size=1, max_size=2).map(tuple), seed=seeds, kind=kinds, approximate=st.sampled_from(["none", "tanh"]))  # fmt: skip
def test_gelu(shape, seed, kind, approximate):
    x, g = (strided(normal(seed + i, *shape, scale=3), kind) for i in range(2))
    near(compiled.gelu(x, approximate=approximate), gelu.gelu_numpy(x, None, approximate))
    near(compiled.gelu_backward(g, x, approximate), gelu.gelu_backward_numpy(g, x, approximate))


def test_gelu_far_out_is_the_identity_or_zero():
    x = np.array([-1e4, -50, -9, 9, 50, 1e4], np.float32)
    for approximate in ("none", "tanh"):
        np.testing.assert_allclose(compiled.gelu(x, approximate=approximate), [0, 0, 0, 9, 50, 1e4], rtol=1e-6, atol=2e-3)  # fmt: skip
        np.testing.assert_allclose(compiled.gelu_backward(np.ones_like(x), x, approximate), [0, 0, 0, 1, 1, 1], atol=1e-5)  # fmt: skip
    assert np.isnan(compiled.gelu(np.array([np.nan], np.float32))).all()


@quick
@given(rows=st.integers(1, 400), k=st.integers(1, 9).map(lambda n: 16 * n), n=st.integers(1, 9).map(lambda n: 16 * n), seed=seeds, kind=kinds)  # fmt: skip
def test_linear(rows, k, n, seed, kind):
    x, w, b, g = strided(normal(seed, rows, k), kind), normal(seed + 1, n, k), normal(seed + 2, n), normal(seed + 3, rows, n)  # fmt: skip
    out = np.empty((rows, n), np.float32)
    assert compiled.linear_forward(x, w, b, out) is out
    near(out, linear.linear_forward_numpy(x, w, b), 1e-5)
    near(compiled.linear_forward(x, w), linear.linear_forward_numpy(x, w, None), 1e-5)
    near(compiled.linear_grad_input(g, w), linear.linear_grad_input_numpy(g, w), 1e-5)
    for a, c in zip(compiled.linear_grad_weight(g, x), linear.linear_grad_weight_numpy(g, x)):
        near(a, c, 1e-5)


@pytest.mark.parametrize(("rows", "k", "n"), [(5, 7, 3), (1, 16, 10), (3, 10, 16), (0, 16, 16), (2, 17, 33)])  # fmt: skip
def test_linear_of_sizes_that_are_no_whole_vectors(rows, k, n):
    x, w, b, g = normal(0, rows, k), normal(1, n, k), normal(2, n), normal(3, rows, n)
    near(compiled.linear_forward(x, w, b), x @ w.T + b, 1e-5)
    near(compiled.linear_grad_input(g, w), g @ w, 1e-5)
    near(compiled.linear_grad_weight(g, x)[0], g.T @ x, 1e-5)
    near(compiled.linear_grad_weight(g, x)[1], g.sum(0), 1e-5)


@quick
@given(
    batch=st.integers(1, 3), kv=st.integers(1, 2), group=st.integers(1, 3), tokens=st.integers(1, 150),
    keys=st.integers(1, 150), depth=st.sampled_from([16, 32, 64]), seed=seeds, layout=st.sampled_from(["contiguous", "packed", "read-only"]),
)  # fmt: skip
def test_attention(batch, kv, group, tokens, keys, depth, seed, layout):
    heads = kv * group
    if layout == "packed":
        keys = tokens
        qkv = normal(seed, batch, tokens, heads + 2 * kv, depth).transpose(0, 2, 1, 3)
        q, k, v = qkv[:, :heads], qkv[:, heads : heads + kv], qkv[:, heads + kv :]
    else:
        q, k, v = normal(seed, batch, heads, tokens, depth), *(normal(seed + i, batch, kv, keys, depth) for i in (1, 2))  # fmt: skip
    if layout == "read-only":
        q, k, v = (strided(z, "read-only") for z in (q, k, v))
    g = normal(seed + 3, batch, tokens, heads, depth).transpose(0, 2, 1, 3)
    out, stats = attention.attention_forward(q, k, v)
    assert stats is not None
    near(out, attention.attention_numpy(q, k, v), 5e-6)
    own = np.full_like(np.ascontiguousarray(q), np.nan)
    assert compiled.attention(q, k, v, out=own) is own
    np.testing.assert_array_equal(own, out)
    expected = attention.attention_backward_numpy(g, q, k, v)
    for given_stats in (stats, None):
        for a, b in zip(compiled.attention_backward(g, q, k, v, given_stats), expected):
            near(a, b, 2e-5)


def test_attention_of_other_widths_and_of_large_scores():
    q, k, v = (normal(i, 2, 2, 5, 6) for i in range(3))
    near(compiled.attention(q, k, v), attention.attention_numpy(q, k, v))
    q, k, v = (normal(i, 1, 1, 20, 16, scale=40) for i in range(3))
    near(compiled.attention(q, k, v), attention.attention_numpy(q, k, v), 1e-4)


@quick
@given(size=st.integers(1, 3000), seed=seeds, step=st.integers(1, 1000), decay=st.sampled_from([0.0, 0.1]))  # fmt: skip
def test_adamw(size, seed, step, decay):
    weight, grad, mean = (normal(seed + i, size) for i in range(3))
    square = normal(seed + 4, size) ** 2
    mine, plain = ([a.copy() for a in (weight, grad, mean, square)] for _ in range(2))
    options = (1e-2, 0.9, 0.999, 1e-8, decay, step)
    compiled.adamw_step(*mine, *options)
    adamw.adamw_step_numpy(*plain, *options)
    for a, b in zip(mine, plain):
        near(a, b, 2e-6)


@pytest.mark.parametrize("tokens", [49, 50, 196])
def test_an_image_alone_and_in_a_batch_gets_the_same_bits(tokens):
    x = normal(0, 7, tokens, 64)
    weight, bias = normal(1, 2, 64)
    matrix = normal(2, 48, 64)
    heads = normal(3, 7, 4, tokens, 16)
    layers = [
        (lambda z: compiled.layer_norm(z, weight, bias, 1e-6), x),
        (lambda z: compiled.rms_norm(z, weight, 1e-6), x),
        (lambda z: compiled.gelu(z), x),
        (lambda z: compiled.gelu(z, approximate="tanh"), x),
        (lambda z: compiled.softmax(z), x),
        (lambda z: compiled.linear_forward(z, matrix, bias[:48]), x),
        (lambda z: compiled.attention(z, z, z), heads),
    ]
    for layer, z in layers:
        together = layer(z)
        for i in range(len(z)):
            np.testing.assert_array_equal(layer(z[i : i + 1])[0], together[i])


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    monkeypatch.setattr(threads, "WORTH", 1e-9)  # cut as finely as can be
    x, w, b = normal(0, 3000, 64), normal(1, 128, 64), normal(2, 128)
    g, heads = normal(3, 3000, 128), normal(4, 40, 4, 49, 16)
    try:
        results = []
        for count in (1, 2, 3):
            compiled.set_threads(count)
            norm = compiled.layer_norm_forward(x, w[0], b[:64], 1e-6)
            results.append([
                compiled.linear_forward(x, w, b), *compiled.linear_grad_weight(g, x), compiled.gelu(x),
                *compiled.layer_norm_backward(x, x, w[0], *norm[1:]), compiled.attention(heads, heads, heads),
                *compiled.attention_backward(heads, heads, heads, heads),
            ])  # fmt: skip
    finally:
        compiled.set_threads(None)
    for other in results[1:]:
        for a, b in zip(results[0], other):
            np.testing.assert_array_equal(a, b)
