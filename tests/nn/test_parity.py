"""Layers against PyTorch's own with the same weights: forward, and every gradient."""

import numpy as np
import pytest

from tinyternary import nn
from tinyternary.autograd import Tensor

torch = pytest.importorskip("torch")
F = torch.nn.functional
pytestmark = pytest.mark.parity


def fill(module, seed=0):
    rng = np.random.default_rng(seed)
    for parameter in module.parameters():
        parameter.data = rng.standard_normal(parameter.shape) * 0.3
    return module


def compare(ours, theirs, names, x, exact=1e-10):
    """`names` maps our parameter names to theirs; values and gradients must agree."""
    target = dict(theirs.named_parameters())
    theirs.to(torch.float64)
    for name, parameter in ours.named_parameters():
        target[names.get(name, name)].data.copy_(
            torch.from_numpy(parameter.data).reshape(target[names.get(name, name)].shape)
        )
    mine, other = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    result, expected = ours(mine), theirs(other)
    np.testing.assert_allclose(result.data, expected.detach().numpy(), rtol=exact, atol=exact)
    upstream = np.random.default_rng(9).standard_normal(result.shape)
    result.backward(upstream)
    expected.backward(torch.from_numpy(upstream))
    np.testing.assert_allclose(mine.grad, other.grad.numpy(), rtol=exact, atol=exact)
    for name, parameter in ours.named_parameters():
        grad = target[names.get(name, name)].grad.numpy().reshape(parameter.shape)
        np.testing.assert_allclose(parameter.grad, grad, rtol=exact, atol=exact, err_msg=name)


def normal(*shape):
    return np.random.default_rng(7).standard_normal(shape)


def test_linear():
    compare(fill(nn.Linear(5, 7)), torch.nn.Linear(5, 7), {}, normal(2, 3, 5))


def test_norms():
    compare(fill(nn.LayerNorm(6, 1e-6)), torch.nn.LayerNorm(6, 1e-6), {}, normal(4, 6))
    compare(fill(nn.RMSNorm(6, 1e-5)), torch.nn.RMSNorm(6, 1e-5), {}, normal(4, 6))


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_layers_in_a_row(approximate):
    ours = fill(nn.Sequential(nn.Linear(5, 7), nn.GELU(approximate), nn.Linear(7, 3)))
    theirs = torch.nn.Sequential(
        torch.nn.Linear(5, 7), torch.nn.GELU(approximate), torch.nn.Linear(7, 3)
    )
    names = {name: name.removeprefix("layers.") for name in ours.state_dict()}
    compare(ours, theirs, names, normal(2, 3, 5))


@pytest.mark.parametrize(
    ("patch", "stride", "side"), [(4, 4, 12), (4, 2, 12), (8, 4, 28), (3, 1, 7)]
)
def test_patch_embedding_is_a_strided_convolution(patch, stride, side):
    class Convolution(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(2, 5, patch, stride, (patch - stride) // 2)

        def forward(self, x):
            return self.conv(x).flatten(2).transpose(1, 2)

    names = {"proj.weight": "conv.weight", "proj.bias": "conv.bias"}
    ours = fill(nn.PatchEmbed(patch, 2, 5, stride))
    compare(ours, Convolution(), names, normal(2, 2, side, side))


def test_multi_head_attention_equals_torch_multihead_attention():
    class Wrapped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.attn = torch.nn.MultiheadAttention(12, 3, batch_first=True)

        def forward(self, x):
            return self.attn(x, x, x, need_weights=False)[0]

    names = {"qkv.weight": "attn.in_proj_weight", "qkv.bias": "attn.in_proj_bias",
             "proj.weight": "attn.out_proj.weight", "proj.bias": "attn.out_proj.bias"}  # fmt: skip
    compare(fill(nn.Attention(12, 3)), Wrapped(), names, normal(2, 5, 12))


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_grouped_attention_equals_torch_with_repeated_heads(kv_heads):
    class Grouped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv = torch.nn.Linear(12, 12 + 2 * kv_heads * 3)
            self.proj = torch.nn.Linear(12, 12)

        def forward(self, x):
            q, k, v = self.qkv(x).split((12, kv_heads * 3, kv_heads * 3), -1)
            q, k, v = (z.unflatten(-1, (-1, 3)).transpose(1, 2) for z in (q, k, v))
            k, v = (z.repeat_interleave(4 // kv_heads, 1) for z in (k, v))
            mixed = F.scaled_dot_product_attention(q, k, v)
            return self.proj(mixed.transpose(1, 2).flatten(2))

    compare(fill(nn.Attention(12, 4, kv_heads)), Grouped(), {}, normal(2, 5, 12))


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "relu"])
def test_encoder_block_equals_torch_encoder_layer(activation):
    rng = np.random.default_rng(0)
    ours = nn.EncoderBlock(
        nn.LayerNorm(12, 1e-6), nn.Attention(12, 3, rng=rng), nn.LayerNorm(12, 1e-6),
        nn.Mlp(12, 20, activation, rng=rng),
    )  # fmt: skip
    function = {"gelu": F.gelu, "relu": F.relu, "gelu_tanh": torch.nn.GELU("tanh")}[activation]
    theirs = torch.nn.TransformerEncoderLayer(
        12, 3, 20, dropout=0.0, activation=function, layer_norm_eps=1e-6, batch_first=True, norm_first=True,
    )  # fmt: skip
    names = {
        "attn.qkv.weight": "self_attn.in_proj_weight", "attn.qkv.bias": "self_attn.in_proj_bias",
        "attn.proj.weight": "self_attn.out_proj.weight", "attn.proj.bias": "self_attn.out_proj.bias",
        "mlp.fc1.weight": "linear1.weight", "mlp.fc1.bias": "linear1.bias",
        "mlp.fc2.weight": "linear2.weight", "mlp.fc2.bias": "linear2.bias",
    }  # fmt: skip
    compare(fill(ours), theirs, names, normal(2, 5, 12))


def test_losses_as_modules():
    logits, labels = normal(6, 4), np.array([0, 1, 2, 3, 0, 1])
    weight = np.linspace(1, 2, 4)
    x = torch.from_numpy(logits)
    ours = nn.CrossEntropyLoss(0.1, weight)(logits, labels).item()
    theirs = torch.nn.CrossEntropyLoss(torch.from_numpy(weight), label_smoothing=0.1)
    assert ours == pytest.approx(theirs(x, torch.from_numpy(labels)).item(), rel=1e-12)
    binary = (normal(6, 4) > 0).astype(np.float64)
    assert nn.BCEWithLogitsLoss()(logits, binary).item() == pytest.approx(
        torch.nn.BCEWithLogitsLoss()(x, torch.from_numpy(binary)).item(), rel=1e-12
    )
    teacher = torch.from_numpy(normal(6, 4) * 3)
    expected = 9 * F.kl_div((x / 3).log_softmax(1), (teacher / 3).softmax(1), reduction="batchmean")
    assert nn.KLDivergenceLoss(3.0)(logits, teacher.numpy()).item() == pytest.approx(
        expected.item(), rel=1e-12
    )
