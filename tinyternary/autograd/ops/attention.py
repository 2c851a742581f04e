"""Scaled-dot-product attention as one operation (lesson 05)."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd.function import Context, Function
from tinyternary.autograd.ops.softmax import top
from tinyternary.autograd.ops.types import floating
from tinyternary.autograd.tensor import Tensor
from tinyternary.errors import ShapeError

Array = NDArray[Any]


def _check(q: Array, k: Array, v: Array, causal: bool) -> None:
    shapes = f"q {q.shape}, k {k.shape}, v {v.shape}"
    if q.ndim != 4 or k.ndim != 4 or v.shape != k.shape:
        raise ShapeError(f"attention: {shapes}: expected (B, H, T, D) and twice (B, Hkv, S, D)")
    if q.shape[0] != k.shape[0] or q.shape[3] != k.shape[3]:
        raise ShapeError(f"attention: {shapes}: batch and head width must agree")
    if 0 in (q.shape[1], k.shape[1], q.shape[3]):
        raise ShapeError(f"attention: {shapes}: there must be heads, and entries in each")
    if q.shape[1] % k.shape[1]:
        raise ShapeError(
            f"attention: {shapes}: {k.shape[1]} key/value heads do not divide {q.shape[1]} heads"
        )
    if causal and q.shape[2] != k.shape[2]:
        raise ShapeError(f"attention: {shapes}: causal attention needs as many keys as queries")


class Attention(Function):
    """softmax(q k^T / sqrt(D)) v; a group of query heads shares one key/value head.

    Causal attention leaves out the keys that stand after a query: their weight is 0, and so
    no gradient goes to them. With `steps` the exponentials are rounded to that many steps of
    the largest, and the gradient passes as if they were not. Source: Vaswani et al.,
    "Attention Is All You Need", arXiv 1706.03762, eq. 1, and section 3.2.3 for the mask.
    """

    @staticmethod
    def forward(
        ctx: Context, q: Array, k: Array, v: Array, causal: bool = False, steps: int = 0
    ) -> Array:
        _check(q, k, v, causal)
        weights = attention_weights(q, k, causal, steps)
        ctx.save(q, k, v, weights)
        return (_grouped(weights, k) @ v).reshape(q.shape)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array, Array, Array]:
        q, k, v, weights = ctx.saved
        g, p = _grouped(grad, k), _grouped(weights, k)
        grad_v = p.swapaxes(-1, -2) @ g  # P^T G
        grad_p = g @ v.swapaxes(-1, -2)
        # through the softmax, and through the scale
        grad_scores = p * (grad_p - (p * grad_p).sum(-1, keepdims=True))
        grad_scores *= grad.dtype.type(1 / sqrt(q.shape[3]))
        grad_q = (grad_scores @ k).reshape(q.shape)
        grad_k = grad_scores.swapaxes(-1, -2) @ _grouped(q, k)
        return grad_q, grad_k, grad_v


def attention_weights(q: Array, k: Array, causal: bool = False, steps: int = 0) -> Array:
    """softmax(q k^T / sqrt(D)): (B, H, T, S) from q (B, H, T, D) and k (B, Hkv, S, D)."""
    scores = _grouped(q, k) @ k.swapaxes(-1, -2)
    scores *= scores.dtype.type(1 / sqrt(q.shape[3]))
    if causal:  # the rows are H / Hkv times the T queries
        query = np.arange(scores.shape[2])[:, None] % q.shape[2]
        np.copyto(scores, -np.inf, where=np.arange(k.shape[2]) > query)
    weights = np.exp(scores - top(scores))
    if steps:
        weights = np.rint(weights * steps)
    weights /= weights.sum(-1, keepdims=True)
    return weights.reshape(*q.shape[:3], k.shape[2])


def _grouped(x: Array, k: Array) -> Array:
    """Put a group's query heads one below the other: (B, H, T, W) to (B, Hkv, H / Hkv T, W)."""
    rows = x.shape[1] // k.shape[1] * x.shape[2]
    return x.reshape(len(x), k.shape[1], rows, x.shape[3])


def attention(q: Any, k: Any, v: Any, causal: bool = False) -> Tensor:
    """Attend: softmax(q k^T / sqrt(D)) v.

    Parameters
    ----------
    q : (B, H, T, D)
    k, v : (B, Hkv, S, D)
        Hkv divides H; query head h reads key/value head h // (H / Hkv).
    causal : bool
        Whether a token attends to itself and to those before it only; S is then T.

    Returns
    -------
    Tensor (B, H, T, D)
    """
    return Attention.apply(floating(q), floating(k), floating(v), causal=causal)
