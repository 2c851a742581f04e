"""Operations far out, at 0, at infinity and at NaN: what PyTorch gives, entry by entry.

A formula that is right in algebra may overflow, cancel, or multiply 0 by infinity on its way.
"""

import numpy as np
import pytest

import tinyternary.autograd as ag
from tinyternary.autograd import Tensor

torch = pytest.importorskip("torch")
F = torch.nn.functional
pytestmark = pytest.mark.parity

NUMBERS = [0.0, 1e-30, 1e-25, 1e-12, 0.5, 1.0, 2.0, 3.0, 20.0, 88.0, 100.0, 1e10, 1e25, np.inf]
LINE = np.array([sign * n for n in NUMBERS for sign in (1, -1)] + [np.nan])
A, B = (grid.ravel() for grid in np.meshgrid(LINE, LINE))
POWERS = np.array([0.0, 1.0, 2.0, 3.0, 0.5, -1.0, -2.0])
BASES, EXPONENTS = (grid.ravel() for grid in np.meshgrid(LINE, POWERS))
ROWS = np.array(
    [
        [0, -np.inf, 1], [-np.inf, -np.inf, 2], [1e30, 0, -1e30], [200, 0, -200], [np.nan, 0, 1],
        [-200, -200.5, -np.inf], [1, 2, 3],
    ]
)  # fmt: skip
LABELS = np.array([0, 2, 0, 0, 1, 1, 2])

# name: (ours, theirs, inputs)
CASES = {
    "add": (lambda a, b: a + b, lambda a, b: a + b, [A, B]),
    "multiply": (lambda a, b: a * b, lambda a, b: a * b, [A, B]),
    "divide": (lambda a, b: a / b, lambda a, b: a / b, [A, B]),
    "maximum": (ag.maximum, torch.maximum, [A, B]),
    "where": (lambda a, b: ag.where(A > B, a, b), lambda a, b: torch.where(torch.from_numpy(A > B), a, b), [A, B]),
    "power of": (lambda a, b: a**b, lambda a, b: a**b, [BASES, EXPONENTS]),
    **{f"power {e}": (lambda a, e=e: a**e, lambda a, e=e: a**e, [LINE]) for e in POWERS if e != 0.5},
    "number to a power": (lambda b: 0.0**b, lambda b: 0.0**b, [POWERS]),
    "exp": (Tensor.exp, torch.exp, [LINE]),
    "log": (Tensor.log, torch.log, [LINE]),
    "sqrt": (Tensor.sqrt, torch.sqrt, [LINE]),
    "tanh": (Tensor.tanh, torch.tanh, [LINE]),
    "sigmoid": (Tensor.sigmoid, torch.sigmoid, [LINE]),
    "abs": (Tensor.abs, torch.abs, [LINE[:-1]]),  # of NaN: NaN here, 0 there
    "relu": (Tensor.relu, torch.relu, [LINE]),
    "relu_squared": (Tensor.relu_squared, lambda x: torch.relu(x) ** 2, [LINE]),
    "clip": (lambda x: x.clip(-1, 1), lambda x: x.clamp(-1, 1), [LINE]),
    "softmax": (Tensor.softmax, lambda x: x.softmax(-1), [ROWS]),
    "log_softmax": (Tensor.log_softmax, lambda x: x.log_softmax(-1), [ROWS]),
    "max": (lambda x: x.max(-1), lambda x: x.amax(-1), [ROWS]),
    "min": (lambda x: x.min(-1), lambda x: x.amin(-1), [ROWS]),
    "mean": (lambda x: x.mean(-1), lambda x: x.mean(-1), [ROWS]),
    "kl": (lambda x: ag.kl_divergence(x, ROWS[:3]), lambda x: F.kl_div(x.log_softmax(-1), torch.from_numpy(ROWS[:3]).to(x.dtype).softmax(-1), reduction="batchmean"), [np.ones((3, 3)) * [1, 2, 3]]),
    "bce 0": (lambda x: ag.bce_with_logits(x, np.zeros(len(LINE))), lambda x: F.binary_cross_entropy_with_logits(x, torch.zeros_like(x)), [LINE]),
    "bce 1": (lambda x: ag.bce_with_logits(x, np.ones(len(LINE))), lambda x: F.binary_cross_entropy_with_logits(x, torch.ones_like(x)), [LINE]),
    **{
        f"cross_entropy {row}": (lambda x, y=label: ag.cross_entropy(x, [y]), lambda x, y=label: F.cross_entropy(x, torch.tensor([y])), [row[None]])
        for row, label in zip(ROWS, LABELS)
    },
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_tails_are_pytorchs(name, dtype):
    ours, theirs, inputs = CASES[name]
    mine = [Tensor(x.astype(dtype), requires_grad=True) for x in inputs]
    other = [torch.tensor(x.astype(dtype), requires_grad=True) for x in inputs]
    result, expected = ours(*mine), theirs(*other)
    upstream = np.asarray(np.linspace(0.5, 1, max(1, result.size)), dtype).reshape(result.shape)
    result.backward(upstream)
    expected.backward(torch.from_numpy(upstream))
    exact = {"rtol": 1e-5 if dtype == np.float32 else 1e-10, "atol": np.finfo(dtype).tiny}
    told = np.array2string(np.array(inputs), threshold=4)
    np.testing.assert_allclose(result.data, expected.detach(), **exact, err_msg=told)
    for a, b in zip(mine, other):
        np.testing.assert_allclose(a.grad, b.grad, **exact, err_msg=told)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_far_out_the_slope_of_gelu_is_0_or_1(approximate, dtype):
    # no parity: PyTorch's tanh form multiplies 0 by infinity there
    x = Tensor(np.array([-np.inf, -1e25, -1e10, -50, 50, 1e10, 1e25, np.inf], dtype), True)
    x.gelu(approximate).backward(np.ones(8, dtype))
    np.testing.assert_allclose(x.grad, [0, 0, 0, 0, 1, 1, 1, 1], atol=1e-7)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_cross_entropy_of_probabilities_beside_a_class_that_is_impossible():
    x = Tensor(np.array([[0.0, 0.0, -np.inf]]), requires_grad=True)
    loss = ag.cross_entropy(x, np.array([[0.5, 0.5, 0.0]]))
    loss.backward()
    np.testing.assert_allclose(loss.data, np.log(2))
    np.testing.assert_allclose(x.grad, [[0, 0, 0]], atol=1e-15)
