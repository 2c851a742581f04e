"""What is changed between forward and backward is refused, or was copied: never a wrong gradient."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

import tinyternary.autograd as ag
from tinyternary import nn, train
from tinyternary.autograd import Tensor
from tinyternary.errors import TinyTernaryError

CHANGED = "changed after forward; call backward"
SHAPES = [(3, 3), (64, 64)]


def ways(x):
    """Ways to write into the array of a tensor."""

    def through_data():
        x.data -= 0.1

    def all_of_it():
        x.data[...] = 7

    def first():
        x.data.flat[0] += 1

    def reordered():
        x.data[:] = x.data[::-1].copy()

    return [through_data, all_of_it, first, reordered]


def last(x):
    x.data.flat[-1] += 1


OPERATIONS = {
    "multiply": lambda x: x * x, "divide": lambda x: 1 / x, "matmul": lambda x: x @ x,
    "linear": lambda x: ag.linear(x, x), "power": lambda x: x**3, "exp": lambda x: (x * x).exp(),
    "log": lambda x: x.log(), "gelu": lambda x: x.gelu(), "max": lambda x: x.max(),
    "maximum": lambda x: ag.maximum(x, 1.0), "abs": lambda x: x.abs(),
    "layer_norm": lambda x: ag.layer_norm(x, x[0], None, 1e-6),
    "rms_norm": lambda x: ag.rms_norm(x, None, 1e-6), "mse": lambda x: ag.mse(x * x, x),
    "attention": lambda x: ag.attention(*[x.reshape(1, 1, *x.shape)] * 3),
    "not needed": lambda x: (x + 1).sum(0).reshape(-1)[::2],
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_leaf_that_changes_gives_its_own_gradient_or_an_error(name, shape, dtype):
    start = np.random.default_rng(0).uniform(0.5, 1, shape).astype(dtype)

    def gradient(change):
        x = Tensor(start.copy(), requires_grad=True)
        y = OPERATIONS[name](x).sum()
        change(x)
        try:
            y.backward()
        except TinyTernaryError as error:
            assert CHANGED in str(error)  # noqa: PT017
            assert x.grad is None  # nothing half done
            return None
        return x.grad

    expected = gradient(lambda x: None)
    assert expected is not None
    for number in range(len(ways(Tensor(1.0)))):
        found = gradient(lambda x, n=number: ways(x)[n]())
        if found is not None:  # what was kept was no view of it
            np.testing.assert_array_equal(found, expected)
    if name in ("multiply", "matmul", "linear", "log", "gelu"):  # kept as it is: watched to its end
        assert gradient(last) is None


@pytest.mark.parametrize("shape", SHAPES)
def test_results_in_the_middle_are_watched(shape):
    x = Tensor(np.ones(shape, np.float32), requires_grad=True)
    y = x * 2
    z = (y * y).sum()
    y.data[...] = 0
    with pytest.raises(TinyTernaryError, match=f"that Multiply was computed from was {CHANGED}"):
        z.backward()


INDICES = {
    "array": lambda i: i, "tensor": Tensor, "in a tuple": lambda i: (slice(None), i),
    "list": lambda i: i.tolist(),
}  # fmt: skip


@given(seed=st.integers(0, 99))
@pytest.mark.parametrize("kind", INDICES)
def test_an_index_is_the_one_of_forward(kind, seed):
    numbers = np.random.default_rng(seed).integers(0, 3, 4)
    index = INDICES[kind](numbers)
    x = Tensor(np.zeros((3, 3)), requires_grad=True)
    expected = np.zeros((3, 3))
    np.add.at(
        expected, (slice(None), numbers.copy()) if kind == "in a tuple" else numbers.copy(), 1
    )
    y = x[index].sum()
    numbers[:] = 0
    if kind == "list":
        index[:] = [0, 0, 0, 0]
    y.backward()
    np.testing.assert_array_equal(x.grad, expected)


OTHERS = {
    "embedding": (lambda x, i: ag.embedding(x, i), np.array([0, 1, 2])),
    "labels": (lambda x, i: ag.cross_entropy(x, i), np.array([0, 1, 2])),
    "probabilities": (lambda x, p: ag.cross_entropy(x, p), np.eye(3)),
    "targets": (lambda x, p: ag.bce_with_logits(x, p), np.eye(3)),
    "teacher": (lambda x, p: ag.kl_divergence(x, p), np.eye(3)),
    "weights": (lambda x, w: ag.cross_entropy(x, [0, 1, 2], weight=w), np.array([1.0, 2.0, 3.0])),
    "condition": (lambda x, c: ag.where(c, x, 0.0), np.array([True, False, True])),
    "constant": (lambda x, c: x * c, np.array([1.0, 2.0, 3.0])),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_stands_beside_is_refused_or_was_copied(name):
    operation, buffer = OTHERS[name]

    def gradient(change):
        x, given_ = Tensor(np.ones((3, 3)), requires_grad=True), buffer.copy()
        y = operation(x, given_).sum()
        if change:
            given_[...] = given_[::-1].copy()
        try:
            y.backward()
        except TinyTernaryError as error:
            assert CHANGED in str(error)  # noqa: PT017
            return None
        return x.grad

    found = gradient(True)
    if found is not None:
        np.testing.assert_array_equal(found, gradient(False))


def test_a_step_of_an_optimizer_between_the_two_is_noticed():
    layer, x = nn.Linear(4, 4), Tensor(np.ones((2, 4), np.float32), requires_grad=True)
    optimizer = train.AdamW(layer.parameters(), lr=0.1)
    first, second = layer(x).sum(), (layer(x) * 2).sum()
    first.backward()
    optimizer.step()
    with pytest.raises(TinyTernaryError, match=r"shape \(4, 4\) that Linear .* changed"):
        second.backward()


def test_a_new_array_is_no_change_of_the_old():
    x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    y = (x * x).sum()
    x.data = np.array([5.0, 5.0])
    y.backward()
    np.testing.assert_array_equal(x.grad, [2, 4])
    z = (x * x).sum()
    z.backward(retain_graph=True)
    x.data += 1
    with pytest.raises(TinyTernaryError, match=CHANGED):
        z.backward()
