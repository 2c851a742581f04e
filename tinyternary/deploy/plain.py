"""The forward pass of a packed Vision Transformer, plain and in order (lessons 05 and 10).

The network is the one of `tinyternary.models.ViT`; here it is read from a
`PackedFile` and computed without autograd. Shapes: B images, T tokens, D width,
H heads, Dh = D / H.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from tinyternary.config import ViTConfig, vit_matrices
from tinyternary.config.positions import sinusoidal_positions
from tinyternary.deploy import floats
from tinyternary.deploy.format.reader import PackedFile
from tinyternary.deploy.int8_attention import int8_attention, int8_weights
from tinyternary.deploy.packed_layers import F32, Layer, build_layer

_VECTOR = 16  # floats in the longest vector of a processor


def forward(ops: Any, config: ViTConfig, images: Any, record: dict[str, Any] | None = None) -> Any:
    """Walk through a Vision Transformer from images to logits: the one place that says how.

    What a step does is up to `ops`: `Network` computes arrays, and the export to ONNX
    (`tinyternary.deploy.onnx`) appends nodes to a graph, where x is the name of a value.

    `ops` has the methods of `Network` (``add_to(x, y)`` need not keep x); `images` is what its
    ``patches`` takes. A dict passed as `record` receives "features" (B, 1, D or 2 D) and, for
    block i, "blocks.i.attn" (B, H, T, T). Returns logits (B, 1, classes).
    """
    x = ops.layer("patch_embed.proj", ops.patches(images))  # (B, P, D)
    if config.front:
        x = ops.put_in_front(x)  # (B, T, D)
    x = ops.add_positions(x)
    if config.embed_norm:
        x = ops.norm("norm_pre", x)
    for i in range(config.depth):
        x = block(ops, config, f"blocks.{i}", x, record)
    features = pool(ops, config, x)  # (B, 1, D), or 2 D
    if record is not None:
        record["features"] = features
    return ops.layer("head", features)


def block(ops: Any, config: ViTConfig, name: str, x: Any, record: dict[str, Any] | None) -> Any:
    """Add what attention finds, then what the feed-forward network makes of it: (B, T, D)."""
    inner = ops.norm(f"{name}.norm1", x) if config.attn_norm else x
    qkv = ops.layer(f"{name}.attn.qkv", inner)  # (B, T, D + 2 Hkv Dh)
    if record is not None:
        record[f"{name}.attn"] = ops.attention_maps(f"{name}.attn", qkv)
    mixed = ops.attention(f"{name}.attn", qkv)  # (B, T, D)
    x = ops.add(x, ops.layer(f"{name}.attn.proj", mixed))
    inner = ops.norm(f"{name}.norm2", x) if config.mlp_norm else x
    hidden = ops.activation(f"{name}.mlp", ops.layer(f"{name}.mlp.fc1", inner))
    return ops.add_to(x, ops.layer(f"{name}.mlp.fc2", hidden))


def pool(ops: Any, config: ViTConfig, x: Any) -> Any:
    """Turn tokens (B, T, D) into what the head reads: (B, 1, D), with a distillation token 2 D."""
    if config.pool == "mean":
        patches = ops.tokens(x, config.front, config.tokens) if config.front else x
        if config.token_norm:
            return ops.mean(ops.norm("norm", patches))
        return ops.norm("norm", ops.mean(patches))
    if config.pool == "cls":
        return ops.norm("norm", ops.tokens(x, 0, 1))
    return ops.side_by_side(ops.norm("norm", ops.tokens(x, 0, 2)))


class Network:
    """The arrays of a packed model and what each step of `forward` does with them.

    Parameters
    ----------
    packed : PackedFile
    """

    def __init__(self, packed: PackedFile) -> None:
        self.config = packed.header.config
        # half precision is storage: arithmetic is in float32
        self.tensors: dict[str, Any] = {
            name: array.astype(np.float32) if array.dtype == np.float16 else array
            for name, array in packed.tensors.items()
            if not name.endswith((".codes", ".values"))
        }
        self.layers: dict[str, Layer] = {
            matrix.name: build_layer(packed, matrix.name, matrix.outputs, matrix.inputs)
            for matrix in vit_matrices(self.config)
        }
        self._packed = packed

    def __call__(self, x: F32, record: dict[str, Any] | None = None) -> F32:
        """Return logits (B, classes) from preprocessed images (B, C, H, W); see `forward`."""
        logits: F32 = forward(self, self.config, x, record)
        return logits[:, 0]

    def patches(self, images: F32) -> F32:
        """Unfold images (B, C, H, W) into patches (B, P, C p p), in the order C, row, column."""
        c, pad, size = self.config, self.config.padding, self.config.patch_size
        if pad:
            images = np.pad(images, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(2, 3))
        grid = windows[:, :, :: c.step, :: c.step]  # (B, C, rows, columns, p, p)
        flat = np.ascontiguousarray(grid.transpose(0, 2, 3, 1, 4, 5))
        return flat.reshape(len(images), c.grid**2, c.channels * size**2)

    def put_in_front(self, x: F32) -> F32:
        """Put class token and registers before the patches' tokens: (B, T, D)."""
        front = [
            np.broadcast_to(self.tensors[name], (len(x), count, self.config.width))
            for name, count in self.config.front_tokens.items()
        ]
        return np.concatenate((*front, x), axis=1)

    def add_positions(self, x: F32) -> F32:
        """Add to each token where it comes from."""
        return self.add_to(x, positions(self._packed))

    def layer(self, name: str, x: F32) -> F32:
        """Apply the linear layer called `name`: (B, T, K) to (B, T, N)."""
        return self.layers[name](x)

    def norm(self, name: str, x: F32) -> F32:
        """LayerNorm of each token."""
        t = self.tensors
        return floats.layer_norm(x, t[f"{name}.weight"], t[f"{name}.bias"], self.config.norm_eps)

    def attention(self, name: str, qkv: F32) -> F32:
        """(B, T, D + 2 Hkv Dh) to mixed values (B, T, D)."""
        rule = int8_attention if name in self._packed.header.policy else attend
        mixed = rule(*self._heads(qkv), self.config.causal)  # (B, H, T, Dh)
        joined = np.ascontiguousarray(mixed.transpose(0, 2, 1, 3))  # (B, T, H, Dh)
        return joined.reshape(*qkv.shape[:2], self.config.width)

    def attention_maps(self, name: str, qkv: F32) -> F32:
        """Return how much each token takes from each: (B, H, T, T), rows sum to 1."""
        q, k, _ = self._heads(qkv)
        rule = int8_weights if name in self._packed.header.policy else floats.attention_weights
        return rule(q, k, self.config.causal)

    def activation(self, name: str, x: F32) -> F32:
        """Apply the non-linearity of the feed-forward network; may write over `x`."""
        if self.config.activation == "relu_squared":
            np.maximum(x, 0, out=x)
            return np.multiply(x, x, out=x)
        return floats.gelu(x, "tanh" if self.config.activation == "gelu_tanh" else "none")

    def add(self, x: F32, y: F32) -> F32:
        """Add two arrays into a new one."""
        return x + y

    def add_to(self, x: F32, y: F32) -> F32:
        """Add `y` to `x` in place."""
        x += y
        return x

    def tokens(self, x: F32, first: int, last: int) -> F32:
        """Take some of the tokens: (B, last - first, D)."""
        return np.ascontiguousarray(x[:, first:last])

    def side_by_side(self, x: F32) -> F32:
        """Put two tokens into one row: (B, 2, D) to (B, 1, 2 D)."""
        return x.reshape(len(x), 1, self.config.head_inputs)

    def mean(self, x: F32) -> F32:
        """Average over tokens: (B, 1, D)."""
        return np.asarray(x.mean(axis=1, keepdims=True), np.float32)

    def _heads(self, qkv: F32) -> tuple[F32, F32, F32]:
        """Split (B, T, D + 2 Hkv Dh) into q (B, H, T, Dh) and k, v (B, Hkv, T, Dh)."""
        c = self.config
        heads = (c.heads, c.key_value_heads, c.key_value_heads)
        x = qkv.reshape(*qkv.shape[:2], sum(heads), c.head_dim)
        parts = np.split(x, np.cumsum(heads[:2]), axis=2)
        q, k, v = (np.ascontiguousarray(p.transpose(0, 2, 1, 3)) for p in parts)
        return q, k, v


def attend(q: F32, k: F32, v: F32, causal: bool = False) -> F32:
    """Attention; heads are filled up with zeros to whole vectors, which the compiled code wants."""
    width = q.shape[3]
    rest = -width % _VECTOR
    if rest:
        pads = ((0, 0), (0, 0), (0, 0), (0, rest))
        # attention divides by the root of the width that it sees
        q = q * np.float32(sqrt(1 + rest / width))
        q, k, v = (np.pad(x, pads) for x in (q, k, v))
    mixed: F32 = floats.attention(q, k, v, causal=causal)[..., :width]
    return mixed


def positions(packed: PackedFile) -> F32:
    """Return the position embedding (T, D), from the file or from its formula."""
    config, tensors = packed.header.config, packed.tensors
    if config.positions == "sinusoidal":
        table = sinusoidal_positions(config.grid, config.width)
        # what stands in front of the patches comes from nowhere
        return np.pad(table, ((config.front, 0), (0, 0)))
    if "pos_embed.values" in tensors:
        return np.asarray(tensors["pos_embed.values"] * tensors["pos_embed.scale"], np.float32)
    return np.asarray(tensors["pos_embed"], np.float32)
