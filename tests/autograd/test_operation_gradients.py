"""Every operation's gradient against finite differences, at all entries, in float64."""

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

import tinyternary.autograd as ag
from tests.autograd import drawing_arrays as draw
from tinyternary.autograd import Tensor, gradcheck

quick = settings(deadline=None, max_examples=25)


@quick
@given(pair=draw.broadcast_pairs())
@pytest.mark.parametrize("operation", ["add", "subtract", "multiply", "divide", "maximum"])
def test_binary(operation, pair):
    a, b = pair
    if operation == "divide":
        b = draw.apart(b, 0.5)
    if operation == "maximum":
        a = a + np.where(np.abs(a - b).min() < 1e-3, 0.01234, 0.0)  # differences cross the kink
        if np.abs(a - b).min() < 1e-4:
            return
    functions = {
        "add": lambda x, y: x + y,
        "subtract": lambda x, y: x - y,
        "multiply": lambda x, y: x * y,
        "divide": lambda x, y: x / y,
        "maximum": ag.maximum,
    }
    assert gradcheck(functions[operation], a, b)


@quick
@given(pair=draw.broadcast_pairs(), number=st.floats(0.5, 3))
def test_operators_with_an_array_or_a_number_on_either_side(pair, number):
    a, b = pair
    b = draw.apart(b, 0.5)
    assert gradcheck(lambda x: (b - x) * b + (x / b) - (number - x) * number + number * (x + b), a)
    assert gradcheck(lambda x: b / x + number / x, draw.apart(a, 0.5))
    assert gradcheck(lambda x: -x + number**x, a)


@quick
@given(pair=draw.broadcast_pairs(), seed=draw.seeds)
def test_where(pair, seed):
    a, b = pair
    shape = np.broadcast_shapes(a.shape, b.shape)
    condition = np.random.default_rng(seed).random(shape) < 0.5
    assert gradcheck(lambda x, y: ag.where(condition, x, y), a, b)
    assert gradcheck(lambda x: ag.where(condition, x, 2.0), np.broadcast_to(a, shape))


@quick
@given(pair=draw.broadcast_pairs())
def test_power(pair):
    a, b = pair
    a = np.abs(a) + 0.5
    assert gradcheck(lambda x, y: x**y, a, b)
    for exponent in (0, 1, 2, -1, 0.5, 3):
        assert gradcheck(lambda x, e=exponent: x**e, a)


POINTWISE = {
    "exp": (Tensor.exp, None),
    "log": (Tensor.log, "positive"),
    "sqrt": (Tensor.sqrt, "positive"),
    "tanh": (Tensor.tanh, None),
    "sigmoid": (Tensor.sigmoid, None),
    "abs": (Tensor.abs, "apart"),
    "relu": (Tensor.relu, "apart"),
    "relu_squared": (Tensor.relu_squared, "apart"),
    "gelu": (Tensor.gelu, None),
    "gelu_tanh": (lambda x: x.gelu("tanh"), None),
    "negate": (lambda x: -x, None),
    "clip": (lambda x: x.clip(-0.7001, 0.7001), None),
    "clip one side": (lambda x: ag.clip(x, None, 0.3001), None),
}


@quick
@given(x=draw.arrays())
@pytest.mark.parametrize("name", POINTWISE)
def test_pointwise(name, x):
    function, domain = POINTWISE[name]
    if domain == "positive":
        x = np.abs(x) + 0.3
    if domain == "apart":
        x = draw.apart(x)
    assert gradcheck(function, x)


@quick
@given(case=draw.array_and_axes(), keepdims=st.booleans())
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "var"])
def test_reductions(name, case, keepdims):
    x, axis = case
    assert gradcheck(lambda t: getattr(t, name)(axis, keepdims), x)


@quick
@given(case=draw.array_and_axes(), keepdims=st.booleans())
def test_reductions_are_numpys(case, keepdims):
    x, axis = case
    for name in ("sum", "mean", "max", "min", "var"):
        expected = getattr(np, name)(
            x, axis if axis is None or isinstance(axis, int) else tuple(axis), keepdims=keepdims
        )
        np.testing.assert_allclose(
            getattr(Tensor(x), name)(axis, keepdims).data, expected, atol=1e-12
        )
    for one in (None, -1):
        found = Tensor(x).argmax(one)
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, x.argmax(one))


def test_flatten_joins_the_axes_that_are_named():
    x = Tensor(np.arange(24.0).reshape(2, 3, 4))
    shapes = {(): (24,), (1,): (2, 12), (0, 1): (6, 4), (-2, -1): (2, 12), (1, 1): (2, 3, 4)}
    for axes, shape in shapes.items():
        assert x.flatten(*axes).shape == shape
        np.testing.assert_array_equal(x.flatten(*axes).data.ravel(), x.data.ravel())
    assert Tensor(3.0).flatten().shape == (1,)
    assert Tensor(np.zeros((0, 3))).flatten(1).shape == (0, 3)
    np.testing.assert_array_equal(x.T.data, x.data.T)


def test_var_with_correction():
    x = np.random.default_rng(0).standard_normal((3, 4))
    assert gradcheck(lambda t: t.var(1, correction=1), x)
    np.testing.assert_allclose(Tensor(x).var(1, correction=1).data, x.var(1, ddof=1))


@quick
@given(
    rows=draw.sides, inner=draw.sides, columns=draw.sides, seed=draw.seeds,
    kinds=st.tuples(draw.layouts, draw.layouts),
    batch=st.sampled_from([((), ()), ((2,), ()), ((), (3,)), ((2, 1), (3,)), ((2, 3), (2, 3))]),
)  # fmt: skip
def test_matmul(rows, inner, columns, seed, kinds, batch):
    rng = np.random.default_rng(seed)
    a = draw.strided(rng, (*batch[0], rows, inner), kinds[0])
    b = draw.strided(rng, (*batch[1], inner, columns), kinds[1])
    assert gradcheck(lambda x, y: x @ y, a, b)
    assert gradcheck(lambda x: x @ b, a)
    assert gradcheck(lambda y: a @ y, b)


@pytest.mark.parametrize("shapes", [((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((3,), (4, 3, 2)), ((4, 2, 3), (3,))])  # fmt: skip
def test_matmul_of_vectors(shapes):
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal(s) for s in shapes)
    np.testing.assert_allclose((Tensor(a) @ Tensor(b)).data, a @ b)
    assert gradcheck(lambda x, y: x @ y, a, b)


@quick
@given(lead=draw.shapes, k=draw.sides, n=draw.sides, bias=st.booleans(), layout=draw.layouts, seed=draw.seeds)  # fmt: skip
def test_linear(lead, k, n, bias, layout, seed):
    rng = np.random.default_rng(seed)
    x, w = draw.strided(rng, (*lead, k), layout), draw.strided(rng, (n, k), layout)
    if bias:
        assert gradcheck(ag.linear, x, w, rng.standard_normal(n))
    else:
        assert gradcheck(ag.linear, x, w)
        assert gradcheck(lambda weight: ag.linear(x, weight), w)


@quick
@given(case=draw.array_and_axes(), seed=draw.seeds)
def test_shaping(case, seed):
    x, _ = case
    rng = np.random.default_rng(seed)
    order = tuple(int(i) for i in rng.permutation(x.ndim) - x.ndim * rng.integers(0, 2, x.ndim))
    assert gradcheck(lambda t: t.permute(*order), x)
    # a drawn order is often its own inverse; turning three axes round by one never is
    assert gradcheck(lambda t: t.permute(2, 0, 1), rng.standard_normal((2, 3, 4)))
    assert gradcheck(lambda t: t.transpose(0, -1).reshape(-1), x)
    assert gradcheck(lambda t: t.reshape([1, x.size]), x)
    assert gradcheck(lambda t: t.T, x)
    assert gradcheck(lambda t: t.flatten(-1), x)
    widths = [(int(a), int(b)) for a, b in rng.integers(0, 3, (x.ndim, 2))]
    assert gradcheck(lambda t: ag.pad(t, widths, 2.0), x)


@quick
@given(x=draw.arrays(st.tuples(draw.sides, draw.sides, draw.sides)), axis=st.integers(-3, 2), seed=draw.seeds)  # fmt: skip
def test_joining_and_cutting(x, axis, seed):
    y = np.random.default_rng(seed).standard_normal(x.shape)
    assert gradcheck(lambda a, b: ag.concatenate([a, b, a], axis), x, y)
    assert gradcheck(lambda a, b: ag.stack([a, b, a], axis), x, y)
    both = np.concatenate([x, y, y], axis)
    assert gradcheck(lambda t: ag.split(t, 3, axis), both)
    n = x.shape[axis]
    assert gradcheck(lambda t: ag.split(t, (n, 2 * n), axis)[1] * 2, both)  # one part unused


INDICES = [
    0, -1, slice(None, None, 2), slice(None, None, -1), Ellipsis, None, (slice(None), 1), (..., None, 0),
    [0, 0, 2], np.array([[1, 1], [0, 2]]), (slice(None), [1, 1, 0]), (np.array([0, 2]), np.array([1, 1])),
    np.array([True, False, True]), (np.array([2, 2]), slice(0, 2)),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indexing(index):
    x = np.random.default_rng(2).standard_normal((3, 4))
    np.testing.assert_array_equal(Tensor(x)[index].data, x[index])
    assert gradcheck(lambda t: t[index], x)


def test_embedding_adds_up_rows_taken_twice():
    table = np.random.default_rng(3).standard_normal((5, 3))
    assert gradcheck(lambda t: ag.embedding(t, np.array([[1, 1], [4, 0]])), table)


@quick
@given(case=draw.array_and_axes())
def test_softmax(case):
    x, axis = case
    axis = axis if isinstance(axis, int) else -1
    assert gradcheck(lambda t: ag.softmax(t, axis), x)
    assert gradcheck(lambda t: ag.log_softmax(t, axis), x)


@quick
@given(x=draw.arrays(st.lists(st.integers(2, 5), min_size=1, max_size=3).map(tuple)), seed=draw.seeds)  # fmt: skip
def test_norms(x, seed):
    rng = np.random.default_rng(seed)
    weight, bias = rng.standard_normal((2, x.shape[-1]))
    # a row of nearly equal entries has a steep LayerNorm: a larger epsilon keeps differences exact
    assert gradcheck(lambda t, w, b: ag.layer_norm(t, w, b, 0.1), x, weight, bias)
    assert gradcheck(lambda t: ag.layer_norm(t, weight, None, 0.1), x)
    assert gradcheck(lambda t, w: ag.rms_norm(t, w, 0.1), x, weight)
    assert gradcheck(lambda t: ag.rms_norm(t, None, 0.1), x)


@quick
@given(
    batch=st.integers(1, 2), groups=st.integers(1, 2), per_group=st.integers(1, 3),
    tokens=draw.sides, keys=draw.sides, width=draw.sides, layout=draw.layouts, seed=draw.seeds,
)  # fmt: skip
@example(batch=2, groups=1, per_group=2, tokens=4, keys=4, width=3, layout="plain", seed=0)
def test_attention(batch, groups, per_group, tokens, keys, width, layout, seed):
    rng = np.random.default_rng(seed)
    q = draw.strided(rng, (batch, groups * per_group, tokens, width), layout)
    k, v = (draw.strided(rng, (batch, groups, keys, width), layout) for _ in range(2))
    assert gradcheck(ag.attention, q, k, v)
    if keys == tokens:
        assert gradcheck(lambda q, k, v: ag.attention(q, k, v, causal=True), q, k, v)
    none = [Tensor(x[:0], requires_grad=True) for x in (q, k, v)]
    ag.attention(*none).sum().backward()  # an empty batch is no mistake
    assert [x.grad.shape for x in none] == [x.shape for x in none]


@quick
@given(batch=draw.sides, classes=st.integers(2, 4), smoothing=st.sampled_from([0.0, 0.1]), weighted=st.booleans(), seed=draw.seeds)  # fmt: skip
def test_cross_entropy(batch, classes, smoothing, weighted, seed):
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((batch, classes)) * 3
    weight = rng.random(classes) + 0.5 if weighted else None
    numbers = rng.integers(0, classes, batch)
    soft = rng.dirichlet(np.ones(classes), batch)
    for targets in (numbers, soft):
        assert gradcheck(lambda t, y=targets: ag.cross_entropy(t, y, smoothing, weight), logits)


@quick
@given(batch=draw.sides, classes=st.integers(1, 4), seed=draw.seeds, temperature=st.floats(0.5, 4))
def test_other_losses(batch, classes, seed, temperature):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, batch, classes)) * 2
    binary = (rng.random((batch, classes)) < 0.5).astype(np.float64)
    assert gradcheck(lambda t: ag.bce_with_logits(t, binary), x)
    assert gradcheck(lambda t: ag.bce_with_logits(t, binary, rng_weight(classes)), x)
    assert gradcheck(lambda t: ag.kl_divergence(t, y, temperature), x)
    assert gradcheck(ag.mse, x, y)


def rng_weight(classes):
    return np.linspace(0.5, 2.0, classes)


def test_dropout_passes_the_gradient_of_what_was_kept():
    x = np.random.default_rng(4).standard_normal((30, 5))
    assert gradcheck(lambda t: ag.dropout(t, 0.4, np.random.default_rng(7)), x)
    kept = ag.dropout(Tensor(np.ones((200, 200))), 0.4, np.random.default_rng(7)).data
    assert set(np.unique(np.round(kept, 6))) == {0.0, round(1 / 0.6, 6)}
    assert abs(kept.mean() - 1) < 0.02


def test_ties_share_the_gradient():
    x = Tensor(np.array([[2.0, 2.0, 1.0]]), requires_grad=True)
    x.max().backward()
    np.testing.assert_allclose(x.grad, [[0.5, 0.5, 0.0]])
    x = Tensor(np.array([[2.0, 1.0, 1.0]]), requires_grad=True)
    x.min().backward()
    np.testing.assert_allclose(x.grad, [[0.0, 0.5, 0.5]])
    a, b = (Tensor(np.array([1.0, 3.0]), requires_grad=True) for _ in range(2))
    ag.maximum(a, b).sum().backward()
    np.testing.assert_allclose(a.grad, [0.5, 0.5])
    np.testing.assert_allclose(b.grad, [0.5, 0.5])


def test_gradcheck_names_the_wrong_entry():
    from tinyternary.autograd import Function

    class Wrong(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save(x)
            return x * x

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved
            slope = 2 * x
            slope[1] *= 1.001  # one entry, one part in a thousand
            return grad * slope

    with pytest.raises(Exception, match=r"input 0, entry \(1,\)"):
        gradcheck(Wrong.apply, np.array([1.0, 2.0, 3.0]))
