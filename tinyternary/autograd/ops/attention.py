"""Scaled-dot-product attention as one operation (lesson 05)."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from tinyternary import compiled
from tinyternary.autograd.function import Context, Function
from tinyternary.autograd.tensor import Tensor
from tinyternary.errors import ShapeError

Array = NDArray[Any]


def _check(q: Array, k: Array, v: Array) -> None:
    shapes = f"q {q.shape}, k {k.shape}, v {v.shape}"
    if q.ndim != 4 or k.ndim != 4 or v.shape != k.shape:
        raise ShapeError(f"attention: {shapes}: expected (B, H, T, D) and twice (B, Hkv, S, D)")
    if q.shape[0] != k.shape[0] or q.shape[3] != k.shape[3]:
        raise ShapeError(f"attention: {shapes}: batch and head width must agree")
    if q.shape[1] % k.shape[1]:
        raise ShapeError(
            f"attention: {shapes}: {k.shape[1]} key/value heads do not divide {q.shape[1]} heads"
        )


class Attention(Function):
    """softmax(q k^T / sqrt(D)) v."""

    @staticmethod
    def forward(ctx: Context, q: Array, k: Array, v: Array) -> Array:
        _check(q, k, v)
        mixed, stats = compiled.attention_forward(q, k, v)
        ctx.save(q, k, v, stats)
        return mixed

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array, Array, Array]:
        return compiled.attention_backward(grad, *ctx.saved)


class PackedAttention(Function):
    """`Attention` on queries, keys and values that lie side by side, as one product made them."""

    @staticmethod
    def forward(ctx: Context, qkv: Array, heads: int, kv_heads: int) -> Array:
        parts = _split(qkv, heads, kv_heads)
        batch, tokens = qkv.shape[:2]
        mixed, stats = compiled.attention_forward(*parts)  # (B, H, T, D)
        ctx.save(qkv, stats, heads, kv_heads)
        return mixed.transpose(0, 2, 1, 3).reshape(batch, tokens, -1)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        qkv, stats, heads, kv_heads = ctx.saved
        result = compiled.empty(qkv.shape, qkv.dtype)
        g = grad.reshape(*grad.shape[:2], heads, -1).transpose(0, 2, 1, 3)
        into = _split(result, heads, kv_heads)
        compiled.attention_backward(g, *_split(qkv, heads, kv_heads), stats, into)
        return result


def _split(qkv: Array, heads: int, kv_heads: int) -> tuple[Array, Array, Array]:
    """View as q (B, H, T, D), k and v (B, Hkv, T, D) of (B, T, (H + 2 Hkv) D)."""
    batch, tokens, width = qkv.shape
    x = qkv.reshape(batch, tokens, heads + 2 * kv_heads, width // (heads + 2 * kv_heads))
    x = x.transpose(0, 2, 1, 3)
    return x[:, :heads], x[:, heads : heads + kv_heads], x[:, heads + kv_heads :]


def packed_attention(qkv: Any, heads: int, kv_heads: int) -> Tensor:
    """Attend from one array of queries, keys and values, without moving them apart.

    The same as splitting, `attention`, and joining the heads, less the copies.

    Parameters
    ----------
    qkv : (B, T, (H + 2 Hkv) D)
        H queries, then Hkv keys, then Hkv values of width D.
    heads, kv_heads : int
        H and Hkv.

    Returns
    -------
    Tensor (B, T, H D)
    """
    if len(qkv.shape) != 3 or heads % kv_heads or qkv.shape[2] % (heads + 2 * kv_heads):
        raise ShapeError(
            f"packed_attention: qkv {qkv.shape} for {heads} heads and {kv_heads} key/value heads: "
            "expected (B, T, (H + 2 Hkv) D)"
        )
    return PackedAttention.apply(qkv, heads=heads, kv_heads=kv_heads)


def attention(q: Any, k: Any, v: Any) -> Tensor:
    """Attend: softmax(q k^T / sqrt(D)) v.

    Parameters
    ----------
    q : (B, H, T, D)
    k, v : (B, Hkv, S, D)
        Hkv divides H; query head h reads key/value head h // (H / Hkv).

    Returns
    -------
    Tensor (B, H, T, D)
    """
    return Attention.apply(q, k, v)
