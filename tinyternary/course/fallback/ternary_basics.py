"""Stand-ins of lesson 01_ternary_basics: the library's quantisers and packing, in its shapes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary import kernels, quant
from tinyternary.quant.rules._weights import cut

Floats = NDArray[np.floating]


def threshold(weights: ArrayLike, delta: float) -> NDArray[np.int8]:
    """Trits of `weights`: 0 where a magnitude is at most `delta`, else the sign."""
    w = np.asarray(weights, np.float64)
    return cut(w, delta).astype(np.int8)


def best_scale(weights: ArrayLike, trits: ArrayLike) -> float:
    """Scale with the least squared error for given trits; 0 if all are 0."""
    flat, t = np.ravel(weights).astype(np.float64), np.ravel(trits).astype(np.float64)
    kept = t @ t
    return float(flat @ t / kept) if kept else 0.0


def absmean(weights: ArrayLike, per_row: bool = False) -> tuple[NDArray[np.int8], Floats]:
    """Trits and scale by BitNet b1.58's rule; the scale is a number or (N, 1)."""
    quantized = quant.absmean(weights, "channel" if per_row else "tensor")
    return quantized.trits, quantized.scale


def relative_error(weights: ArrayLike, delta: float) -> float:
    """Share of the weights' energy lost at threshold `delta` with the best scale."""
    w = np.ravel(weights).astype(np.float64)
    trits = threshold(w, delta)
    return float(np.sum((w - best_scale(w, trits) * trits) ** 2) / (w @ w))


def best_threshold(weights: ArrayLike) -> float:
    """Threshold with the least squared error, each with its best scale."""
    ranked = np.sort(np.abs(np.ravel(weights).astype(np.float64)))[::-1]
    energy = np.cumsum(ranked) ** 2 / np.arange(1, ranked.size + 1)
    kept = int(np.argmax(energy)) + 1
    beyond = ranked[kept] if kept < ranked.size else 0.0
    return float((ranked[kept - 1] + beyond) / 2)


def entropy_bits(trits: ArrayLike) -> float:
    """Entropy of the trits' shares, bits per trit."""
    shares = np.bincount(np.ravel(trits).astype(np.int64) + 1, minlength=3) / np.size(trits)
    return float(sum(-p * np.log2(p) for p in shares if p > 0))


def add_subtract_skip(trits: NDArray[np.int8], x: NDArray[np.int8]) -> NDArray[np.int64]:
    """Product of ternary (N, K) and int8 (K,), exact, (N,)."""
    wide = x.astype(np.int64)
    plus = np.where(trits == 1, wide, 0).sum(axis=1)
    minus = np.where(trits == -1, wide, 0).sum(axis=1)
    return np.asarray(plus - minus)


def pack_row(trits: ArrayLike) -> NDArray[np.uint8]:
    """2-bit codes of a row of trits, four a byte."""
    packed: NDArray[np.uint8] = kernels.pack(np.atleast_2d(np.asarray(trits, np.int8)), 2).data
    row: NDArray[np.uint8] = packed[0]
    return row


def unpack_row(data: ArrayLike, count: int) -> NDArray[np.int8]:
    """First `count` trits of packed bytes."""
    packed = kernels.PackedTernary.from_bytes(np.asarray(data, np.uint8), (1, count))
    row: NDArray[np.int8] = packed.unpack()[0]
    return row


__all__ = [
    "absmean",
    "add_subtract_skip",
    "best_scale",
    "best_threshold",
    "entropy_bits",
    "pack_row",
    "relative_error",
    "threshold",
    "unpack_row",
]
