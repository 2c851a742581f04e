"""Seven bits of activations: the same rule in training code, reference and kernels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinyternary import kernels
from tinyternary.autograd import Tensor
from tinyternary.errors import ConfigError
from tinyternary.kernels import reference
from tinyternary.models import ViT, preset
from tinyternary.nn import Linear
from tinyternary.quant import BitLinear, LayerQuant, absmax, set_activation_bits, ternarize


@given(
    seed=st.integers(0, 2**32 - 1), k=st.integers(1, 80), bits=st.sampled_from([(8, 127), (7, 63)])
)
def test_codes_are_those_of_the_kernels_reference(seed, k, bits):
    x = np.random.default_rng(seed).normal(size=(4, k)).astype(np.float32)
    x[1] = 0
    codes, scale = absmax(x, bits[0])
    wanted, rows = reference.quantize(x, bits[1])
    assert np.array_equal(codes, wanted)
    assert np.array_equal(scale[:, 0], rows)
    assert np.abs(codes).max() <= bits[1]


@pytest.mark.parametrize("norm", [True, False])
def test_a_layer_computes_what_the_seven_bit_kernel_computes(norm, rng):
    linear = Linear(96, 40, True, rng)
    layer = BitLinear(linear, LayerQuant(norm=norm))
    x = rng.normal(size=(10, 96)).astype(np.float32)
    eight = layer(Tensor(x)).numpy()
    set_activation_bits(layer, 7)
    got = layer(Tensor(x)).numpy()
    rows = layer.norm(Tensor(x)).numpy() if norm else x
    q = layer.quantized()
    fused = kernels.TernaryLinear(kernels.pack(q.trits), q.scale, linear.bias.data, inputs="int7")
    np.testing.assert_allclose(got, fused(rows), rtol=1e-4, atol=1e-5)
    assert not np.allclose(got, eight, rtol=1e-4, atol=1e-5)
    set_activation_bits(layer, 8)
    assert np.array_equal(layer(Tensor(x)).numpy(), eight)


def test_what_cannot_be_set_is_said_in_one_line():
    model = ViT(preset("tiny", num_classes=2), seed=0)
    with pytest.raises(ConfigError, match="no layer of this model has int8"):
        set_activation_bits(model, 7)
    ternarize(model, "all-linear")
    with pytest.raises(ConfigError, match="expected 8 or 7, got 6"):
        set_activation_bits(model, 6)
