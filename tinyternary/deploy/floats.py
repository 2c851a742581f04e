"""What a packed network computes in floats: norms, GELU, attention (lessons 05 and 10).

Plain arrays, forward only. Each is written in NumPy and runs its compiled twin where
there is one: the same that training runs.
"""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled.twins import with_twin

F32 = NDArray[np.float32]


@with_twin("LayerNorm")
def layer_norm(x: F32, weight: F32, bias: F32 | None, eps: float) -> F32:
    """(x - mean) / sqrt(var + eps) * weight + bias, over the last axis."""
    centered = x - x.mean(-1, keepdims=True)
    variance = (centered * centered).mean(-1, keepdims=True)
    normed: F32 = centered * (1.0 / np.sqrt(variance + x.dtype.type(eps))) * weight
    return normed if bias is None else normed + bias


@with_twin("RMSNorm")
def rms_norm(x: F32, weight: F32 | None, eps: float) -> F32:
    """x / sqrt(mean(x^2) + eps) * weight, over the last axis."""
    normed: F32 = x * (1.0 / np.sqrt((x * x).mean(-1, keepdims=True) + x.dtype.type(eps)))
    return normed if weight is None else normed * weight


@with_twin("Gelu")
def gelu(x: F32, approximate: str = "none") -> F32:
    """x Phi(x), exact or ``approximate="tanh"``."""
    if approximate == "tanh":
        phi = 0.5 * (1 + np.tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x)))
    else:
        from scipy.special import erf  # where nothing is compiled, and only there

        phi = 0.5 * (1 + erf(x * sqrt(0.5)))
    return np.multiply(x, phi)


def attention_weights(q: F32, k: F32, causal: bool = False) -> F32:
    """softmax(q k^T / sqrt(D)): (B, H, T, S) from q (B, H, T, D) and k (B, Hkv, S, D).

    Causal: what stands after a query has weight 0.
    """
    scores = grouped(q, k) @ k.swapaxes(-1, -2)
    scores *= scores.dtype.type(1 / sqrt(q.shape[3]))
    if causal:  # the rows are H / Hkv times the T queries
        query = np.arange(scores.shape[2])[:, None] % q.shape[2]
        np.copyto(scores, -np.inf, where=np.arange(k.shape[2]) > query)
    weights: F32 = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return weights.reshape(*q.shape[:3], k.shape[2])


def grouped(x: NDArray[Any], k: F32) -> NDArray[Any]:
    """Put a group's query heads one below the other: they share a key/value head."""
    rows = x.shape[1] // k.shape[1] * x.shape[2]
    return x.reshape(len(x), k.shape[1], rows, x.shape[3])


@with_twin("Attention")
def attention(q: F32, k: F32, v: F32, causal: bool = False) -> F32:
    """softmax(q k^T / sqrt(D)) v: (B, H, T, D)."""
    mixed: F32 = grouped(attention_weights(q, k, causal), k) @ v
    return mixed.reshape(q.shape)
