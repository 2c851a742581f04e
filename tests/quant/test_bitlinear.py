"""BitLinear against one written from its definition in PyTorch, and what it refuses."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinyternary.autograd import Tensor, cross_entropy
from tinyternary.errors import ConfigError, NonFiniteError
from tinyternary.models import ViT, preset
from tinyternary.nn import Linear
from tinyternary.quant import (
    BitLinear,
    LayerQuant,
    describe,
    set_sharpness,
    set_strength,
    ternarize,
)
from tinyternary.quant.registry import ACTIVATIONS, WEIGHTS


def layer(inputs, outputs, seed=0, bias=True, **rule):
    rng = np.random.default_rng(seed)
    linear = Linear(inputs, outputs, bias, rng)
    if bias:
        linear.bias.data[:] = rng.standard_normal(outputs)
    bit = BitLinear(linear, LayerQuant(**rule))
    if bit.norm is not None:
        bit.norm.weight.data[:] = 1 + 0.3 * rng.standard_normal(inputs)
    return bit


# ---- PyTorch -------------------------------------------------------------------------


def torch_bitlinear(x, weight, bias, norm_weight):
    """BitNet b1.58's BitLinear as its authors describe it; gradients by detach."""
    import torch

    if norm_weight is not None:
        x = x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-5) * norm_weight
    scale = 127.0 / x.abs().amax(-1, keepdim=True).clamp(min=1e-5)
    x_q = (x * scale).round().clamp(-128, 127) / scale
    alpha = weight.abs().mean().clamp(min=1e-5)
    w_q = (weight / alpha).round().clamp(-1, 1) * alpha
    x = x + (x_q - x).detach()
    w = weight + (w_q - weight).detach()
    return torch.nn.functional.linear(x, w, bias)


@pytest.mark.parity
@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("inputs", "outputs"), [(16, 8), (50, 33), (192, 64)])
def test_bitlinear_equals_pytorch_forward_and_backward(norm, bias, inputs, outputs):
    torch = pytest.importorskip("torch")
    ours = layer(inputs, outputs, bias=bias, norm=norm)
    rng = np.random.default_rng(1)
    x = rng.standard_normal((4, 7, inputs)).astype(np.float32)
    grad = rng.standard_normal((4, 7, outputs)).astype(np.float32)

    def leaf(array):
        return None if array is None else torch.tensor(array, requires_grad=True)

    x_t, w_t = leaf(x), leaf(ours.weight.data)
    b_t = leaf(ours.bias.data if bias else None)
    n_t = leaf(ours.norm.weight.data if norm else None)
    expected = torch_bitlinear(x_t, w_t, b_t, n_t)
    expected.backward(torch.from_numpy(grad))

    x_o = Tensor(x, requires_grad=True)
    out = ours(x_o)
    out.backward(grad)
    pairs = [(out.data, expected.detach()), (x_o.grad, x_t.grad), (ours.weight.grad, w_t.grad)]
    if bias:
        pairs.append((ours.bias.grad, b_t.grad))
    if norm:
        pairs.append((ours.norm.weight.grad, n_t.grad))
    for got, want in pairs:
        want = want.numpy()
        np.testing.assert_allclose(got, want, atol=1e-5 * max(1.0, np.abs(want).max()))


def torch_vit(model, x):
    """The whole network written again in PyTorch; ternary where `model.policy` says so."""
    import torch
    from torch.nn import functional

    c = model.config
    p = {n: torch.tensor(a, requires_grad=True) for n, a in model.state_dict().items()}

    def linear(name, x):
        weight, bias = p[f"{name}.weight"], p.get(f"{name}.bias")
        if name in model.policy:
            return torch_bitlinear(x, weight, bias, p.get(f"{name}.norm.weight"))
        return functional.linear(x, weight, bias)

    def norm(name, x):
        return functional.layer_norm(
            x, (c.width,), p[f"{name}.weight"], p[f"{name}.bias"], c.norm_eps
        )

    patches = functional.unfold(x, c.patch_size, stride=c.patch_size).transpose(1, 2)
    t = linear("patch_embed.proj", patches) + p["pos_embed"]
    batch, tokens, _ = t.shape
    for i in range(c.depth):
        h = norm(f"blocks.{i}.norm1", t) if c.attn_norm else t
        qkv = linear(f"blocks.{i}.attn.qkv", h)
        sizes = [c.width, *[c.key_value_heads * c.head_dim] * 2]
        q, k, v = (
            part.reshape(batch, tokens, -1, c.head_dim).transpose(1, 2)
            for part in qkv.split(sizes, -1)
        )
        k, v = (a.repeat_interleave(c.heads // c.key_value_heads, 1) for a in (k, v))
        weights = (q @ k.transpose(-1, -2) / c.head_dim**0.5).softmax(-1)
        mixed = (weights @ v).transpose(1, 2).reshape(batch, tokens, c.width)
        t = t + linear(f"blocks.{i}.attn.proj", mixed)
        h = norm(f"blocks.{i}.norm2", t) if c.mlp_norm else t
        h = functional.gelu(linear(f"blocks.{i}.mlp.fc1", h))
        t = t + linear(f"blocks.{i}.mlp.fc2", h)
    return linear("head", norm("norm", t.mean(1))), p


@pytest.mark.parity
@pytest.mark.parametrize("policy", ["bitmedvit", "all-linear"])
@pytest.mark.parametrize("changes", [
    {}, {"kv_heads": 1, "mlp_norm": False, "mlp_bias": False},
    {"attn_norm": False, "mlp_norm": False},
])  # fmt: skip
def test_the_whole_network_equals_pytorch_forward_and_backward(policy, changes):
    torch = pytest.importorskip("torch")
    config = preset("tiny", depth=2, width=32, heads=4, mlp_width=64, num_classes=3, **changes)
    x = np.random.default_rng(1).standard_normal((3, 3, 28, 28)).astype(np.float32)
    labels = np.array([0, 2, 1])
    # an activation beside a rounding boundary may fall to either side with the last bit of
    # float32: in float64 both sides see the same numbers
    model = ternarize(ViT(config, seed=4), policy)
    for parameter in model.parameters():
        parameter.data = parameter.data.astype(np.float64)
    logits = model(x.astype(np.float64))
    cross_entropy(logits, labels).backward()
    expected, theirs = torch_vit(model, torch.from_numpy(x).double())
    torch.nn.functional.cross_entropy(expected, torch.from_numpy(labels)).backward()
    np.testing.assert_allclose(logits.data, expected.detach().numpy(), atol=1e-5)
    for name, parameter in model.named_parameters():
        want = theirs[name].grad.numpy()
        np.testing.assert_allclose(parameter.grad, want, atol=1e-5 * max(1.0, np.abs(want).max()))


# ---- integers ------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["tensor", "channel", 8])
@pytest.mark.parametrize("activation", [a for a in ACTIVATIONS if a != "none"])
@pytest.mark.parametrize("weight", WEIGHTS)
def test_training_computes_what_integers_compute(rng, weight, activation, size):
    """Fake quantisation against int64 sums per group of the codes and one rescale each."""
    bit = layer(16, 6, weight=weight, granularity=size, activation=activation)
    x = rng.standard_normal((5, 16)).astype(np.float32)
    codes, step = bit.activation.quantize(bit.norm(Tensor(x)).data)
    q = bit.quantized()
    values = getattr(q, "trits", getattr(q, "values", None)).astype(np.int64)
    scale = np.broadcast_to(np.atleast_2d(q.scale), (6, np.atleast_2d(q.scale).shape[1]))
    groups = scale.shape[1]
    negative = getattr(q, "scale_negative", None)
    negative = scale if negative is None else np.broadcast_to(np.atleast_2d(negative), scale.shape)
    expected = np.zeros((5, 6))
    for g in range(groups):
        part = slice(g * 16 // groups, (g + 1) * 16 // groups)
        plus = codes[:, part].astype(np.int64) @ np.maximum(values[:, part], 0).T
        minus = codes[:, part].astype(np.int64) @ np.minimum(values[:, part], 0).T
        expected += plus * scale[:, g].astype(np.float64) + minus * negative[:, g].astype(
            np.float64
        )
    expected = expected * step + bit.bias.data
    np.testing.assert_allclose(bit(Tensor(x)).data, expected, rtol=1e-4, atol=1e-5)


@given(st.integers(0, 2**31), st.sampled_from(["absmean", "twn"]), st.floats(0.01, 100))
def test_the_norm_makes_the_layer_blind_to_the_size_of_its_input(seed, weight, factor):
    bit = layer(32, 4, weight=weight)
    x = np.random.default_rng(seed).standard_normal((3, 32)) + 1
    a, b = bit(Tensor(x)).data, bit(Tensor(x * factor)).data
    # up to the norm's epsilon, and one int8 step where that moves a rounding
    np.testing.assert_allclose(a, b, atol=0.05 * np.abs(a).max() + 0.05)


def test_the_bias_is_really_added():
    bit = layer(16, 4)
    x = Tensor(np.ones((2, 16), np.float32))
    with_bias = bit(x).data
    bit.bias.data += 3
    np.testing.assert_allclose(bit(x).data, with_bias + 3, rtol=1e-6)


def test_nothing_stale_after_the_optimiser_moves_the_weights():
    bit = layer(16, 4)
    x = Tensor(np.ones((2, 16), np.float32))
    before, trits = bit(x).data, bit.quantized().trits
    bit.weight.data *= -1
    np.testing.assert_allclose(bit(x).data - bit.bias.data, -(before - bit.bias.data), atol=1e-5)
    np.testing.assert_array_equal(bit.quantized().trits, -trits)


# ---- gradual -------------------------------------------------------------------------


def test_strength_goes_from_float_to_ternary():
    bit = layer(16, 4)
    x = Tensor(np.random.default_rng(0).standard_normal((5, 16)).astype(np.float32))
    full = bit(x).data
    set_strength(bit, 0.0)
    normed = bit.norm(x).data
    np.testing.assert_allclose(bit(x).data, normed @ bit.weight.data.T + bit.bias.data, atol=1e-5)
    set_strength(bit, 0.25)
    codes, step = bit.activation.quantize(normed)
    mixed_x = normed + 0.25 * (codes * step - normed)
    latent = bit.weight.data
    mixed_w = latent + 0.25 * (bit.quantizer.quantize(latent).dequantize() - latent)
    np.testing.assert_allclose(bit(x).data, mixed_x @ mixed_w.T + bit.bias.data, atol=1e-5)
    with pytest.raises(ConfigError, match=r"strength 0\.25"):
        bit.quantized()
    set_strength(bit, 1.0)
    np.testing.assert_array_equal(bit(x).data, full)


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_the_identity_rule_gives_the_same_gradient_at_any_strength(strength):
    # d/dw of w + s (q(w) - w) is 1 - s + s = 1
    bit = layer(8, 3, activation="none", norm=False, bias=False)
    set_strength(bit, strength)
    x = np.random.default_rng(0).standard_normal((4, 8)).astype(np.float32)
    bit(Tensor(x)).sum().backward()
    np.testing.assert_allclose(bit.weight.grad, np.tile(x.sum(0), (3, 1)), rtol=1e-5)


def test_sharpness_reaches_every_soft_rule():
    model = ternarize(ViT(preset("tiny")), {"blocks.*": LayerQuant(ste="soft")})
    set_sharpness(model, 7.0)
    quantizers = [m.quantizer for m in model.modules() if isinstance(m, BitLinear)]
    assert len(quantizers) == 16
    assert all(q.sharpness == 7.0 for q in quantizers)


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_impossible_strengths_are_refused(value):
    with pytest.raises(ConfigError, match="strength"):
        set_strength(layer(4, 2), value)
    with pytest.raises(ConfigError, match="sharpness"):
        set_sharpness(layer(4, 2), -1.0)


# ---- bad input -----------------------------------------------------------------------


def test_zero_layers_are_named_and_harmless():
    model = ViT(preset("tiny"))
    model.blocks[1].mlp.fc2.weight.data[:] = 0
    with pytest.warns(UserWarning, match=r"blocks\.1\.mlp\.fc2: every weight quantises to 0"):
        ternarize(model, "all-linear")
    x = np.random.default_rng(0).standard_normal((2, 3, 28, 28)).astype(np.float32)
    loss = cross_entropy(model(x), np.array([0, 1]))
    loss.backward()
    assert all(np.isfinite(p.grad).all() for p in model.parameters())
    fc2 = model.blocks[1].mlp.fc2
    with pytest.warns(UserWarning, match=r"blocks\.1\.mlp\.fc2"):
        q = fc2.quantized()
    assert not q.trits.any()
    assert 0 < q.scale < np.inf


def test_layers_with_weights_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = ternarize(ViT(preset("tiny")), "everything")
        for module in model.modules():
            if isinstance(module, BitLinear):
                module.quantized()


@pytest.mark.parametrize("weight", WEIGHTS)
def test_weights_that_are_not_finite_are_named(weight):
    bit = layer(8, 4, weight=weight)
    bit.name = "blocks.0.mlp.fc1"
    bit.weight.data[1, 2] = np.nan
    for act in (bit.quantized, lambda: bit(Tensor(np.ones((1, 8), np.float32)))):
        with pytest.raises(NonFiniteError, match=r"blocks\.0\.mlp\.fc1: weights: 1 of 32 entries"):
            act()
    model = ViT(preset("tiny"))
    model.blocks[2].attn.qkv.weight.data[0, 0] = np.inf
    with pytest.raises(NonFiniteError, match=r"blocks\.2\.attn\.qkv"):
        ternarize(model, {"blocks.*": LayerQuant(weight=weight)})
    assert isinstance(model.blocks[0].attn.qkv, Linear), "nothing may be half done"


def test_groups_that_do_not_fit_are_named():
    with pytest.raises(ConfigError, match=r"blocks\.0\.attn\.qkv: granularity: groups of 48"):
        ternarize(ViT(preset("tiny")), {"blocks.*": LayerQuant(granularity=48)})


def test_describe_shows_every_matrix():
    rule = LayerQuant("ttq", granularity=32)
    model = ternarize(
        ViT(preset("tiny", num_classes=2)),
        {
            "head": "int8",
            "blocks.0.mlp.fc1": rule,
            "blocks.0.mlp.fc2": LayerQuant("int4", "channel"),
        },
    )
    rows = {row.name: row for row in describe(model)}
    assert len(rows) == 18
    fc1 = rows["blocks.0.mlp.fc1"]
    assert fc1.shape == (256, 64)
    assert fc1.nbytes == 256 * 64 // 4 + 4 * 2 * 256 * 2  # codes, and two scales a group
    assert fc1.bits == pytest.approx(8 * fc1.nbytes / (256 * 64))
    assert rows["blocks.0.mlp.fc2"].nbytes == 64 * 256 // 2 + 4 * 64
    assert rows["head"].nbytes == 2 * 64 + 4
    assert rows["patch_embed.proj"].nbytes == 4 * 64 * 48
    assert rows["patch_embed.proj"].bits == 32
    text = str(describe(model))
    for word in (
        "ttq per group of 32, int8 input",
        "int4 per channel",
        "float32",
        "256 x 64",
        "bytes",
    ):
        assert word in text
    assert f"{describe(model).nbytes:,}" in text
