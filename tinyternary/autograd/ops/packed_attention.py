"""Attention from one array in which queries, keys and values lie side by side (lesson 05)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyternary.autograd.function import Array, Context, Function
from tinyternary.autograd.ops.attention import Attention
from tinyternary.autograd.ops.types import floating
from tinyternary.autograd.tensor import Tensor
from tinyternary.errors import ShapeError


class PackedAttention(Function):
    """`Attention` on queries, keys and values that lie side by side, as one product made them."""

    @staticmethod
    def forward(
        ctx: Context, qkv: Array, heads: int, kv_heads: int, causal: bool = False, steps: int = 0
    ) -> Array:
        parts = _split(qkv, heads, kv_heads)
        mixed = Attention.forward(ctx, *parts, causal, steps)  # (B, H, T, D)
        return mixed.transpose(0, 2, 1, 3).reshape(*qkv.shape[:2], heads * mixed.shape[3])

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        _, heads, tokens, width = ctx.saved[0].shape
        g = grad.reshape(len(grad), tokens, heads, width).transpose(0, 2, 1, 3)
        joined = np.concatenate(Attention.backward(ctx, g), axis=1)  # (B, H + 2 Hkv, T, D)
        return joined.transpose(0, 2, 1, 3).reshape(len(grad), tokens, joined.shape[1] * width)


def _split(qkv: Array, heads: int, kv_heads: int) -> tuple[Array, Array, Array]:
    """View as q (B, H, T, D), k and v (B, Hkv, T, D) of (B, T, (H + 2 Hkv) D)."""
    batch, tokens, width = qkv.shape
    x = qkv.reshape(batch, tokens, heads + 2 * kv_heads, width // (heads + 2 * kv_heads))
    x = x.transpose(0, 2, 1, 3)
    return x[:, :heads], x[:, heads : heads + kv_heads], x[:, heads + kv_heads :]


def packed_attention(
    qkv: Any, heads: int, kv_heads: int, causal: bool = False, steps: int = 0
) -> Tensor:
    """Attend from one array of queries, keys and values, without moving them apart.

    The same as splitting, `attention`, and joining the heads, less the copies.

    Parameters
    ----------
    qkv : (B, T, (H + 2 Hkv) D)
        H queries, then Hkv keys, then Hkv values of width D.
    heads, kv_heads : int
        H and Hkv.
    causal : bool
        Whether a token attends to itself and to those before it only.
    steps : int
        To how many steps of the largest the softmax's exponentials are rounded, as an engine
        of integers does (127: int8); 0 does not round. The gradient passes straight through.

    Returns
    -------
    Tensor (B, T, H D)
    """
    if (
        min(heads, kv_heads) < 1
        or len(qkv.shape) != 3
        or heads % kv_heads
        or qkv.shape[2] % (heads + 2 * kv_heads)
    ):
        raise ShapeError(
            f"packed_attention: qkv {qkv.shape} for {heads} heads and {kv_heads} key/value heads: "
            "expected (B, T, (H + 2 Hkv) D)"
        )
    return PackedAttention.apply(
        floating(qkv), heads=heads, kv_heads=kv_heads, causal=causal, steps=steps
    )
