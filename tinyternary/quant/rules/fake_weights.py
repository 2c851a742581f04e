"""Fake-quantised weights: float arithmetic on the ternary grid, with gradients (lesson 04).

The forward pass of each Function computes what a plain quantiser of
`tinyternary.quant.rules.weights` says; the backward pass differentiates a declared
surrogate instead of the staircase, and gives learned scales and thresholds a
gradient of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinyternary import compiled
from tinyternary.autograd import Function
from tinyternary.config.grid import FLOOR, SEQ_CLIP, SEQ_HALF
from tinyternary.quant.quantized import (
    Floats,
    Granularity,
    Quantized,
    QuantizedInt,
    finite,
    grouped,
    spread,
)
from tinyternary.quant.rules.weights import mean_magnitude
from tinyternary.quant.ste import surrogate, threshold_slope


class FakeTernary(Function):
    """W to scale * trit; the gradient of W by a straight-through rule.

    The inputs are the weights (N, K) and, where they are learned, the scale of
    +1, the scale of -1 and the threshold, each in the layout of a scale; None
    where a statistic of the weights takes their place.
    """

    @staticmethod
    def forward(
        ctx: Any,
        w: Floats,
        alpha: Floats | None,
        negative: Floats | None,
        beta: Floats | None,
        *,
        quantize: Callable[[Floats], Quantized],
        ste: str = "identity",
        sharpness: float = 1.0,
    ) -> Floats:
        """Quantise and dequantise (N, K)."""
        q = quantize(w)
        if ste != "identity" or any(p is not None for p in (alpha, negative, beta)):
            ctx.save(w, q)
        ctx.learned = (alpha, negative, beta)
        ctx.ste, ctx.sharpness = ste, sharpness
        return q.dequantize().astype(w.dtype, copy=False)

    @staticmethod
    def backward(ctx: Any, grad: Floats) -> tuple[Floats | None, ...]:
        """Differentiate the surrogate, and the learned numbers by their trits."""
        if not ctx.saved:
            return grad, None, None, None
        w, q = ctx.saved
        alpha, negative, beta = ctx.learned
        to_w = grad
        if ctx.ste != "identity":
            scale, limit = _beside(q, w)
            to_w = grad * surrogate(ctx.ste).slope(w, scale, limit, ctx.sharpness)
        size = q.granularity
        step = learned_step(w, size)
        to_alpha = to_negative = to_beta = None
        if alpha is not None:
            trits = q.trits if negative is None else np.maximum(q.trits, 0)
            to_alpha = _per_scale(grad * trits, size, alpha) * step
        if negative is not None:
            to_negative = _per_scale(grad * np.minimum(q.trits, 0), size, negative) * step
        if beta is not None:
            to_beta = _per_scale(grad * threshold_slope(w, *_beside(q, w)), size, beta) * step
        return to_w, to_alpha, to_negative, to_beta


class FakeAbsmean(Function):
    """BitNet b1.58 with one scale per matrix and the identity rule: the usual case, compiled.

    The same numbers as `FakeTernary` with `weights.absmean`.
    """

    @staticmethod
    def forward(ctx: Any, w: Floats) -> Floats:
        """Quantise and dequantise (N, K)."""
        alpha = np.maximum(mean_magnitude(w.reshape(1, -1)), FLOOR).item()
        if not np.isfinite(alpha):
            finite(w)
        rounded: Floats = compiled.fake_ternary(w, alpha)
        return rounded

    @staticmethod
    def backward(ctx: Any, grad: Floats) -> Floats:
        """Identity."""
        return grad


class FakeStretched(Function):
    """ParetoQ's stretched elastic quantiser with a learned scale (`weights.seq`).

    Straight-through is the rounding only. The clip keeps its own derivative:
    outside +-0.99 alpha a weight gets no gradient, whatever the rule for the
    rounding, and the scale gets the level itself, 2/3 of the sign.

    Notes
    -----
    LSQ, arXiv 1902.08153, equation 3. ParetoQ's published code takes 1 for the
    slope outside the clip; 2/3 is the slope of what it computes.
    """

    @staticmethod
    def forward(
        ctx: Any,
        w: Floats,
        alpha: Floats,
        *,
        quantize: Callable[[Floats], Quantized],
        ste: str = "identity",
        sharpness: float = 1.0,
    ) -> Floats:
        """Quantise and dequantise (N, K)."""
        q = quantize(w)
        ctx.save(w, q, alpha)
        ctx.ste, ctx.sharpness = ste, sharpness
        return q.dequantize().astype(w.dtype, copy=False)

    @staticmethod
    def backward(ctx: Any, grad: Floats) -> tuple[Floats, Floats]:
        """Pass the gradient inside the clip; the scale by LSQ's rule."""
        w, q, alpha = ctx.saved
        scale, limit = _beside(q, w)
        ratio = w / (scale * w.dtype.type(SEQ_HALF))
        inside = np.abs(ratio) <= SEQ_CLIP
        to_w = grad * inside
        if ctx.ste != "identity":
            to_w = to_w * surrogate(ctx.ste).slope(w, scale, limit, ctx.sharpness)
        slope = q.trits / w.dtype.type(SEQ_HALF) - ratio * inside
        size = q.granularity
        return to_w, _per_scale(grad * slope, size, alpha) * learned_step(w, size)


class FakeInteger(Function):
    """W to int8 or int4 times its scale; absmax clips nothing, so the gradient passes."""

    @staticmethod
    def forward(ctx: Any, w: Floats, *, quantize: Callable[[Floats], QuantizedInt]) -> Floats:
        """Quantise and dequantise (N, K)."""
        return quantize(w).dequantize().astype(w.dtype, copy=False)

    @staticmethod
    def backward(ctx: Any, grad: Floats) -> Floats:
        """Identity."""
        return grad


def learned_step(w: Floats, size: Granularity) -> float:
    """LSQ's factor on the gradient of a scale: 1 / sqrt(weights that share it x Q_p), Q_p = 1."""
    return 1.0 / math.sqrt(grouped(w, size).shape[-1])


def _beside(q: Quantized, w: Floats) -> tuple[Floats, Floats]:
    """Scale and threshold that broadcast against w, each weight's own sign considered."""
    scale: Any = spread(q.scale, w.shape).astype(w.dtype, copy=False)
    if q.scale_negative is not None:
        scale = np.where(w < 0, spread(q.scale_negative, w.shape), scale).astype(w.dtype)
    assert q.threshold is not None  # every ternary rule of the package gives one
    return scale, spread(q.threshold, w.shape).astype(w.dtype, copy=False)


def _per_scale(values: Floats, size: Granularity, like: Floats) -> Floats:
    total: Floats = np.sum(grouped(values, size), axis=-1)
    return total.reshape(like.shape)
