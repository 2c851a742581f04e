"""Arrays without entries: what PyTorch gives, backward included, or one line that says why not."""

import itertools
import re

import numpy as np
import pytest

import tinyternary.autograd as ag
from tinyternary.autograd import Tensor
from tinyternary.errors import TinyTernaryError

torch = pytest.importorskip("torch")
F = torch.nn.functional
pytestmark = pytest.mark.parity


def torch_attention(q, k, v):
    k, v = (z.repeat_interleave(q.shape[1] // z.shape[1], 1) for z in (k, v))
    return (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1) @ v


def torch_packed(x):
    q, k, v = x.reshape(*x.shape[:2], 4, x.shape[2] // 4).transpose(1, 2).split((2, 1, 1), 1)
    return torch_attention(q, k, v).transpose(1, 2).reshape(*x.shape[:2], x.shape[2] // 2)


def both(function):
    return function, function


def named(name, *arguments):
    """A method that both have."""
    return both(lambda x: getattr(x, name)(*arguments))


# name: (ours, theirs, shapes). A letter is a size: 0 or 2, in every combination
CASES = {
    "add": (*both(lambda a, b: a + b), ["ab", "cab"]),
    "multiply": (*both(lambda a, b: a * b), ["ab", "c1b"]),
    "divide": (*both(lambda a, b: a / (b + 3)), ["ab", "b"]),
    "maximum": (ag.maximum, torch.maximum, ["ab", ""]),
    "power of": (*both(lambda a, b: (a * a + 1) ** b), ["ab", "1b"]),
    "matmul": (*both(lambda a, b: a @ b), ["ab", "bc"]),
    "matmul of batches": (*both(lambda a, b: a @ b), ["dab", "bc"]),
    "matmul of broadcast batches": (*both(lambda a, b: a @ b), ["d1ab", "ebc"]),
    "matmul with a vector": (*both(lambda a, b: a @ b), ["ab", "b"]),
    "vector with a matmul": (*both(lambda a, b: a @ b), ["b", "cbd"]),
    "linear": (ag.linear, F.linear, ["abc", "dc", "d"]),
    "exp": (*named("exp"), ["ab"]),
    "gelu": (Tensor.gelu, F.gelu, ["ab"]),
    "sum": (*named("sum", 1), ["ab"]),
    "sum of all": (*named("sum"), ["ab"]),
    "mean": (*named("mean", 1), ["ab"]),
    "mean of all": (*named("mean"), ["ab"]),
    "max": (lambda x: x.max(1), lambda x: x.amax(1), ["ab"]),
    "var": (lambda x: x.var(1), lambda x: x.var(1, correction=0), ["ab"]),
    "softmax": (*named("softmax", -1), ["ab"]),
    "softmax of the first": (*named("softmax", 0), ["ab"]),
    "log_softmax": (*named("log_softmax", -1), ["ab"]),
    "turn": (*named("permute", (2, 0, 1)), ["abc"]),
    "reshape": (*both(lambda x: x.reshape(x.shape[1], x.shape[0])), ["ab"]),
    "concatenate": (lambda a, b: ag.concatenate([a, b], 1), lambda a, b: torch.cat([a, b], 1), ["ab", "ac"]),
    "stack": (lambda a, b: ag.stack([a, b], 1), lambda a, b: torch.stack([a, b], 1), ["ab", "ab"]),
    "split": (lambda x: ag.split(x, 2, 1)[1], lambda x: x.split(x.shape[1] // 2, 1)[1] if x.shape[1] else x[:, :0], ["ab"]),
    "pad": (lambda x: ag.pad(x, [(0, 0), (1, 2)]), lambda x: F.pad(x, (1, 2)), ["ab"]),
    "slice": (*both(lambda x: x[:, 1:]), ["ab"]),
    "rows": (lambda x: x[np.zeros(0, int)], lambda x: x[torch.zeros(0, dtype=int)], ["ab"]),
    "embedding": (lambda x: ag.embedding(x, np.zeros((2, 0), int)), lambda x: F.embedding(torch.zeros((2, 0), dtype=int), x), ["ab"]),
    "layer_norm": (lambda x, w, b: ag.layer_norm(x, w, b, 1e-5), lambda x, w, b: F.layer_norm(x, w.shape, w, b, 1e-5), ["abc", "c", "c"]),
    "rms_norm": (lambda x, w: ag.rms_norm(x, w, 1e-5), lambda x, w: F.rms_norm(x, w.shape, w, 1e-5), ["abc", "c"]),
    "attention": (ag.attention, torch_attention, ["abcd", "abed", "abed"]),
    "shared attention": (ag.attention, torch_attention, ["a2cd", "a1ed", "a1ed"]),
    "packed attention": (lambda x: ag.packed_attention(x, 2, 1), torch_packed, ["ab8"]),
    "mse": (ag.mse, F.mse_loss, ["ab", "ab"]),
    "bce": (lambda x: ag.bce_with_logits(x, np.ones(x.shape)), lambda x: F.binary_cross_entropy_with_logits(x, torch.ones_like(x)), ["ab"]),
    "cross_entropy": (lambda x: ag.cross_entropy(x, np.zeros(x.shape[0], int)), lambda x: F.cross_entropy(x, torch.zeros(x.shape[0], dtype=int)), ["ab"]),
    "kl": (lambda x: ag.kl_divergence(x, np.ones(x.shape)), lambda x: F.kl_div(x.log_softmax(1), torch.ones_like(x).softmax(1), reduction="batchmean"), ["ab"]),
}  # fmt: skip

REFUSED = {
    "mean": "nothing to take a mean of",
    "mean of all": "nothing to take a mean of",
    "max": "nothing to take a maximum of",
    "var": "too few",
    "layer_norm": "rows of no entries",
    "rms_norm": "rows of no entries",
    "attention": "there must be heads, and entries in each",
    "shared attention": "there must be heads, and entries in each",
    "mse": "nothing to take a mean of",
    "bce": "nothing to take a mean of",
    "cross_entropy": "expected .*batch, classes",
    "kl": "nothing to take a mean of",
}
"""What has no answer: a mean of nothing is NaN for PyTorch where we say so."""


def sizes_of(shapes):
    letters = sorted({one for shape in shapes for one in shape if one.isalpha()})
    for sizes in itertools.product((0, 2), repeat=len(letters)):
        if 0 in sizes:
            size = {**dict(zip(letters, sizes)), "1": 1, "2": 2, "8": 8}
            yield [tuple(size[one] for one in shape) for shape in shapes]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_what_has_no_entries_gives_what_pytorch_gives(name, dtype):
    ours, theirs, shapes = CASES[name]
    for sizes in sizes_of(shapes):
        values = [np.asarray(np.random.default_rng(0).random(size), dtype) for size in sizes]
        mine = [Tensor(x, requires_grad=True) for x in values]
        other = [torch.tensor(x, requires_grad=True) for x in values]
        try:
            result = ours(*mine)
        except TinyTernaryError as error:
            assert re.search(REFUSED.get(name, "never"), str(error)), sizes  # noqa: PT017
            continue
        expected = theirs(*other)
        np.testing.assert_array_equal(result.data, expected.detach(), err_msg=str(sizes))
        result.backward(np.ones_like(result.data))
        expected.backward(torch.ones_like(expected))
        for a, b in zip(mine, other):
            np.testing.assert_allclose(a.grad, b.grad, rtol=1e-5, err_msg=str(sizes))
