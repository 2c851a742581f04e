"""Attention, forward and backward, without storing its weights (lesson 08).

Scores are kept transposed, keys down and queries across: one vector holds the
same key's score for many queries, so that softmax needs no sums across a vector
and every product is a `product` of register tiles. A block of queries is done at
a time; backward computes the weights again from two numbers per query. Heads that are not made
of whole vectors are filled up with zeros, which add nothing to a product.
Source of the idea: Dao et al., "FlashAttention", arXiv 2205.14135.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from tinyternary.compiled._arrays import floats
from tinyternary.compiled._signatures import F, I, f32, void
from tinyternary.compiled.buffers import empty
from tinyternary.compiled.elementary import FAST, exp
from tinyternary.compiled.switch import njit
from tinyternary.compiled.threads import share_pieces
from tinyternary.compiled.tiles import LANES, product
from tinyternary.compiled.twins import register

Array = NDArray[Any]

QUERIES = 64
"""Queries of a block: their scores against some hundred keys stay in cache."""

_IN4 = types.Array(types.float32, 4, "A", readonly=True)
_OUT4 = types.Array(types.float32, 4, "A")
_STATS = types.Array(types.float32, 3, "C")
_FAR = f32(-1e30)  # the exponential of this is 0


@njit()
def _scratch(size):
    """Floats that begin at a line of the cache."""
    raw = np.empty(size + 16, np.float32)
    skip = (16 - (raw.ctypes.data // 4) % 16) % 16
    return raw[skip : skip + size]


@njit()
def _place(x, batch, head, row):
    """Count the elements from the first of x to x[batch, head, row]."""
    s = x.strides
    return (batch * s[0] + head * s[1] + row * s[2]) // 4


@njit()
def _gather(x, batch, head, row, count, wide, scale, out):
    """Rows of x as columns of out (D, wide), times scale, filled up with 0."""
    depth = x.shape[3]
    for i in range(count):
        source = x[batch, head, row + i]
        for d in range(depth):
            out[d * wide + i] = source[d] * scale
    for i in range(count, wide):
        for d in range(depth):
            out[d * wide + i] = f32(0)


@njit()
def _scatter(columns, wide, scale, x, batch, head, row, count):
    """Inverse of `_gather`: each column times its own scale into a row of x."""
    depth = x.shape[3]
    for i in range(count):
        target, factor = x[batch, head, row + i], scale[i]
        for d in range(depth):
            target[d] = columns[d * wide + i] * factor


@njit()
def _hide_later(scores, row, seen, wide):
    """Put the scores of keys that stand after their query, row by row from ``row``, far away."""
    for j in range(row + 1, seen):
        for i in range(min(j - row, wide)):
            scores[j * wide + i] = _FAR


@njit(signature_or_function=void(I, I, I, F, F, _IN4, _IN4, _IN4, _OUT4, _STATS), fastmath=FAST)
def _forward(first, last, causal, steps, scale, q, k, v, out, stats):
    """Heads first <= b * H + h < last of out = softmax(scale q k^T) v.

    If causal, a block of queries sees the keys up to its last query, and each those up to its own.
    Where steps are more than 0, exponentials are rounded to whole ones (the scale cancels out).
    stats (B H, 2, T) receives the largest score and 1 / sum(exp) of each query.
    """
    heads, tokens, depth = q.shape[1], q.shape[2], q.shape[3]
    keys, group = k.shape[2], heads // k.shape[1]
    columns, mixed = _scratch(depth * QUERIES), _scratch(depth * QUERIES)
    scores, top, total = _scratch(keys * QUERIES), _scratch(QUERIES), _scratch(QUERIES)
    k_row, v_row = k.strides[2] // 4, v.strides[2] // 4
    for pair in range(first, last):
        b, h = pair // heads, pair % heads
        k_at, v_at = _place(k, b, h // group, 0), _place(v, b, h // group, 0)
        for row in range(0, tokens, QUERIES):
            count = min(QUERIES, tokens - row)
            wide = -(-count // LANES) * LANES
            seen = row + count if causal else keys
            _gather(q, b, h, row, count, wide, scale, columns)
            product(k, k_at, k_row, 1, columns, 0, wide, scores, 0, wide,
                    seen, wide, depth, scores, 0, 0, 0)  # fmt: skip
            if causal:
                _hide_later(scores, row, seen, wide)
            for i in range(wide):
                top[i], total[i] = scores[i], f32(0)
            # two rows at a time: keeping what is there would become a masked store, slow on AMD
            for j in range(1, seen, 2):
                after = min(j + 1, seen - 1)
                line, other = scores[j * wide :], scores[after * wide :]
                for i in range(wide):
                    most = line[i] if line[i] > top[i] else top[i]
                    top[i] = other[i] if other[i] > most else most
            for j in range(seen):
                line = scores[j * wide : (j + 1) * wide]
                for i in range(wide):
                    e = exp(line[i] - top[i])
                    e = np.rint(e * steps) if steps > f32(0) else e
                    line[i] = e
                    total[i] += e
            product(v, v_at, 1, v_row, scores, 0, wide, mixed, 0, wide,
                    depth, wide, seen, mixed, 0, 0, 0)  # fmt: skip
            for i in range(wide):
                total[i] = f32(1) / total[i]
            _scatter(mixed, wide, total, out, b, h, row, count)
            for i in range(count):
                stats[pair, 0, row + i] = top[i]
                stats[pair, 1, row + i] = total[i]


@njit(
    signature_or_function=void(I, I, I, F, F, _IN4, _IN4, _IN4, _IN4, _STATS, _OUT4, _OUT4, _OUT4),
    fastmath=FAST,
)
def _backward(first, last, causal, steps, scale, grad, q, k, v, stats, grad_q, grad_k, grad_v):
    """Key/value heads first <= b * Hkv + h < last: gradients of q, k and v from grad."""
    heads, tokens, depth = q.shape[1], q.shape[2], q.shape[3]
    keys, kv_heads = k.shape[2], k.shape[1]
    group = heads // kv_heads
    columns, upstream = _scratch(depth * QUERIES), _scratch(depth * QUERIES)
    scores, slopes = _scratch(keys * QUERIES), _scratch(keys * QUERIES)
    top, one, inner = _scratch(QUERIES), _scratch(QUERIES), _scratch(QUERIES)
    share = _scratch(QUERIES)
    k_row, v_row, q_row = k.strides[2] // 4, v.strides[2] // 4, q.strides[2] // 4
    g_row, gk_row, gv_row = grad.strides[2] // 4, grad_k.strides[2] // 4, grad_v.strides[2] // 4
    one[:] = f32(1)
    for pair in range(first, last):
        b, kv = pair // kv_heads, pair % kv_heads
        k_at, v_at = _place(k, b, kv, 0), _place(v, b, kv, 0)
        gk_at, gv_at = _place(grad_k, b, kv, 0), _place(grad_v, b, kv, 0)
        adds = 0
        if causal:  # the first queries say nothing of the last keys
            grad_k[b, kv] = f32(0)
            grad_v[b, kv] = f32(0)
            adds = 1
        for h in range(kv * group, (kv + 1) * group):
            for row in range(0, tokens, QUERIES):
                count = min(QUERIES, tokens - row)
                wide = -(-count // LANES) * LANES
                _gather(q, b, h, row, count, wide, scale, columns)
                _gather(grad, b, h, row, count, wide, f32(1), upstream)
                for i in range(count):
                    top[i] = stats[b * heads + h, 0, row + i]
                    share[i] = stats[b * heads + h, 1, row + i]
                for i in range(count, wide):
                    top[i] = share[i] = f32(0)
                for i in range(wide):
                    inner[i] = f32(0)
                seen = row + count if causal else keys
                product(k, k_at, k_row, 1, columns, 0, wide, scores, 0, wide,
                        seen, wide, depth, scores, 0, 0, 0)  # fmt: skip
                product(v, v_at, v_row, 1, upstream, 0, wide, slopes, 0, wide,
                        seen, wide, depth, slopes, 0, 0, 0)  # fmt: skip
                if causal:
                    _hide_later(scores, row, seen, wide)
                for j in range(seen):
                    line = scores[j * wide : (j + 1) * wide]
                    slope = slopes[j * wide : (j + 1) * wide]
                    for i in range(wide):
                        e = exp(line[i] - top[i])
                        p = (np.rint(e * steps) if steps > f32(0) else e) * share[i]
                        line[i] = p
                        inner[i] += p * slope[i]
                for j in range(seen):
                    line = scores[j * wide : (j + 1) * wide]
                    slope = slopes[j * wide : (j + 1) * wide]
                    for i in range(wide):
                        slope[i] = line[i] * (slope[i] - inner[i]) * scale
                # dV += P^T G and dK += dS^T Q, over this block's queries
                product(scores, 0, wide, 1, grad, _place(grad, b, h, row), g_row, grad_v, gv_at,
                        gv_row, seen, depth, count, grad_v, gv_at, gv_row, adds)  # fmt: skip
                product(slopes, 0, wide, 1, q, _place(q, b, h, row), q_row, grad_k, gk_at,
                        gk_row, seen, depth, count, grad_k, gk_at, gk_row, adds)  # fmt: skip
                adds = 1
                # dQ = dS K
                product(k, k_at, 1, k_row, slopes, 0, wide, columns, 0, wide,
                        depth, wide, seen, columns, 0, 0, 0)  # fmt: skip
                _scatter(columns, wide, one, grad_q, b, h, row, count)


def _near(x: Array) -> Array:
    """Make each row of the last axis lie together, and all strides count floats."""
    usable = x.strides[3] == 4 and all(s % 4 == 0 for s in x.strides)
    return x if usable else np.ascontiguousarray(x)


def _filled_up(x: Array) -> Array:
    """Make each row whole vectors, with zeros behind it, as `_near` makes it."""
    width = x.shape[3]
    if not width % LANES:
        return _near(x)
    filled = empty((*x.shape[:3], -(-width // LANES) * LANES))
    filled[..., :width], filled[..., width:] = x, 0
    return filled


def _scale(width: int) -> Any:
    return f32(1.0 / np.sqrt(width))


def _attend(q: Array, k: Array, v: Array, causal: bool, steps: int) -> tuple[Array, Array]:
    """Return softmax(q k^T / sqrt(D)) v and `stats`; joining the heads again copies nothing."""
    batch, heads, tokens, width = q.shape
    q, k, v = _filled_up(q), _filled_up(k), _filled_up(v)
    out = empty((batch, tokens, heads, q.shape[3])).transpose(0, 2, 1, 3)
    stats = empty((batch * heads, 2, tokens))
    share_pieces(
        _forward, batch * heads, 1, 60e-12 * tokens * k.shape[2] * width,
        int(causal), f32(steps), _scale(width), q, k, v, out, stats,
    )  # fmt: skip
    return out[..., :width], stats


def _differentiate(
    grad: Array, q: Array, k: Array, v: Array, stats: Array, causal: bool, steps: int,
    into: tuple[Array, Array, Array],
) -> None:  # fmt: skip
    heads, tokens, width = q.shape[1:]
    batch, kv_heads, keys, _ = k.shape
    grad, q, k, v = _filled_up(grad), _filled_up(q), _filled_up(k), _filled_up(v)
    whole = q.shape[3] == width
    found = into if whole else tuple(empty((*x.shape[:3], q.shape[3])) for x in into)
    share_pieces(
        _backward, batch * kv_heads, 1, 120e-12 * (heads // kv_heads) * tokens * keys * width,
        int(causal), f32(steps), _scale(width), grad, q, k, v, stats, *found,
    )  # fmt: skip
    for target, filled in () if whole else zip(into, found):
        np.copyto(target, filled[..., :width])


@register("Attention")
class Attention:
    """softmax(q k^T / sqrt(D)) v; groups of query heads share one key/value head."""

    @staticmethod
    def fits(q: Array, k: Array, v: Array, causal: bool = False, steps: int = 0) -> bool:
        return (
            floats(q, k, v) and q.ndim == k.ndim == 4 and k.shape == v.shape
            and len(q) == len(k) and q.shape[3] == k.shape[3]
            and not q.shape[1] % k.shape[1] and not (causal and q.shape[2] != k.shape[2])
        )  # fmt: skip

    @staticmethod
    def forward(
        ctx: Any, q: Array, k: Array, v: Array, causal: bool = False, steps: int = 0
    ) -> Array:
        out, stats = _attend(q, k, v, causal, steps)
        ctx.save(q, k, v, stats, causal, steps)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array, Array, Array]:
        q, k, v, stats, causal, steps = ctx.saved
        into = (empty(q.shape), empty(k.shape), empty(k.shape))
        _differentiate(grad, q, k, v, stats, causal, steps, into)
        return into


@register("PackedAttention")
class PackedAttention:
    """The same, read from and written to where one product puts queries, keys and values."""

    @staticmethod
    def fits(qkv: Array, heads: int, kv_heads: int, causal: bool = False, steps: int = 0) -> bool:
        return floats(qkv)

    @staticmethod
    def forward(
        ctx: Any, qkv: Array, heads: int, kv_heads: int, causal: bool = False, steps: int = 0
    ) -> Array:
        mixed, stats = _attend(*_parts(qkv, heads, kv_heads), causal, steps)  # (B, H, T, D)
        ctx.save(qkv, stats, heads, kv_heads, causal, steps)
        return mixed.transpose(0, 2, 1, 3).reshape(*qkv.shape[:2], -1)

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        qkv, stats, heads, kv_heads, causal, steps = ctx.saved
        result = empty(qkv.shape)
        g = grad.reshape(*grad.shape[:2], heads, -1).transpose(0, 2, 1, 3)
        into = _parts(result, heads, kv_heads)
        _differentiate(g, *_parts(qkv, heads, kv_heads), stats, causal, steps, into)
        return result


def _parts(qkv: Array, heads: int, kv_heads: int) -> tuple[Array, Array, Array]:
    """View as q (B, H, T, D), k and v (B, Hkv, T, D) of (B, T, (H + 2 Hkv) D)."""
    batch, tokens, width = qkv.shape
    x = qkv.reshape(batch, tokens, heads + 2 * kv_heads, width // (heads + 2 * kv_heads))
    x = x.transpose(0, 2, 1, 3)
    return x[:, :heads], x[:, heads : heads + kv_heads], x[:, heads + kv_heads :]
