"""Bad input: one line that names the operation, the shapes and what was expected."""

import numpy as np
import pytest

import tinyternary.autograd as ag
from tinyternary.autograd import Tensor
from tinyternary.errors import ConfigError, ShapeError, TinyTernaryError


def zeros(*shape):
    return Tensor(np.zeros(shape, np.float32), requires_grad=True)


CASES = [
    (lambda: zeros(4, 7) @ zeros(8, 3), r"matmul: \(4, 7\) @ \(8, 3\): inner sizes 7 and 8 differ"),
    (lambda: zeros(2, 4, 7) @ zeros(3, 7, 3), r"matmul: .*batch sizes \(2,\) and \(3,\) differ"),
    (lambda: zeros() @ zeros(2), r"matmul: \(\) @ \(2,\): a single number"),
    (lambda: zeros(2, 3) + zeros(2, 4), r"add: shapes \(2, 3\) and \(2, 4\) do not fit"),
    (lambda: zeros(2, 3) - zeros(4), r"subtract: shapes \(2, 3\) and \(4,\)"),
    (lambda: zeros(2, 3) * np.zeros((4, 1, 2)), r"multiply: shapes \(2, 3\) and \(4, 1, 2\)"),
    (lambda: zeros(2) / zeros(3), r"divide: shapes"),
    (lambda: zeros(2) ** zeros(3), r"power: shapes"),
    (lambda: ag.maximum(zeros(2), zeros(3)), r"maximum: shapes"),
    (lambda: ag.where(np.ones(4), zeros(2), zeros(2)), r"where: shapes \(4,\) and \(2,\)"),
    (lambda: ag.linear(zeros(2, 3), zeros(5, 4)), r"linear: x \(2, 3\) and weight \(5, 4\)"),
    (lambda: ag.linear(zeros(2, 3), zeros(5, 3), zeros(4)), r"linear: bias \(4,\) for 5 outputs"),
    (lambda: zeros(2, 3).sum(2), r"sum: axis 2 does not exist in 2 dimensions"),
    (lambda: zeros(2, 3).mean((0, -2)), r"mean: axis given twice"),
    (lambda: zeros(2, 0).max(1), r"max: nothing to take a maximum of in shape \(2, 0\)"),
    (lambda: zeros(2, 0).min(1), r"min: nothing to take a minimum of in shape \(2, 0\)"),
    (lambda: zeros(2, 0).mean(1), r"mean: nothing to take a mean of in shape \(2, 0\)"),
    (lambda: zeros(2, 0).argmax(1), r"argmax: nothing to take a maximum of in shape \(2, 0\)"),
    (lambda: zeros(2, 3).argmax(2), r"argmax: axis 2 does not exist in 2 dimensions"),
    (lambda: ag.packed_attention(zeros(2, 3, 8), 2, 0), r"packed_attention: .* 0 key/value heads"),
    (lambda: ag.layer_norm(zeros(), zeros(1), None, 1e-6), r"layer_norm: x \(\) has no rows"),
    (lambda: zeros(2, 3).flatten(1, 0), r"flatten: axis 1 comes after axis 0"),
    (lambda: zeros(2, 3).flatten(2), r"flatten: axis 2 does not exist"),
    (lambda: zeros(1).var(correction=1), r"var: 1 values are too few"),
    (lambda: zeros(2, 3).reshape(4), r"reshape: 6 entries of shape \(2, 3\) do not fit into \(4,\)"),
    (lambda: zeros(2, 3).permute(0, 0), r"permute: \(0, 0\) is not an order"),
    (lambda: zeros(2, 3).transpose(0, 5), r"transpose: axis 5"),
    (lambda: ag.concatenate([]), r"concatenate: no tensors"),
    (lambda: ag.concatenate([zeros(2, 3), zeros(2, 4)]), r"concatenate: shapes \(2, 3\) and \(2, 4\)"),
    (lambda: ag.stack([zeros(2), zeros(3)]), r"stack: shapes \(2,\) and \(3,\) differ"),
    (lambda: ag.split(zeros(5), 2), r"split: 5 entries of axis 0 in 2 equal parts"),
    (lambda: ag.split(zeros(5), (2, 2)), r"split: sizes \(2, 2\) do not add up to 5"),
    (lambda: ag.pad(zeros(2, 3), [(1, 1)]), r"pad: widths .* one \(before, after\) per axis"),
    (lambda: zeros(2)[5], r"index into shape \(2,\): .*5 is out of bounds"),
    (lambda: ag.embedding(zeros(3, 2), [3]), r"embedding: indices from 3 to 3 for a table of 3"),
    (lambda: ag.embedding(zeros(3, 2), [0.5]), r"embedding: indices must be integers"),
    (lambda: ag.softmax(zeros(2), 3), r"softmax: axis 3"),
    (lambda: ag.layer_norm(zeros(2, 3), zeros(4), zeros(3), 1e-6), r"layer_norm: weight \(4,\)"),
    (lambda: ag.rms_norm(zeros(2, 3), zeros(4), 1e-6), r"rms_norm: weight \(4,\)"),
    (lambda: ag.attention(zeros(1, 2, 3, 4), zeros(1, 2, 3, 5), zeros(1, 2, 3, 5)), r"attention: .*head width must agree"),
    (lambda: ag.attention(zeros(1, 3, 3, 4), zeros(1, 2, 3, 4), zeros(1, 2, 3, 4)), r"2 key/value heads do not divide 3"),
    (lambda: ag.attention(zeros(1, 1, 3, 4), zeros(1, 1, 2, 4), zeros(1, 1, 2, 4), causal=True), r"as many keys as queries"),
    (lambda: ag.attention(zeros(3, 4), zeros(3, 4), zeros(3, 4)), r"attention: .*expected \(B, H, T, D\)"),
    (lambda: ag.cross_entropy(zeros(2, 3), np.array([0, 3])), r"targets from 0 to 3 for 3 classes"),
    (lambda: ag.cross_entropy(zeros(2, 3), np.array([-1, 0])), r"targets from -1 to 0"),
    (lambda: ag.cross_entropy(zeros(2, 3), np.array([0])), r"targets \(1,\) for logits \(2, 3\)"),
    (lambda: ag.cross_entropy(zeros(2, 3), np.zeros((2, 2))), r"targets \(2, 2\) for logits"),
    (lambda: ag.cross_entropy(zeros(2, 3), np.array([0, 1]), weight=np.ones(2)), r"weight \(2,\)"),
    (lambda: ag.cross_entropy(zeros(3), np.array([0])), r"logits \(3,\): expected \(batch, classes\)"),
    (lambda: ag.cross_entropy(zeros(0, 3), np.array([], int)), r"logits \(0, 3\)"),
    (lambda: ag.bce_with_logits(zeros(2, 3), np.zeros((2, 2))), r"bce_with_logits: targets \(2, 2\)"),
    (lambda: ag.kl_divergence(zeros(2, 3), np.zeros((2, 2)), 1.0), r"kl_divergence: student \(2, 3\)"),
    (lambda: ag.mse(zeros(2), zeros(3)), r"mse: shapes \(2,\) and \(3,\) differ"),
    (lambda: ag.packed_attention(zeros(2, 3, 10), 2, 1), r"packed_attention: qkv \(2, 3, 10\) for 2 heads and 1"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), CASES, ids=[m[:40] for _, m in CASES])
def test_shapes_are_named(call, message):
    with pytest.raises(ShapeError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ag.clip(zeros(2), 1, 0), "low 1 is above high 0"),
        (lambda: ag.dropout(zeros(2), 1.0, None), r"p must be in \[0, 1\), got 1.0"),
        (lambda: ag.gelu(zeros(2), "erf"), "unknown GELU approximation 'erf'"),
        (lambda: ag.cross_entropy(zeros(1, 2), [0], 1.0), "label_smoothing"),
        (lambda: ag.kl_divergence(zeros(1, 2), np.zeros((1, 2)), 0), "temperature"),
        (lambda: ag.draw_graph((zeros(2) * 2).sum()).save("graph.png"), "graph.png"),
    ],
)
def test_options_are_named(call, message):
    with pytest.raises(ConfigError, match=message):
        call()


def test_a_forward_that_returns_no_array_is_told_so():
    class Nothing(ag.Function):
        @staticmethod
        def forward(ctx, x):
            return None

    with pytest.raises(TinyTernaryError, match="forward returned NoneType"):
        Nothing.apply(zeros(2))
