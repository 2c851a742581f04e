"""Random graphs against PyTorch: any number of axes, empty ones too, fan-out, views, broadcasting.

One program is drawn as a list of steps and run by both libraries; all gradients must agree,
those of results that keep theirs as well, and each must be an array that is nobody else's.
"""

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from tinyternary.autograd import Tensor

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

shapes = st.lists(st.sampled_from([1, 2, 3, 3, 0]), max_size=3).map(tuple)


def fits(a, b):
    try:
        return np.broadcast_shapes(a.shape, b.shape) is not None
    except ValueError:
        return False


# name: (what it does, whether it can); both take what was made so far, oldest first
BINARY = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / (y * y + 1.0),
    "thrice": lambda x, y: x * 1.0 + y * 2.0 + x * 3.0 + x,
    "normalized": lambda x, y: (x - y.mean()) / ((y - y.mean()) * (y - y.mean()) + 1.0),
}
UNARY = {
    "tanh": lambda x: x.tanh(),
    "exp": lambda x: (-x * x).exp(),
    "negate": lambda x: -x,
    "reshape": lambda x: x.reshape(x.shape[0] if x.shape else 1, int(np.prod(x.shape[1:]))),
    "turn": lambda x: x.permute((*range(1, x.ndim), 0)[: x.ndim]),
    "new axis": lambda x: x[None],
    "slice": lambda x: x[..., :2] if x.ndim else x[None],
    "every": lambda x: x[1:] if x.ndim else x[...],
    "row": lambda x: x[0] if x.ndim and x.shape[0] else x,
    "sum": lambda x: x.sum(),
    "sum last": lambda x: x.sum(-1) if x.ndim else x,
    "sum first, kept": lambda x: x.sum(0, True) if x.ndim else x,
    "mean last, kept": lambda x: x.mean(-1, True) if x.ndim and x.shape[-1] else x,
    "mean": lambda x: x.mean() if 0 not in x.shape else x,
}
WITH_MEAN = {"normalized"}

steps = st.tuples(
    st.sampled_from([*BINARY, *UNARY]), st.integers(0, 99), st.integers(0, 99), st.booleans()
)


def run(leaves, program):
    """Every tensor that the program makes, the leaves first; and those told to keep a gradient."""
    made, kept = list(leaves), []
    for name, i, j, keeps in program:
        x, y = made[-1 - i % min(4, len(made))], made[j % len(made)]
        if name in UNARY:
            result = UNARY[name](x)
        elif fits(x, y) and not (name in WITH_MEAN and 0 in y.shape):
            result = BINARY[name](x, y)
        else:
            continue
        if any(result is one for one in made):
            continue
        made.append(result)
        if keeps:
            result.retain_grad()
            kept.append(result)
    return made, kept


THREE_USES_OF_A_NUMBER = [("sum", 0, 0, False), ("thrice", 0, 1, True)]
A_MEAN_USED_TWICE = [("sum", 0, 0, False), ("normalized", 0, 1, True)]


@settings(max_examples=200)
@given(
    sizes=st.lists(shapes, min_size=1, max_size=3), program=st.lists(steps, max_size=14),
    seed=st.integers(0, 1000), dtype=st.sampled_from([np.float32, np.float64]),
)  # fmt: skip
@example([(3,)], THREE_USES_OF_A_NUMBER, 0, np.float32)
@example([(3,)], A_MEAN_USED_TWICE, 0, np.float64)
@example([(0, 3), (2, 0, 3)], [("add", 0, 0, True)], 0, np.float64)
@example([()], [("thrice", 0, 0, True)] * 3, 0, np.float64)
def test_gradients_of_random_graphs_are_pytorchs(sizes, program, seed, dtype):
    rng = np.random.default_rng(seed)
    values = [np.asarray(rng.uniform(-1, 1, size), dtype) for size in sizes]
    ours = [Tensor(v, requires_grad=True) for v in values]
    theirs = [torch.tensor(v, requires_grad=True) for v in values]
    made, kept = run(ours, program)
    others, others_kept = run(theirs, program)
    for tensors in (made, others):  # everything counts, so that most of it is used several times
        total = tensors[0].sum()
        for number, tensor in enumerate(tensors[1:]):
            total = total + tensor.sum() * (0.5 + number)
        total.backward()
    tolerance = 1e-3 if dtype == np.float32 else 1e-9
    for mine, other in zip([*made, *ours, *kept], [*others, *theirs, *others_kept]):
        np.testing.assert_allclose(mine.data, other.detach(), rtol=tolerance, atol=tolerance)
    found = [tensor.grad for tensor in ours + kept]
    for grad, other in zip(found, theirs + others_kept):
        assert isinstance(grad, np.ndarray)
        assert grad.dtype == dtype
        scale = 1 + float(other.grad.abs().max()) if other.grad.numel() else 1.0
        np.testing.assert_allclose(grad, other.grad, rtol=tolerance, atol=tolerance * scale)
    for number, grad in enumerate(found):
        assert not any(np.shares_memory(grad, other) for other in found[:number])
