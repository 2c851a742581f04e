"""Scaled-dot-product attention as one operation (lesson 05)."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from tinyternary import jit
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
        ctx.save(q, k, v)
        return jit.attention(q, k, v)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array, Array, Array]:
        return jit.attention_backward(grad, *ctx.saved)


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
