"""What all weight rules are made with, whatever their scale and threshold (lesson 04).

A rule finds the scale alpha and the threshold delta of each group of weights, then

    trit = +1 if W > delta, 0 if |W| <= delta, -1 if W < -delta.

`FakeTernary` is how most of them train: forward what the plain rule says, as floats;
backward the slope of a declared surrogate in the staircase's place, and for a learned
scale or threshold a gradient of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.autograd import Function, Tensor
from tinyternary.config import LayerQuant
from tinyternary.config.grid import FLOOR
from tinyternary.nn import Module
from tinyternary.quant.quantized import (
    Floats,
    Granularity,
    Quantized,
    QuantizedInt,
    as_scale,
    grouped,
    spread,
)
from tinyternary.quant.ste import surrogate, threshold_slope


class FakeTernary(Function):
    """w to scale * trit; the gradient of w by a straight-through rule.

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
        delta: Floats | None,
        *,
        quantizer: WeightQuantizer,
    ) -> Floats:
        q = quantizer.quantize(w)
        ctx.quantizer, ctx.learned = quantizer, (alpha, negative, delta)
        if quantizer.ste != "identity" or any(p is not None for p in ctx.learned):
            ctx.save(w, q)
        return q.dequantize().astype(w.dtype, copy=False)

    @staticmethod
    def backward(ctx: Any, grad: Floats) -> tuple[Floats | None, ...]:
        if not ctx.saved:
            return grad, None, None, None
        w, q = ctx.saved
        alpha, negative, delta = ctx.learned
        to_w = through_staircase(ctx, grad, w, q)
        size = q.granularity
        to_alpha = to_negative = to_delta = None
        if alpha is not None:
            trits = q.trits if negative is None else np.maximum(q.trits, 0)
            to_alpha = learned_gradient(grad * trits, size, alpha)
        if negative is not None:
            to_negative = learned_gradient(grad * np.minimum(q.trits, 0), size, negative)
        if delta is not None:
            slope = threshold_slope(w, *beside(q, w))
            to_delta = learned_gradient(grad * slope, size, delta)
        return to_w, to_alpha, to_negative, to_delta


def through_staircase(ctx: Any, grad: Floats, w: Floats, q: Quantized) -> Floats:
    """Pass a gradient to W: times the slope of what stands in for the staircase."""
    quantizer: WeightQuantizer = ctx.quantizer
    if quantizer.ste == "identity":
        return grad
    return grad * surrogate(quantizer.ste).slope(w, *beside(q, w), quantizer.sharpness)


def learned_gradient(values: Floats, size: Granularity, like: Floats) -> Floats:
    """Sum over the weights that share a scale, times LSQ's step, in the layout of `like`.

    The step is 1 / sqrt(weights that share it x Q_p) with Q_p = 1 (arXiv 1902.08153,
    section 2.2): without it a scale would move much faster than its weights.
    """
    groups = grouped(values, size)
    total: Floats = np.sum(groups, axis=-1) * (1.0 / math.sqrt(groups.shape[-1]))
    return total.reshape(like.shape)


def beside(q: Quantized, w: Floats) -> tuple[Floats, Floats]:
    """Scale and threshold that broadcast against w, each weight's own sign considered."""
    scale: Any = spread(q.scale, w.shape).astype(w.dtype, copy=False)
    if q.scale_negative is not None:
        scale = np.where(w < 0, spread(q.scale_negative, w.shape), scale).astype(w.dtype)
    assert q.threshold is not None  # every ternary rule of the package gives one
    return scale, spread(q.threshold, w.shape).astype(w.dtype, copy=False)


class WeightQuantizer(Module):
    """How one layer's weights become small integers.

    `quantize(W)` gives the integers of a packed file; calling the module on the latent
    weights gives the same numbers as floats, with gradients, for training.

    Attributes
    ----------
    rule : LayerQuant
    ste : str
        Straight-through rule of the backward pass.
    sharpness : float
        k of the soft straight-through rule; `tinyternary.quant.set_sharpness`.
    function : type of Function
        What training does with the weights; its inputs are those of `FakeTernary`.
    """

    function: type[Function] = FakeTernary

    def __init__(self, rule: LayerQuant, weights: Floats) -> None:
        super().__init__()
        self.rule = rule
        self.ste: str = rule.ste
        self.sharpness = 1.0

    def quantize(self, weights: Floats) -> Quantized | QuantizedInt:
        """Plain arrays in, integers and scales out."""
        raise NotImplementedError

    def learned(self) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Return the scale of +1, the scale of -1 and the threshold, those that are learned."""
        return None, None, None

    def forward(self, weight: Tensor) -> Tensor:
        """Fake-quantise the latent weights (N, K)."""
        result: Tensor = self.function.apply(weight, *self.learned(), quantizer=self)
        return result


class Entry(NamedTuple):
    """A quantiser in the registry: a line about it, how to build it, and bits per weight."""

    doc: str
    build: Callable[[LayerQuant, Floats], WeightQuantizer]
    bits: float = 2.0  # as stored, before the scales


# ---- arithmetic on grouped weights, (..., weights that share a scale) ------------------


def cut(w: Floats, delta: Floats | float) -> Floats:
    """Return +1 above `delta`, -1 below -`delta`, 0 between, in the dtype of `w`."""
    trits: Floats = np.sign(w) * (np.abs(w) > delta)
    return trits


def survivors_mean(w: Floats, trits: Floats) -> Floats:
    """Mean of |W| where the trit is not 0, along the last axis; at least `FLOOR`.

    It is the alpha that minimises ``sum (W - alpha * trit)^2`` for given trits.
    """
    kept = np.abs(trits)
    count = np.maximum(kept.sum(axis=-1, keepdims=True, dtype=np.float64), 1)
    total = (np.abs(w) * kept).sum(axis=-1, keepdims=True, dtype=np.float64)
    mean: Floats = (total / count).astype(w.dtype)
    return np.maximum(mean, FLOOR)


def per_group(value: ArrayLike, w: Floats) -> Floats:
    """Bring a number or a scale's layout, (N, 1) or (N, G), beside grouped weights."""
    array: Floats = np.asarray(value, w.dtype)
    return array if array.ndim == 0 else array.reshape(*w.shape[:-1], 1)


def as_quantized(
    trits: Floats,
    alpha: Floats,
    delta: Floats,
    weights: ArrayLike,
    granularity: Granularity,
    negative: Floats | None = None,
) -> Quantized:
    """Give grouped trits the shape of the weights, and scales their layout."""

    def layout(values: Floats) -> NDArray[np.float32]:
        # a value given as one number serves every group
        return as_scale(np.broadcast_to(values, (*trits.shape[:-1], 1)), granularity)

    return Quantized(
        trits.astype(np.int8).reshape(np.shape(weights)),
        layout(alpha),
        None if negative is None else layout(negative),
        layout(delta),
    )
