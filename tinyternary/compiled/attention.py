"""Scaled-dot-product attention (lesson 05). Vaswani et al., arXiv 1706.03762, eq. 1."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled._arrays import compiled
from tinyternary.compiled.buffers import empty
from tinyternary.compiled.softmax import softmax_backward_numpy, softmax_numpy

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
    return attention_forward(q, k, v, out)[0]


def attention_forward(
    q: Array, k: Array, v: Array, out: Array | None = None
) -> tuple[Array, Array | None]:
    """Return `attention`, and what its backward wants of the softmax: (B H, 2, T), or None.

    Without `out` the result lies in memory as (B, T, H, D), so that joining the
    heads copies nothing.
    """
    if not _fits(q, k, v):
        return attention_numpy(q, k, v, out), None
    from tinyternary.compiled import _attention_loops, threads

    batch, heads, tokens, width = q.shape
    if out is None:
        out = empty((batch, tokens, heads, width)).transpose(0, 2, 1, 3)
    stats = empty((batch * heads, 2, tokens))
    target = out if _usable(out) else empty(q.shape)
    threads.crew.run(
        _attention_loops.forward, batch * heads, 1, 60e-12 * _size(q, k),
        _near(q), _near(k), _near(v), target, stats,
    )  # fmt: skip
    if target is not out:
        out[...] = target
    return out, stats


def attention_backward(
    grad: Array,
    q: Array,
    k: Array,
    v: Array,
    stats: Array | None = None,
    out: tuple[Array, Array, Array] | None = None,
) -> tuple[Array, Array, Array]:
    """Gradients of `attention` with respect to q, k and v.

    Parameters
    ----------
    grad : (B, H, T, D) float array
    q, k, v
        As given to `attention`.
    stats : optional
        As `attention_forward` gave them; computed again where they are missing.
    out : three arrays like q, k and v, optional
        Where to write.
    """
    if not (_fits(q, k, v) and compiled(grad)) or (out is not None and not all(map(_usable, out))):
        found = attention_backward_numpy(grad, q, k, v)
        if out is None:
            return found
        for target, value in zip(out, found):
            target[...] = value
        return out
    from tinyternary.compiled import _attention_loops, threads

    if stats is None:
        stats = attention_forward(q, k, v)[1]
    if out is None:
        out = (empty(q.shape), empty(k.shape),
               empty(k.shape))  # fmt: skip
    group = q.shape[1] // k.shape[1]
    threads.crew.run(
        _attention_loops.backward, k.shape[0] * k.shape[1], 1, 120e-12 * group * _size(q, k),
        _near(grad), _near(q), _near(k), _near(v), stats, *out,
    )  # fmt: skip
    return out


def _fits(q: Array, k: Array, v: Array) -> bool:
    """Whether the compiled kernel takes these: float32, heads of whole vectors."""
    if not compiled(q, k, v):
        return False
    from tinyternary.compiled.tiles import LANES

    return q.shape[3] % LANES == 0


def _usable(x: Array) -> bool:
    """Whether each row of the last axis lies together, and all strides count floats."""
    return x.dtype == np.float32 and x.strides[3] == 4 and all(s % 4 == 0 for s in x.strides)


def _near(x: Array) -> Array:
    return x if _usable(x) else np.ascontiguousarray(x)


def _size(q: Array, k: Array) -> int:
    """Multiply-accumulates of q k^T in one head."""
    return q.shape[2] * k.shape[2] * q.shape[3]
