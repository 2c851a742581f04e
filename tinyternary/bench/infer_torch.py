"""The network of a packed file in PyTorch: a peer, and what other peers are converted from."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def torch_run(path: Path, threads: int) -> Callable[[NDArray[np.uint8]], Any]:
    """Return what answers for a batch (B, S, S, C) uint8 in eager mode."""
    torch: Any = importlib.import_module("torch")
    network = torch_network(path)

    def run(images: NDArray[np.uint8]) -> Any:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            return network(torch.from_numpy(images)).numpy()

    return run


def torch_network(path: Path) -> Callable[[Any], Any]:
    """Build the network of a float packed file from PyTorch's functions.

    Returns
    -------
    callable
        From images, a tensor (B, S, S, C) uint8, to logits (B, classes).
    """
    from tinyternary.deploy.format.reader import read_packed
    from tinyternary.deploy.plain import positions

    torch: Any = importlib.import_module("torch")
    f: Any = importlib.import_module("torch.nn.functional")
    packed = read_packed(path)
    c, prepare = packed.header.config, packed.header.preprocessing
    w = {name: torch.from_numpy(array.copy()) for name, array in packed.tensors.items()}
    w["pos_embed"] = torch.from_numpy(positions(packed).copy())
    mean = torch.tensor(prepare.mean).reshape(1, 1, 1, -1)
    std = torch.tensor(prepare.std).reshape(1, 1, 1, -1)
    approximate = "tanh" if c.activation == "gelu_tanh" else "none"

    def linear(name: str, x: Any) -> Any:
        return f.linear(x, w[f"{name}.weight"], w.get(f"{name}.bias"))

    def norm(name: str, x: Any) -> Any:
        weight, bias = w[f"{name}.weight"], w[f"{name}.bias"]
        return f.layer_norm(x, (c.width,), weight, bias, c.norm_eps)

    def block(name: str, x: Any) -> Any:
        qkv = linear(f"{name}.attn.qkv", norm(f"{name}.norm1", x) if c.attn_norm else x)
        kv = c.key_value_heads
        heads = qkv.reshape(len(x), c.tokens, c.heads + 2 * kv, c.head_dim).transpose(1, 2)
        q, k, v = heads.split((c.heads, kv, kv), dim=1)
        mixed = f.scaled_dot_product_attention(
            q, k, v, is_causal=c.causal, enable_gqa=kv != c.heads
        )
        x = x + linear(f"{name}.attn.proj", mixed.transpose(1, 2).reshape(x.shape))
        hidden = linear(f"{name}.mlp.fc1", norm(f"{name}.norm2", x) if c.mlp_norm else x)
        hidden = (
            f.relu(hidden).square()
            if c.activation == "relu_squared"
            else f.gelu(hidden, approximate=approximate)
        )
        return x + linear(f"{name}.mlp.fc2", hidden)

    kernel = w["patch_embed.proj.weight"].reshape(c.width, c.channels, c.patch_size, c.patch_size)

    def network(images: Any) -> Any:
        x = images.to(torch.float32).div(255).sub(mean).div(std)
        x = f.conv2d(x.permute(0, 3, 1, 2), kernel, w["patch_embed.proj.bias"], c.step, c.padding)
        x = x.flatten(2).transpose(1, 2)
        front = [w[name].expand(len(x), count, -1) for name, count in c.front_tokens.items()]
        x = torch.cat((*front, x), dim=1) + w["pos_embed"]
        x = norm("norm_pre", x) if c.embed_norm else x
        for i in range(c.depth):
            x = block(f"blocks.{i}", x)
        if c.pool == "mean":
            x = norm("norm", x) if c.token_norm else x
            x = x[:, c.front :].mean(dim=1)
            return linear("head", x if c.token_norm else norm("norm", x))
        read = norm("norm", x[:, : 2 if c.pool == "distilled" else 1])
        return linear("head", read.flatten(1))

    return network
