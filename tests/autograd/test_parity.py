"""Forward and backward of every operation against PyTorch, in float32 and float64."""

import numpy as np
import pytest

import tinyternary.autograd as ag
from tinyternary.autograd import Tensor

torch = pytest.importorskip("torch")
F = torch.nn.functional
pytestmark = pytest.mark.parity


def normal(*shape):
    return np.random.default_rng(sum(shape) + len(shape)).standard_normal(shape)


def positive(*shape):
    return np.abs(normal(*shape)) + 0.3


X, Y = normal(5, 6, 7), normal(6, 1)
LOGITS = normal(9, 5) * 4
LABELS = np.random.default_rng(0).integers(0, 5, 9)
SOFT = np.random.default_rng(1).dirichlet(np.ones(5), 9)
WEIGHT = np.linspace(0.5, 2, 5)
MASK = normal(5, 6, 7) > 0
Q, K, V = normal(2, 6, 9, 4), normal(2, 2, 11, 4), normal(2, 2, 11, 4) * 2


def t(array):
    """Constant of the other library, following the inputs' type when it is used."""
    return torch.from_numpy(np.ascontiguousarray(array))


def like(array, x):
    return t(array).to(x.dtype)


def torch_attention(q, k, v, causal=False):
    k, v = (z.repeat_interleave(q.shape[1] // z.shape[1], 1) for z in (k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal)


# name: (ours, theirs, inputs)
CASES = {
    "add": (lambda x, y: x + y, lambda x, y: x + y, [X, Y]),
    "subtract": (lambda x, y: x - y, lambda x, y: x - y, [X, Y]),
    "multiply": (lambda x, y: x * y, lambda x, y: x * y, [X, Y]),
    "divide": (lambda x, y: x / y, lambda x, y: x / y, [X, positive(6, 1)]),
    "power": (lambda x: x**3, lambda x: x**3, [X]),
    "power of": (lambda x, y: x**y, lambda x, y: x**y, [positive(3, 4), normal(4)]),
    "maximum": (ag.maximum, torch.maximum, [X, Y]),
    "where": (lambda x, y: ag.where(MASK, x, y), lambda x, y: torch.where(t(MASK), x, y), [X, Y]),
    "exp": (Tensor.exp, torch.exp, [X]),
    "log": (Tensor.log, torch.log, [positive(4, 5)]),
    "sqrt": (Tensor.sqrt, torch.sqrt, [positive(4, 5)]),
    "tanh": (Tensor.tanh, torch.tanh, [X * 5]),
    "sigmoid": (Tensor.sigmoid, torch.sigmoid, [X * 10]),
    "abs": (Tensor.abs, torch.abs, [X]),
    "abs at 0": (Tensor.abs, torch.abs, [np.zeros(3)]),
    "clip": (lambda x: x.clip(-0.5, 1), lambda x: x.clamp(-0.5, 1), [X]),
    "clip at its limits": (lambda x: x.clip(-1, 1), lambda x: x.clamp(-1, 1), [np.array([-1.0, 0, 1.0])]),
    "relu": (Tensor.relu, torch.relu, [X]),
    "relu at 0": (Tensor.relu, torch.relu, [np.zeros(3)]),
    "relu_squared": (Tensor.relu_squared, lambda x: torch.relu(x) ** 2, [X]),
    "gelu": (Tensor.gelu, F.gelu, [X * 4]),
    "gelu tanh": (lambda x: x.gelu("tanh"), lambda x: F.gelu(x, approximate="tanh"), [X * 4]),
    "sum": (lambda x: x.sum((0, 2)), lambda x: x.sum((0, 2)), [X]),
    "mean": (lambda x: x.mean(1, True), lambda x: x.mean(1, True), [X]),
    "max": (lambda x: x.max(1), lambda x: x.amax(1), [X]),
    "min": (lambda x: x.min(1), lambda x: x.amin(1), [X]),
    "min of ties": (lambda x: x.min(1), lambda x: x.amin(1), [np.ones((2, 4))]),
    "max of ties": (lambda x: x.max(1), lambda x: x.amax(1), [np.ones((2, 4))]),
    "var": (lambda x: x.var((0, 1)), lambda x: x.var((0, 1), correction=0), [X]),
    "reshape": (lambda x: x.reshape(7, -1) * 2, lambda x: x.reshape(7, -1) * 2, [X]),
    "flatten": (lambda x: x.flatten(1), lambda x: x.flatten(1), [X]),
    "T": (lambda x: x.T, lambda x: x.T, [normal(3, 4)]),
    "permute": (lambda x: x.permute(2, 0, 1), lambda x: x.permute(2, 0, 1), [X]),
    "transpose": (lambda x: x.transpose(0, -1), lambda x: x.transpose(0, -1), [X]),
    "slice": (lambda x: x[1:4, ::2, 3], lambda x: x[1:4, ::2, 3], [X]),
    "fancy": (lambda x: x[[0, 0, 3], :, [1, 1, 2]], lambda x: x[[0, 0, 3], :, [1, 1, 2]], [X]),
    "concatenate": (lambda x, y: ag.concatenate([x, y], 1), lambda x, y: torch.cat([x, y], 1), [normal(2, 3), normal(2, 4)]),
    "stack": (lambda x, y: ag.stack([x, y], 1), lambda x, y: torch.stack([x, y], 1), [normal(2, 3), normal(2, 3) + 1]),
    "split": (lambda x: ag.split(x, (2, 5), 2)[1], lambda x: torch.split(x, (2, 5), 2)[1], [X]),
    "pad": (lambda x: ag.pad(x, [(1, 2), (0, 3)], 5.0), lambda x: F.pad(x, (0, 3, 1, 2), value=5.0), [normal(2, 3)]),
    "embedding": (lambda w: ag.embedding(w, [[1, 1], [3, 0]]), lambda w: F.embedding(t(np.array([[1, 1], [3, 0]])), w), [normal(4, 3)]),
    "matmul": (lambda a, b: a @ b, lambda a, b: a @ b, [normal(2, 1, 5, 6), normal(3, 6, 4)]),
    "linear": (ag.linear, F.linear, [X, normal(3, 7), normal(3)]),
    "softmax": (lambda x: ag.softmax(x, 1), lambda x: x.softmax(1), [X * 5]),
    "log_softmax": (lambda x: ag.log_softmax(x, 0), lambda x: x.log_softmax(0), [X * 5]),
    "softmax of large values": (ag.softmax, lambda x: x.softmax(-1), [np.array([[1e4, -1e4, 1e4], [0, 80, 90]])]),
    "layer_norm": (lambda x, w, b: ag.layer_norm(x, w, b, 1e-6), lambda x, w, b: F.layer_norm(x, (7,), w, b, 1e-6), [X, normal(7), normal(7) + 1]),
    "rms_norm": (lambda x, w: ag.rms_norm(x, w, 1e-5), lambda x, w: F.rms_norm(x, (7,), w, 1e-5), [X, normal(7)]),
    "rms_norm plain": (lambda x: ag.rms_norm(x, None, 1e-5), lambda x: F.rms_norm(x, (7,), None, 1e-5), [X]),
    "attention": (ag.attention, torch_attention, [Q, K, V]),
    "causal attention": (lambda q, k, v: ag.attention(q, k, v, causal=True), lambda q, k, v: torch_attention(q, k, v, causal=True), [normal(2, 4, 5, 16), normal(2, 2, 5, 16), normal(2, 2, 5, 16)]),
    "cross_entropy": (lambda x: ag.cross_entropy(x, LABELS), lambda x: F.cross_entropy(x, t(LABELS)), [LOGITS]),
    "cross_entropy smooth weighted": (lambda x: ag.cross_entropy(x, LABELS, 0.1, WEIGHT), lambda x: F.cross_entropy(x, t(LABELS), like(WEIGHT, x), label_smoothing=0.1), [LOGITS]),
    "cross_entropy of probabilities": (lambda x: ag.cross_entropy(x, SOFT, 0.1, WEIGHT), lambda x: F.cross_entropy(x, like(SOFT, x), like(WEIGHT, x), label_smoothing=0.1), [LOGITS]),
    "bce": (lambda x: ag.bce_with_logits(x, SOFT, WEIGHT), lambda x: F.binary_cross_entropy_with_logits(x, like(SOFT, x), like(WEIGHT, x)), [LOGITS * 10]),
    "kl": (lambda x: ag.kl_divergence(x, SOFT * 9, 2.0), lambda x: 4 * F.kl_div((x / 2).log_softmax(1), (like(SOFT, x) * 9 / 2).softmax(1), reduction="batchmean"), [LOGITS]),
    "mse": (ag.mse, F.mse_loss, [X, normal(5, 6, 7) * 2]),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_forward_and_backward_equal_pytorch(name, dtype):
    ours, theirs, inputs = CASES[name]
    mine = [Tensor(x.astype(dtype), requires_grad=True) for x in inputs]
    other = [torch.tensor(x.astype(dtype), requires_grad=True) for x in inputs]
    result, expected = ours(*mine), theirs(*other)
    assert result.dtype == dtype
    assert result.shape == tuple(expected.shape)
    exact = 3e-5 if dtype == np.float32 else 1e-10
    check(result.data, expected.detach().numpy(), exact)
    upstream = np.asarray(np.random.default_rng(5).standard_normal(result.shape), dtype)
    result.backward(upstream)
    expected.backward(torch.from_numpy(upstream))
    for a, b in zip(mine, other):
        assert a.grad.dtype == dtype
        check(a.grad, b.grad.numpy(), exact)


def check(found, expected, exact):
    np.testing.assert_allclose(
        found, expected, rtol=exact, atol=exact * (1 + np.abs(expected).max())
    )
