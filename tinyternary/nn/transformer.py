"""The parts of a Vision Transformer: patches, attention, MLP, and the block of both (lesson 05)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tinyternary import autograd
from tinyternary.autograd import Tensor
from tinyternary.autograd.ops.attention import attention_weights
from tinyternary.errors import ConfigError, ShapeError, unknown_name
from tinyternary.nn.layers import Dropout, DropPath, Linear
from tinyternary.nn.module import Module


class PatchEmbed(Module):
    """Image to tokens: unfold into patches, then one matrix product.

    Parameters
    ----------
    patch_size : int
        Side p of a patch, pixels.
    channels : int
    dim : int
        Token width D.
    stride : int, optional
        Distance between patches; `patch_size` by default. A smaller one makes them
        overlap, and the image is padded by ``(patch_size - stride) // 2`` zeros.
    rng : numpy Generator, optional

    Attributes
    ----------
    proj : Linear
        (C p p) to (D): a convolution's weight, flattened in the order C, p, p.

    Examples
    --------
    >>> embed = tt.nn.PatchEmbed(patch_size=4, channels=3, dim=16)
    >>> embed(tt.Tensor(np.zeros((1, 3, 28, 28)))).shape  # 7 x 7 patches
    (1, 49, 16)
    """

    def __init__(
        self,
        patch_size: int,
        channels: int,
        dim: int,
        stride: int | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        stride = patch_size if stride is None else stride
        if not 1 <= stride <= patch_size:
            raise ConfigError(f"stride: expected 1 to {patch_size} (the patch size), got {stride}")
        self.patch_size, self.channels, self.stride = patch_size, channels, stride
        self.padding = (patch_size - stride) // 2
        self.proj = Linear(channels * patch_size**2, dim, True, rng)

    def unfold(self, images: Any) -> Any:
        """(B, C, H, W) to (B, T, C p p), tokens row by row.

        Raises
        ------
        ShapeError
            If the channels differ or the patches do not cover the image exactly.
        """
        p, step = self.patch_size, self.stride
        if len(images.shape) != 4 or images.shape[1] != self.channels:
            raise ShapeError(f"images: expected (B, {self.channels}, H, W), got {images.shape}")
        if self.padding:
            border = (self.padding, self.padding)
            pad: Any = autograd.pad if isinstance(images, Tensor) else np.pad
            images = pad(images, ((0, 0), (0, 0), border, border))
        batch, channels, height, width = images.shape
        if min(height, width) < p or (height - p) % step or (width - p) % step:
            raise ShapeError(
                f"images: {height} x {width} pixels (padding included) do not divide into "
                f"patches of {p} at stride {step}"
            )
        rows, columns = (height - p) // step + 1, (width - p) // step + 1
        if isinstance(images, Tensor) and step == p:
            x = images.reshape(batch, channels, rows, p, columns, p)
            x = x.permute(0, 2, 4, 1, 3, 5)
            return x.reshape(batch, rows * columns, channels * p * p)
        if isinstance(images, Tensor):  # overlapping: each patch takes its own copy
            down = step * np.arange(rows)[:, None] + np.arange(p)  # (rows, p)
            right = step * np.arange(columns)[:, None] + np.arange(p)  # (columns, p)
            taken = images[:, :, down[:, None, :, None], right[None, :, None, :]]  # B C r c p p
            return taken.permute(0, 2, 3, 1, 4, 5).reshape(batch, rows * columns, channels * p * p)
        windows = sliding_window_view(images, (p, p), (2, 3))[:, :, ::step, ::step]
        return windows.transpose(0, 2, 3, 1, 4, 5).reshape(batch, rows * columns, channels * p * p)

    def forward(self, images: Any) -> Tensor:
        """(B, C, H, W) to (B, T, D)."""
        if isinstance(images, Tensor) and not images.requires_grad:
            images = images.data  # an input without gradient needs no graph
        return self.proj(self.unfold(images))

    def describe(self) -> str:
        """Say patch size, channels and stride for `repr`."""
        return f"patch_size={self.patch_size}, channels={self.channels}, stride={self.stride}"


class Attention(Module):
    """Self-attention: softmax(Q K^T / sqrt(Dh)) V, then an output projection.

    Parameters
    ----------
    dim : int
        Token width D.
    heads : int
        Query heads H; the width of a head is Dh = D / H.
    kv_heads : int, optional
        Key/value heads: `heads` (the default) is multi-head, 1 is multi-query
        (Shazeer, arXiv 1911.02150), anything between grouped-query (Ainslie et
        al., arXiv 2305.13245).
    bias : bool
    rng : numpy Generator, optional
    causal : bool
        Whether a token attends to itself and to those before it only.

    Attributes
    ----------
    qkv : Linear
        (D) to (H + 2 Hkv) Dh: queries, then keys, then values.
    proj : Linear
    fused : bool
        False computes the formula step by step: the same to rounding, slower.

    Examples
    --------
    >>> attend = tt.nn.Attention(dim=8, heads=2, kv_heads=1)
    >>> attend(tt.Tensor(np.ones((1, 5, 8)))).shape
    (1, 5, 8)
    >>> attend.qkv.weight.shape  # (H + 2 Hkv) Dh = (2 + 2) * 4 rows
    (16, 8)
    """

    fused = True

    def __init__(
        self,
        dim: int,
        heads: int,
        kv_heads: int | None = None,
        bias: bool = True,
        rng: np.random.Generator | None = None,
        causal: bool = False,
    ) -> None:
        kv_heads = heads if kv_heads is None else kv_heads
        if heads < 1 or dim % heads:
            raise ConfigError(f"heads: {heads} does not divide the width {dim}")
        if kv_heads < 1 or heads % kv_heads:
            raise ConfigError(f"kv_heads: {kv_heads} does not divide {heads} heads")
        self.dim, self.heads, self.kv_heads = dim, heads, kv_heads
        self.head_dim, self.causal = dim // heads, causal
        rng = np.random.default_rng(0) if rng is None else rng
        self.qkv = Linear(dim, (heads + 2 * kv_heads) * self.head_dim, bias, rng)
        self.proj = Linear(dim, dim, bias, rng)

    def split_heads(self, qkv: Any) -> tuple[Any, Any, Any]:
        """(B, T, (H + 2 Hkv) Dh) to queries (B, H, T, Dh), keys and values (B, Hkv, T, Dh)."""
        batch, tokens, _ = qkv.shape
        both = self.heads + self.kv_heads
        x = qkv.reshape(batch, tokens, both + self.kv_heads, self.head_dim)
        x = x.transpose(1, 2)  # (B, H + 2 Hkv, T, Dh)
        q, k, v = autograd.split(x, (self.heads, self.kv_heads, self.kv_heads), axis=1)
        return q, k, v

    def softmax(self, scores: Tensor) -> Tensor:
        """Weights along the last axis; where `fused`, the fused operation has its own."""
        return scores.softmax()

    def forward(self, x: Any, record: dict[str, Any] | None = None) -> Tensor:
        """(B, T, D) to (B, T, D).

        Parameters
        ----------
        x : Tensor (B, T, D)
        record : dict, optional
            Receives the attention weights as "attn", (B, H, T, T); where `fused` is False
            also as "weights", the Tensor that goes into the result and gets a gradient.
        """
        qkv = self.qkv(x)
        if record is not None:
            q, k, _ = self.split_heads(qkv.detach())
            record["attn"] = attention_weights(q.data, k.data, self.causal)
        return self.proj(self.attend(qkv) if self.fused else self.attend_by_steps(qkv, record))

    def attend(self, qkv: Tensor) -> Tensor:
        """(B, T, (H + 2 Hkv) Dh) to (B, T, D) as one operation, without copies of q, k and v."""
        return autograd.packed_attention(qkv, self.heads, self.kv_heads, self.causal)

    def attend_by_steps(self, qkv: Tensor, record: dict[str, Any] | None = None) -> Tensor:
        """Compute the same by the formula; `record` receives the "weights" (B, H, T, T)."""
        q, k, v = self.split_heads(qkv)
        batch, heads, tokens, width = q.shape
        # the query heads that share a key/value head stand one below the other
        q = q.reshape(batch, self.kv_heads, heads // self.kv_heads * tokens, width)
        scores = q @ k.transpose(-1, -2) * width**-0.5
        if self.causal:
            query = np.arange(q.shape[2])[:, None] % tokens
            scores = scores + np.where(np.arange(tokens) > query, -np.inf, 0).astype(q.dtype)
        weights = self.softmax(scores).reshape(batch, heads, tokens, tokens)
        if record is not None:
            record["weights"] = weights
        mixed = (weights.reshape(scores.shape) @ v).reshape(batch, heads, tokens, width)
        return mixed.transpose(1, 2).reshape(batch, tokens, heads * width)

    def describe(self) -> str:
        """Say width and heads for `repr`."""
        causal = ", causal" if self.causal else ""
        return f"{self.dim}, heads={self.heads}, kv_heads={self.kv_heads}{causal}"


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": lambda x: x.gelu(),
    "gelu_tanh": lambda x: x.gelu("tanh"),
    "relu_squared": lambda x: x.relu_squared(),
    "relu": lambda x: x.relu(),
}


class Mlp(Module):
    """Two linear layers with an activation between them, applied to each token.

    Parameters
    ----------
    dim, hidden : int
        Width D and hidden width.
    activation : {"gelu", "gelu_tanh", "relu_squared", "relu"}
    bias : bool
    rng : numpy Generator, optional

    Examples
    --------
    >>> tt.nn.Mlp(dim=8, hidden=32)(tt.Tensor(np.ones((1, 5, 8)))).shape
    (1, 5, 8)
    """

    def __init__(
        self,
        dim: int,
        hidden: int,
        activation: str = "gelu",
        bias: bool = True,
        rng: np.random.Generator | None = None,
    ) -> None:
        if activation not in ACTIVATIONS:
            raise unknown_name("activation", activation, ACTIVATIONS)
        rng = np.random.default_rng(0) if rng is None else rng
        self.activation = activation
        self.fc1 = Linear(dim, hidden, bias, rng)
        self.fc2 = Linear(hidden, dim, bias, rng)

    def forward(self, x: Any) -> Tensor:
        """(..., D) to (..., D)."""
        return self.fc2(ACTIVATIONS[self.activation](self.fc1(x)))

    def describe(self) -> str:
        """Say the activation for `repr`."""
        return self.activation


class EncoderBlock(Module):
    """x + drop(attn(norm1(x))), then x + drop(mlp(norm2(x))).

    Source: Dosovitskiy et al., arXiv 2010.11929, eqs. 2 and 3.

    Parameters
    ----------
    norm1 : Module or None
        None feeds the attention the residual stream itself.
    attn : Attention
    norm2 : Module or None
        None feeds the MLP the residual stream itself, as BitMedViT does.
    mlp : Mlp
    dropout, drop_path : float
        Probabilities on each branch; DropPath drops the branch of a whole image.

    Examples
    --------
    >>> block = tt.nn.EncoderBlock(
    ...     tt.nn.LayerNorm(8), tt.nn.Attention(8, heads=2), tt.nn.LayerNorm(8), tt.nn.Mlp(8, 32)
    ... )
    >>> block(tt.Tensor(np.ones((1, 5, 8)))).shape
    (1, 5, 8)
    """

    def __init__(
        self,
        norm1: Module | None,
        attn: Attention,
        norm2: Module | None,
        mlp: Mlp,
        dropout: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        if norm1 is not None:
            self.norm1 = norm1
        self.has_norm1 = norm1 is not None
        self.attn = attn
        if norm2 is not None:
            self.norm2 = norm2
        self.has_norm2 = norm2 is not None
        self.mlp = mlp
        self.dropout = Dropout(dropout)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Any, record: dict[str, Any] | None = None) -> Tensor:
        """(B, T, D) to (B, T, D); `record` receives "attn", (B, H, T, T)."""
        branch = self.attn(self.norm1(x) if self.has_norm1 else x, record)
        x = x + self.drop_path(self.dropout(branch))
        branch = self.mlp(self.norm2(x) if self.has_norm2 else x)
        return x + self.drop_path(self.dropout(branch))
