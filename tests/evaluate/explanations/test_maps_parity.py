"""Rollout and relevance beside a network and its gradients in PyTorch, written anew."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tests.evaluate.explanations.networks import CONFIGS, network, photographs
from tinyternary.evaluate.explanations.maps import METHODS
from tinyternary.evaluate.explanations.pixels import to_pixels
from tinyternary.evaluate.explanations.trace import trace
from tinyternary.quant import BitLinear, ternarize

torch = pytest.importorskip("torch")
F = torch.nn.functional
pytestmark = pytest.mark.parity


def linear(model, name, x):
    """A float layer, or a BitLinear whose roundings the gradient does not see."""
    layer = model
    for part in name.split("."):
        layer = layer[int(part)] if isinstance(layer, list) else getattr(layer, part)
    bias = None if layer.bias is None else torch.tensor(layer.bias.data)
    weight = layer.weight.data
    if isinstance(layer, BitLinear):
        x = x * torch.rsqrt((x * x).mean(-1, keepdim=True) + layer.norm.eps)
        x = x * torch.tensor(layer.norm.weight.data)
        scale = x.detach().abs().amax(-1, keepdim=True) / 127
        x = x + (torch.round(x / scale) * scale - x).detach()
        alpha = np.abs(weight).mean()
        weight = alpha * np.clip(np.round(weight / alpha), -1, 1)
    return F.linear(x, torch.tensor(weight).to(x), bias)


def norm(module, x):
    weight, bias = (torch.tensor(p.data) for p in (module.weight, module.bias))
    return F.layer_norm(x, x.shape[-1:], weight, bias, module.eps)


def torch_maps(model, inputs):
    """Maps by method, with attention weights as leaves that autograd differentiates."""
    c = model.config
    x = torch.tensor(inputs, requires_grad=True)
    patches = F.unfold(x, c.patch_size, padding=c.padding, stride=c.step).transpose(1, 2)
    t = linear(model, "patch_embed.proj", patches)
    front = [torch.tensor(getattr(model, n).data).expand(len(t), -1, -1) for n in c.front_tokens]
    t = torch.cat([*front, t], 1) + torch.tensor(model.pos_embed.data)
    shares = []
    for i, block in enumerate(model.blocks):
        qkv = linear(model, f"blocks.{i}.attn.qkv", norm(block.norm1, t))
        split = [c.width, c.key_value_heads * c.head_dim, c.key_value_heads * c.head_dim]
        q, k, v = (
            part.reshape(len(t), c.tokens, -1, c.head_dim).transpose(1, 2)
            for part in qkv.split(split, -1)
        )
        k, v = (part.repeat_interleave(c.heads // c.key_value_heads, 1) for part in (k, v))
        scores = q @ k.transpose(-1, -2) / c.head_dim**0.5
        if c.causal:
            ahead = torch.ones(c.tokens, c.tokens, dtype=torch.bool).triu(1)
            scores = scores.masked_fill(ahead, -torch.inf)
        shares.append(scores.softmax(-1))
        mixed = (shares[-1] @ v).transpose(1, 2).reshape(t.shape)
        t = t + linear(model, f"blocks.{i}.attn.proj", mixed)
        hidden = F.gelu(linear(model, f"blocks.{i}.mlp.fc1", norm(block.norm2, t)))
        t = t + linear(model, f"blocks.{i}.mlp.fc2", hidden)
    read = {"mean": slice(c.front, None), "cls": slice(0, 1), "distilled": slice(0, 2)}[c.pool]
    pooled = t[:, read].mean(1, keepdim=True) if c.pool == "mean" else t[:, read]
    logits = linear(model, "head", norm(model.norm, pooled).flatten(1))
    grads = torch.autograd.grad(logits.max(1).values.sum(), [x, *shares])

    flow = relevant = torch.eye(c.tokens, dtype=x.dtype)
    for share, grad in zip(shares, grads[1:]):
        both = share.mean(1) + torch.eye(c.tokens, dtype=x.dtype)
        flow = (both / both.sum(-1, keepdim=True)) @ flow
        relevant = relevant + (grad * share).clamp(min=0).mean(1) @ relevant
    shape = {"kernel_size": c.patch_size, "padding": c.padding, "stride": c.step}
    pixels = {}
    for name, each in {"rollout": flow, "relevance": relevant}.items():
        pixels[name] = each[:, read, c.front :].mean(1)
    used = F.unfold(grads[0] * x, **shape).sum(1)
    pixels["gradient x input"] = used
    size, area = (c.image_size,) * 2, c.patch_size**2
    ones = F.fold(torch.ones(1, area, c.grid**2, dtype=x.dtype), size, **shape)
    return logits.detach().numpy(), {
        name: (F.fold(each[:, None].expand(-1, area, -1), size, **shape) / ones)[:, 0]
        .detach()
        .numpy()
        for name, each in pixels.items()
    }


@settings(max_examples=15)
@given(config=CONFIGS, seed=st.integers(0, 99), ternary=st.booleans())
def test_maps_are_those_of_pytorch(config, seed, ternary):
    model = network(config, seed)
    if ternary:
        ternarize(model, "all-linear")
    for parameter in model.parameters():  # in double precision no rounding falls the other way
        parameter.data = parameter.data.astype(np.float64)
    images, prepare = photographs(config, seed=seed)
    inputs = prepare(images).astype(np.float64)
    logits, wanted = torch_maps(model, inputs)
    found = trace(model, inputs)
    np.testing.assert_allclose(found.logits, logits, rtol=1e-5, atol=1e-5)
    for name, method in METHODS.items():
        maps = to_pixels(method(model, found), config)
        scale = np.abs(wanted[name]).max()
        np.testing.assert_allclose(maps, wanted[name], atol=1e-5 * max(scale, 1), err_msg=name)
