"""Scaled-dot-product attention (lesson 05). Vaswani et al., arXiv 1706.03762, eq. 1."""

from __future__ import annotations

from math import sqrt
from typing import Any

from numpy.typing import NDArray

from tinyternary.jit.probabilities import softmax_backward_numpy, softmax_numpy

Array = NDArray[Any]


def attention_weights(q: Array, k: Array) -> Array:
    """softmax(q k^T / sqrt(D)): (B, H, T, S) from q (B, H, T, D) and k (B, Hkv, S, D)."""
    batch, heads, tokens, width = q.shape
    kv_heads = k.shape[1]
    grouped = q.reshape(batch, kv_heads, heads // kv_heads * tokens, width)
    scores = grouped @ k.swapaxes(-1, -2)
    scores *= scores.dtype.type(1 / sqrt(width))
    softmax_numpy(scores, scores)
    return scores.reshape(batch, heads, tokens, k.shape[2])


def attention_numpy(q: Array, k: Array, v: Array, out: Array | None = None) -> Array:
    """softmax(q k^T / sqrt(D)) v; groups of query heads share one key/value head."""
    weights = attention_weights(q, k)
    grouped = weights.reshape(q.shape[0], k.shape[1], -1, k.shape[2])
    result = (grouped @ v).reshape(q.shape)
    if out is None:
        return result
    out[...] = result
    return out


def attention_backward_numpy(
    grad: Array, q: Array, k: Array, v: Array, weights: Array | None = None
) -> tuple[Array, Array, Array]:
    """Gradients with respect to q, k and v."""
    batch, heads, tokens, width = q.shape
    kv_heads, keys = k.shape[1], k.shape[2]
    if weights is None:
        weights = attention_weights(q, k)
    rows = heads // kv_heads * tokens  # the query heads of one group, one below the other
    grouped = weights.reshape(batch, kv_heads, rows, keys)
    g = grad.reshape(batch, kv_heads, rows, width)
    grad_v = grouped.swapaxes(-1, -2) @ g
    grad_scores = softmax_backward_numpy(grouped, g @ v.swapaxes(-1, -2))
    grad_scores *= grad_scores.dtype.type(1 / sqrt(width))
    grad_q = (grad_scores @ k).reshape(q.shape)
    grad_k = grad_scores.swapaxes(-1, -2) @ q.reshape(batch, kv_heads, rows, width)
    return grad_q, grad_k, grad_v


def attention(q: Array, k: Array, v: Array, out: Array | None = None) -> Array:
    """Attend: softmax(q k^T / sqrt(D)) v.

    Parameters
    ----------
    q : (B, H, T, D) float array
    k, v : (B, Hkv, S, D) float arrays
        Hkv divides H: query head h reads key/value head h // (H / Hkv).
    out : (B, H, T, D) float array, optional
        Where to write.
    """
    return attention_numpy(q, k, v, out)


def attention_backward(grad: Array, q: Array, k: Array, v: Array) -> tuple[Array, Array, Array]:
    """Gradients of `attention` with respect to q, k and v."""
    return attention_backward_numpy(grad, q, k, v)
