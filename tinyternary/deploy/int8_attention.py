"""Attention whose two products are of 8-bit integers (lessons 05 and 10).

What `tinyternary.deploy.encoder` must compute to the last bit, in plain NumPy. Queries and keys
are rounded row by row and values head by head, by the rule that rounds a layer's inputs; the
softmax's powers of two are rounded to 127 steps of the largest, which is 1, so that they need no
scale. Both products are then sums of integers, exact in any order, and every operation on floats
is one multiplication, addition or division, rounded once.

The idea is that of I-BERT, arXiv 2101.01321, with floats where they cost little: in the softmax.
"""

from __future__ import annotations

from math import e, log2, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.config.grid import MOST
from tinyternary.deploy.encoder.polynomials import EXP2
from tinyternary.deploy.floats import grouped
from tinyternary.deploy.format.header import PackedHeader
from tinyternary.errors import ConfigError
from tinyternary.kernels import reference

F32 = NDArray[np.float32]
SHARES = MOST["int8"]
"""What the largest weight of a row becomes; unsigned bytes would hold 255, but what one processor
holds another has to hold too: Arm's products are of signed bytes."""
_LOWEST = np.float32(-126)


def int8_attention(q: F32, k: F32, v: F32, causal: bool = False) -> F32:
    """softmax(q k^T / sqrt(D)) v with both products in integers.

    Parameters
    ----------
    q : (B, H, T, D) float32
    k, v : (B, Hkv, T, D) float32
        Query head h reads key/value head h // (H / Hkv).
    causal : bool
        Whether a token attends to itself and to those before it only.

    Returns
    -------
    (B, H, T, D) float32
        NaN where a query, a key of its head or a value of its head is not finite.
    """
    shares, fault = int8_shares(q, k, causal)
    # one scale for all of a head's values: the sum over tokens has to leave it out
    codes, value_scale = reference.quantize(v.reshape(*v.shape[:2], 1, -1))
    mixed = _product(grouped(shares, k), codes.reshape(v.shape)).reshape(q.shape)
    total = shares.sum(-1).astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):  # no shares at all: a fault
        gain = value_scale.repeat(q.shape[1] // k.shape[1], 1) / total + fault
    out: F32 = mixed.astype(np.float32) * gain[..., None]
    return out


def int8_weights(q: F32, k: F32, causal: bool = False) -> F32:
    """How much each token takes from each: (B, H, T, T), rows sum to 1 up to rounding."""
    shares, fault = int8_shares(q, k, causal)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights: F32 = shares / shares.sum(-1, keepdims=True, dtype=np.float32) + fault[..., None]
    return weights.astype(np.float32)


def refuse(header: PackedHeader, what: str) -> None:
    """Raise `ConfigError` for a network that attends in int8, which only the engine does."""
    if any(header.int8_attention(block) for block in range(header.config.depth)):
        raise ConfigError(
            f"{what}: the network attends in int8 (policy 'blocks.*.attn'), which only the engine "
            "does so far; a policy without that can be exported"
        )


def int8_shares(q: F32, k: F32, causal: bool = False) -> tuple[NDArray[np.int32], F32]:
    """Return how much each token takes from each, in 127ths of the most that it takes from one.

    Returns
    -------
    shares : (B, H, T, T) int32
        0 to 127.
    fault : (B, H, T) float32
        0, or NaN where a query or a key is not finite and shares mean nothing.
    """
    group = q.shape[1] // k.shape[1]
    queries, query_scale = reference.quantize(q)
    keys, key_scale = reference.quantize(k)
    sums = _product(grouped(queries, k), keys.swapaxes(-1, -2)).reshape(*q.shape[:3], -1)
    # log2(e) makes e^x a power of two
    per_query = query_scale * np.float32(log2(e) / sqrt(q.shape[3]))
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite ends in `fault`
        scores = sums.astype(np.float32) * key_scale.repeat(group, 1)[:, :, None, :]
        scores = scores * per_query[..., None]
        if causal:
            tokens = np.arange(q.shape[2])
            np.copyto(scores, -np.inf, where=tokens > tokens[:, None])
        top = scores.max(-1, keepdims=True)
        shares = np.rint(exp2(scores - top) * np.float32(SHARES))
        fault = (top - top)[..., 0]
    return np.where(np.isnan(shares), 0, shares).astype(np.int32), fault


def exp2(x: F32) -> F32:
    """2^x for x up to 0, to 3e-7 of itself; below -126 as at -126.

    A polynomial on [-1/2, 1/2] and a shift, each step rounded for itself: no fused operation, so
    that compiled code and NumPy agree to the last bit.
    """
    x = np.where(x < _LOWEST, _LOWEST, x)
    whole = np.rint(x)
    rest = x - whole
    value = np.full_like(rest, EXP2[0])
    for coefficient in EXP2[1:]:
        value = value * rest + np.float32(coefficient)
    exponent = np.where(np.isnan(whole), 0, whole).astype(np.int32)
    powers: F32 = np.ldexp(value, exponent)
    return powers


def _product(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.int32]:
    """Multiply integers exactly: float64 holds every sum, and has a fast product."""
    return (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int32)
