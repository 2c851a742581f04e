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
from tinyternary.deploy.layers import F32, Layer, build_layer

_VECTOR = 16  # floats in the longest vector of a processor


class Network:
    """The arrays of a packed model joined into a network.

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
        self._positions: F32 | None = None

    @property
    def positions(self) -> F32:
        """Position embedding (T, D), made when first used: a header may claim many tokens."""
        if self._positions is None:
            self._positions = positions(self._packed)
        return self._positions

    def __call__(self, x: F32, record: dict[str, Any] | None = None) -> F32:
        """Return logits (B, classes) from preprocessed images (B, C, H, W).

        A dict passed as `record` receives "features" (B, D) and, for block i,
        "blocks.i.attn" (B, H, T, T).
        """
        config = self.config
        tokens = self.layers["patch_embed.proj"](patches(x, config))  # (B, P, D)
        if config.pool == "cls":
            first = np.broadcast_to(self.tensors["cls_token"], (len(x), 1, config.width))
            tokens = np.concatenate((first, tokens), axis=1)  # (B, T, D)
        tokens += self.positions
        for i in range(config.depth):
            tokens = self._block(tokens, f"blocks.{i}", record)
        pooled = tokens[:, 0] if config.pool == "cls" else tokens.mean(axis=1)
        features = self._norm(np.ascontiguousarray(pooled), "norm")
        if record is not None:
            record["features"] = features
        return self.layers["head"](features[:, None])[:, 0]

    def _norm(self, x: F32, name: str) -> F32:
        t = self.tensors
        return floats.layer_norm(x, t[f"{name}.weight"], t[f"{name}.bias"], self.config.norm_eps)

    def _block(self, x: F32, name: str, record: dict[str, Any] | None) -> F32:
        config = self.config
        inner = self._norm(x, f"{name}.norm1") if config.attn_norm else x
        q, k, v = self._heads(self.layers[f"{name}.attn.qkv"](inner))
        if record is not None:
            record[f"{name}.attn"] = floats.attention_weights(q, k)
        mixed = attend(q, k, v)  # (B, H, T, Dh)
        joined = np.ascontiguousarray(mixed.transpose(0, 2, 1, 3)).reshape(x.shape)
        x = x + self.layers[f"{name}.attn.proj"](joined)
        inner = self._norm(x, f"{name}.norm2") if config.mlp_norm else x
        hidden = activate(self.layers[f"{name}.mlp.fc1"](inner), config)
        x += self.layers[f"{name}.mlp.fc2"](hidden)
        return x

    def _heads(self, qkv: F32) -> tuple[F32, F32, F32]:
        """Split (B, T, D + 2 Hkv Dh) into q (B, H, T, Dh) and k, v (B, Hkv, T, Dh)."""
        c = self.config
        parts = np.split(qkv, (c.width, c.width + c.key_value_heads * c.head_dim), axis=2)
        q, k, v = (
            np.ascontiguousarray(
                part.reshape(*part.shape[:2], part.shape[2] // c.head_dim, c.head_dim).transpose(
                    0, 2, 1, 3
                )
            )
            for part in parts
        )
        return q, k, v


def attend(q: F32, k: F32, v: F32) -> F32:
    """Attention; heads are filled up with zeros to whole vectors, which the compiled code wants."""
    width = q.shape[3]
    rest = -width % _VECTOR
    if rest:
        pads = ((0, 0), (0, 0), (0, 0), (0, rest))
        # attention divides by the root of the width that it sees
        q, k, v = (
            np.pad(q * np.float32(sqrt(1 + rest / width)), pads),
            np.pad(k, pads),
            np.pad(v, pads),
        )
    mixed: F32 = floats.attention(q, k, v)[..., :width]
    return mixed


def activate(x: F32, config: ViTConfig) -> F32:
    """Apply the non-linearity of the feed-forward network; may write over `x`."""
    if config.activation == "relu_squared":
        np.maximum(x, 0, out=x)
        return np.multiply(x, x, out=x)
    return floats.gelu(x, "tanh" if config.activation == "gelu_tanh" else "none")


def patches(x: F32, config: ViTConfig) -> F32:
    """Unfold images (B, C, H, W) into patches (B, P, C * p * p), in the order C, row, column."""
    pad, size, step = config.padding, config.patch_size, config.step
    if pad:
        x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))
    grid = windows[:, :, ::step, ::step]  # (B, C, rows, columns, p, p)
    return np.ascontiguousarray(grid.transpose(0, 2, 3, 1, 4, 5)).reshape(
        len(x), config.grid**2, config.channels * size**2
    )


def positions(packed: PackedFile) -> F32:
    """Return the position embedding (T, D), from the file or from its formula."""
    config, tensors = packed.header.config, packed.tensors
    if config.positions == "sinusoidal":
        table = sinusoidal_positions(config.grid, config.width)
        # a class token comes from nowhere
        return np.pad(table, ((config.tokens - len(table), 0), (0, 0)))
    if "pos_embed.values" in tensors:
        embedding: F32 = tensors["pos_embed.values"] * tensors["pos_embed.scale"]
        return embedding
    return np.asarray(tensors["pos_embed"], np.float32)
