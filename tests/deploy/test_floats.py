"""The engine's NumPy is training's: the same bits, forward."""

import numpy as np
import pytest

from tinyternary.autograd import Context
from tinyternary.autograd.ops import activations, attention, normalization
from tinyternary.deploy import floats

rng = np.random.default_rng(0)
x, heads = (rng.standard_normal(s).astype(np.float32) for s in ((3, 5, 24), (2, 4, 7, 12)))
weight, bias = rng.standard_normal((2, 24)).astype(np.float32)
OPERATIONS = [
    (floats.layer_norm, normalization.LayerNorm, (x, weight, bias, 1e-5)),
    (floats.layer_norm, normalization.LayerNorm, (x, weight, None, 1e-5)),
    (floats.rms_norm, normalization.RMSNorm, (x, weight, 1e-5)),
    (floats.rms_norm, normalization.RMSNorm, (x, None, 1e-5)),
    (floats.gelu, activations.Gelu, (x, "none")),
    (floats.gelu, activations.Gelu, (x, "tanh")),
    (floats.attention, attention.Attention, (heads, heads[:, 1:3], heads[:, :2])),
]


@pytest.mark.parametrize(("ours", "operation", "inputs"), OPERATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_bits(ours, operation, inputs, dtype):
    inputs = [a.astype(dtype) if isinstance(a, np.ndarray) else a for a in inputs]
    expected = operation.forward(Context(operation), *inputs)
    found = ours.__wrapped__(*inputs)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected)


def test_attention_weights_are_those_that_training_records():
    k = heads[:, :2]
    np.testing.assert_array_equal(
        floats.attention_weights(heads, k), attention.attention_weights(heads, k)
    )
