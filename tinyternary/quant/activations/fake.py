"""Fake-quantised activations: rows rounded to their grid, with gradients (lesson 06)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyternary import compiled
from tinyternary.autograd import Function
from tinyternary.config.grid import SMALLEST_DIVISOR
from tinyternary.quant.activations.absmax import absmax, ternary
from tinyternary.quant.quantized import Floats
from tinyternary.quant.ste import surrogate, threshold_slope


class FakeAbsmax(Function):
    """Rows to 8, 7 or 4 bits times their scale; absmax clips nothing, so the gradient passes.

    A NaN stays a NaN with int8, so that the loss shows it; checking would cost a
    pass over every activation.
    """

    @staticmethod
    def forward(ctx: Any, x: Floats, *, bits: int = 8) -> Floats:
        """Quantise and dequantise (..., K)."""
        if bits == 8:
            rounded: Floats = compiled.fake_quantize_rows(x)
            return rounded
        codes, scale = absmax(x, bits)
        return (codes * scale).astype(x.dtype, copy=False)

    @staticmethod
    def backward(ctx: Any, grad: Floats) -> Floats:
        """Identity."""
        return grad


class NormAbsmax(Function):
    """RMSNorm and int8 absmax in one: the normalised rows are rounded where they lie.

    The same numbers as `FakeAbsmax` of `rms_norm`, without keeping the rows between.
    """

    @staticmethod
    def forward(ctx: Any, x: Floats, weight: Floats, *, eps: float) -> Floats:
        """Normalise, quantise and dequantise (..., K)."""
        normed, rstd = compiled.rms_norm_forward(x, weight, eps)
        ctx.save(x, weight, rstd)
        rounded: Floats = compiled.fake_quantize_rows(normed, out=normed)
        return rounded

    @staticmethod
    def backward(ctx: Any, grad: Floats) -> tuple[Floats, Floats | None]:
        """Straight through the rounding, then RMSNorm's own derivative."""
        x, weight, rstd = ctx.saved
        return compiled.rms_norm_backward(grad, x, weight, rstd)


class FakeTernaryActivation(Function):
    """Rows to trits times a level; the gradient of x by a straight-through rule.

    `threshold` and `level` are single numbers: factors of the row's mean |x| for
    ``per="token"``, in the units of x for ``per="tensor"``. Both always have a
    gradient here; whether they are learned is up to their ``requires_grad``.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Floats,
        threshold: Floats,
        level: Floats,
        *,
        per: str = "token",
        ste: str = "clipped",
        sharpness: float = 1.0,
    ) -> Floats:
        """Quantise and dequantise (..., K)."""
        codes, scale = ternary(x, threshold, level, per=per)
        unit = scale / np.maximum(np.asarray(level, x.dtype), SMALLEST_DIVISOR)
        ctx.save(x, codes, scale, unit, np.asarray(threshold))
        ctx.ste, ctx.sharpness = ste, sharpness
        return (codes * scale).astype(x.dtype, copy=False)

    @staticmethod
    def backward(ctx: Any, grad: Floats) -> tuple[Floats, Floats | None, Floats | None]:
        """Differentiate the surrogate; threshold and level as a learned weight's."""
        x, codes, scale, unit, threshold = ctx.saved
        beta = np.maximum(threshold, 0) * unit
        to_x = grad
        if ctx.ste != "identity":
            to_x = grad * surrogate(ctx.ste).slope(x, scale, beta, ctx.sharpness)
        step = x.dtype.type(1.0 / np.sqrt(x.size))
        to_threshold = to_level = None
        if ctx.needs[1]:
            slope = threshold_slope(x, scale, beta) * unit
            to_threshold = np.sum(grad * slope).reshape(threshold.shape) * step
        if ctx.needs[2]:
            to_level = np.sum(grad * codes * unit).reshape(threshold.shape) * step
        return to_x, to_threshold, to_level
