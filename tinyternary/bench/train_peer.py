"""The same ViT in PyTorch, written as its users write it: the peer of `bench_train`."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import ViTConfig


def why_no_compile() -> str:
    """Say why `torch.compile` cannot be a peer here, or an empty string if it can."""
    if importlib.util.find_spec("torch") is None:
        return "not installed: torch"
    compilers = [os.environ.get("CXX", ""), "g++", "clang++"]
    found = any(name and shutil.which(name) for name in compilers)
    return "" if found else "torch.compile needs a C++ compiler"


def torch_step(
    config: ViTConfig,
    quantized: bool,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    compiled: bool = False,
) -> Callable[[], float]:
    """Build model and optimiser; return a function that does one training step.

    LayerNorm, `scaled_dot_product_attention`, GELU, cross-entropy, and AdamW as one
    fused kernel (the fastest that PyTorch has on a CPU), in eager mode. A quantised
    layer is the usual ``x + (q(x) - x).detach()``.

    Parameters
    ----------
    config : ViTConfig
        With mean pooling, learned positions, exact GELU.
    quantized : bool
        Whether the encoder's linear layers are W2A8.
    images : (B, C, H, W)
    labels : (B,)
    compiled : bool
        Through `torch.compile`, which compiles during the first steps.
    """
    torch: Any = importlib.import_module("torch")
    functional = torch.nn.functional
    module: Any = torch.nn.Module
    c = config

    class BitLinear(torch.nn.Linear):  # type: ignore[misc]
        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__(inputs, outputs)
            self.norm = torch.nn.RMSNorm(inputs, 1e-5)

        def forward(self, x: Any) -> Any:
            x = self.norm(x)
            scale = 127.0 / x.abs().amax(-1, keepdim=True).clamp(min=1e-5)
            x = x + ((x * scale).round().clamp(-128, 127) / scale - x).detach()
            w = self.weight
            scale = 1.0 / w.abs().mean().clamp(min=1e-5)
            w = w + ((w * scale).round().clamp(-1, 1) / scale - w).detach()
            return functional.linear(x, w, self.bias)

    linear = BitLinear if quantized else torch.nn.Linear

    class Block(module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.norm1 = torch.nn.LayerNorm(c.width, c.norm_eps)
            self.qkv, self.proj = linear(c.width, c.qkv_width), linear(c.width, c.width)
            self.norm2 = torch.nn.LayerNorm(c.width, c.norm_eps)
            self.fc1, self.fc2 = linear(c.width, c.mlp_width), linear(c.mlp_width, c.width)

        def forward(self, x: Any) -> Any:
            b, t, d = x.shape
            qkv = self.qkv(self.norm1(x)).reshape(b, t, 3, c.heads, d // c.heads)
            q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
            mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=c.causal)
            x = x + self.proj(mixed.transpose(1, 2).reshape(b, t, d))
            return x + self.fc2(functional.gelu(self.fc1(self.norm2(x))))

    class Network(module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.patches = torch.nn.Conv2d(c.channels, c.width, c.patch_size, c.patch_size)
            self.positions = torch.nn.Parameter(torch.randn(1, c.tokens, c.width) * 0.02)
            self.blocks = torch.nn.Sequential(*[Block() for _ in range(c.depth)])
            self.norm = torch.nn.LayerNorm(c.width, c.norm_eps)
            self.head = torch.nn.Linear(c.width, c.num_classes)

        def forward(self, x: Any) -> Any:
            x = self.patches(x).flatten(2).transpose(1, 2) + self.positions
            return self.head(self.norm(self.blocks(x).mean(1)))

    torch.manual_seed(0)
    network = Network().train()
    forward = torch.compile(network) if compiled else network
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    x, y = torch.from_numpy(images), torch.from_numpy(labels)

    def step() -> float:
        loss = functional.cross_entropy(forward(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step
