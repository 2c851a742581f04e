"""What Python and PyTorch expect of a tensor: types of results, and the protocols of a value."""

import copy
import operator

import numpy as np
import pytest

import tinyternary.autograd as ag
from tinyternary import nn
from tinyternary.autograd import Tensor
from tinyternary.errors import ShapeError

DTYPES = [np.bool_, np.int32, np.int64, np.float32, np.float64]

PAIRS = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul,
    "divide": operator.truediv, "power": operator.pow, "matmul": operator.matmul,
    "maximum": "maximum", "where": "where", "concatenate": "concatenate", "stack": "stack",
}  # fmt: skip
NAMES = {"concatenate": "cat"}


def ours(name, a, b):
    if name == "where":
        return ag.where(np.array([True, False]), a, b)
    if name in ("concatenate", "stack"):
        return getattr(ag, name)([a, b])
    return getattr(ag, name)(a, b) if isinstance(PAIRS[name], str) else PAIRS[name](a, b)


def theirs(torch, name, a, b):
    if name == "where":
        return torch.where(torch.tensor([True, False]), a, b)
    if name in ("concatenate", "stack"):
        return getattr(torch, NAMES.get(name, name))([a, b])
    return getattr(torch, name)(a, b) if isinstance(PAIRS[name], str) else PAIRS[name](a, b)


@pytest.mark.parity
@pytest.mark.parametrize("first", DTYPES)
@pytest.mark.parametrize("second", [*DTYPES, 2, 2.0], ids=str)
@pytest.mark.parametrize("name", PAIRS)
def test_two_types_meet_as_in_pytorch(name, first, second):
    torch = pytest.importorskip("torch")
    values = [np.array([1, 2]).astype(first)]
    numbers = not isinstance(second, type)
    if numbers and name in ("matmul", "maximum", "where", "concatenate", "stack"):
        pytest.skip("takes no number there")
    if name == "power" and first is np.bool_:
        pytest.skip("a power of truth values has no meaning")
    values.append(second if numbers else np.array([1, 1]).astype(second))
    other = [v if np.isscalar(v) else torch.from_numpy(v) for v in values]
    for order in (1, -1) if numbers else (1,):
        try:
            expected = theirs(torch, name, *other[::order])
        except (RuntimeError, ValueError):
            continue  # of bools: there is no difference, say, nor product
        mine = [v if np.isscalar(v) else Tensor(v) for v in values]
        result = ours(name, *mine[::order])
        assert str(result.dtype) == str(expected.dtype).removeprefix("torch.")
        np.testing.assert_array_equal(result.data, expected)


FLOATING = {
    "exp": Tensor.exp, "log": Tensor.log, "sqrt": Tensor.sqrt, "tanh": Tensor.tanh,
    "sigmoid": Tensor.sigmoid, "gelu": Tensor.gelu, "mean": Tensor.mean, "var": Tensor.var,
    "softmax": Tensor.softmax, "log_softmax": Tensor.log_softmax,
    "power of a float": lambda x: x**0.5, "power below 0": lambda x: x**-1,
    "clip": lambda x: x.clip(0.5, 2.5), "dropout": lambda x: ag.dropout(x, 0.5, np.random.default_rng(0)),
    "layer_norm": lambda x: ag.layer_norm(x, np.ones(3, np.float32), None, 1e-6),
    "rms_norm": lambda x: ag.rms_norm(x, None, 1e-6),
    "linear": lambda x: ag.linear(x, np.ones((2, 3), np.float32)),
    "mse": lambda x: ag.mse(x, [0.0, 0.0, 0.0]),
    "cross_entropy": lambda x: ag.cross_entropy(x[None], [1]),
    "bce": lambda x: ag.bce_with_logits(x, np.ones(3)),
    "kl": lambda x: ag.kl_divergence(x[None], np.ones((1, 3))),
    "attention": lambda x: ag.attention(*[x.reshape(1, 1, 1, 3)] * 3),
    "packed_attention": lambda x: ag.packed_attention(x.reshape(1, 1, 3), 1, 1),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_])
@pytest.mark.parametrize("name", FLOATING)
def test_functions_of_floats_take_integers_as_float32(name, dtype):
    whole = np.array([1, 0, 1]) if name not in ("log", "power below 0") else np.array([1, 1, 1])
    found = FLOATING[name](Tensor(whole.astype(dtype)))
    expected = FLOATING[name](Tensor(whole.astype(np.float32)))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.data, expected.data)


def test_integers_stay_integers_where_they_can():
    x = Tensor(np.array([3, -1, 2]))
    for y in (x + 1, x * x, -x, x**2, x.abs(), x.relu(), x.sum(), x.max(), x.clip(0, 2), x[1:], x @ x):  # fmt: skip
        assert y.dtype == np.int64, y
    assert (x**2).data.tolist() == [9, 1, 4]
    assert (x / 2).data.tolist() == [1.5, -0.5, 1.0]


# ---- protocols ---------------------------------------------------------------------------


def test_equality_is_of_entries_and_a_key_is_the_tensor_itself():
    x = Tensor([1.0, 2.0, 3.0])
    assert (x == 2).tolist() == [False, True, False]
    assert (x == x).all()
    assert (x != Tensor([1.0, 0.0, 3.0])).tolist() == [False, True, False]
    assert isinstance(Tensor(2.0) == 2.0, np.ndarray)
    assert np.array_equal(np.array([1.0, 0.0, 0.0]) == x, [True, False, False])
    assert 2 in x
    assert 5 not in x
    table = {x: "x", Tensor([1.0, 2.0, 3.0]): "another"}
    assert table[x] == "x"
    assert len(table) == 2


@pytest.mark.parametrize("value", [0.0, -0.0, 1.0, 0.5, np.nan])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_one_number_is_as_true_as_that_number(value, shape):
    x = Tensor(np.full(shape, value, np.float32))
    assert bool(x) == bool(value)
    assert float(x) == value or np.isnan(value)
    assert f"{x:.3f}" == f"{value:.3f}"
    assert f"{x}" == str(x)
    assert np.isnan(value) or int(x) == int(value)


@pytest.mark.parametrize("convert", [bool, int, float, Tensor.item, "{:.2f}".format])
@pytest.mark.parametrize("shape", [(0,), (2,), (1, 3)])
def test_several_numbers_are_no_number(convert, shape):
    with pytest.raises(ShapeError, match=r"a tensor of shape \(.*\) is not one number"):
        convert(Tensor(np.ones(shape, np.float32)))


def test_iteration_gives_rows_that_gradients_flow_through():
    x = Tensor(np.array([[1.0, 2.0], [3.0, 4.0]]), requires_grad=True)
    first, second = x
    assert [row.data.tolist() for row in x] == [[1, 2], [3, 4]]
    assert [row.data.tolist() for row in reversed(x)] == [[3, 4], [1, 2]]
    (first * 2 + second * 3).sum().backward()
    np.testing.assert_array_equal(x.grad, [[2, 2], [3, 3]])
    assert list(Tensor(np.zeros((0, 3)))) == []
    assert [float(one) for one in Tensor([1.0, 2.0])] == [1, 2]
    a, *rest = Tensor([1.0, 2.0, 3.0])
    assert (float(a), len(rest)) == (1, 2)
    with pytest.raises(TypeError, match="without axes"):
        iter(Tensor(1.0))
    with pytest.raises(ValueError, match="unpack"):
        _, _, _ = x


def test_a_network_is_copied_with_its_values_and_without_its_graph():
    layer = nn.Linear(3, 2)
    other = copy.deepcopy(layer)
    other.weight.data += 1
    assert not np.shares_memory(layer.weight.data, other.weight.data)
    assert (layer.weight != other.weight).all()
    assert abs(Tensor([-1.0])) == 1
