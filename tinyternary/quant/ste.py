"""Straight-through rules: what stands in for the derivative of a staircase (lesson 04).

Rounding is flat almost everywhere, so its true derivative is zero and nothing
would learn. Each rule declares a surrogate S(W), a curve with a slope, that the
backward pass differentiates in the place of the staircase Q(W). The scale
alpha and the threshold delta count as constants there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyternary.autograd import Tensor
from tinyternary.config.grid import SMALLEST_DIVISOR
from tinyternary.errors import unknown_name
from tinyternary.quant.quantized import Floats

Curve = Callable[[Floats, Floats, Floats, float], Floats]


def mixed(value: Tensor, quantize: Callable[[Tensor], Tensor], strength: float) -> Tensor:
    """Go from floats to what they are quantised to: value + strength (Q(value) - value).

    At 0 it is the value itself and at 1 its quantised form, to the last bit.
    """
    if strength == 0.0:
        return value
    quantized = quantize(value)
    return quantized if strength == 1.0 else value + (quantized - value) * strength


@dataclass(frozen=True)
class Surrogate:
    """A curve and its slope.

    Attributes
    ----------
    doc : str
        One line.
    curve, slope : callable
        Functions of (w, alpha, delta, k): what the staircase is taken for, and its
        derivative with respect to w. Alpha and delta broadcast against w; k is the
        sharpness of the soft rule.
    """

    doc: str
    curve: Curve
    slope: Curve


def _soft_slope(w: Floats, alpha: Floats, delta: Floats, k: float) -> Floats:
    up, down = np.tanh(k / alpha * (w - delta)), np.tanh(k / alpha * (w + delta))
    slope: Floats = k * (2 - up * up - down * down) / 2
    return slope


STRAIGHT_THROUGH: dict[str, Surrogate] = {
    "identity": Surrogate(
        "S(W) = W: the gradient passes unchanged (BitNet)",
        curve=lambda w, alpha, delta, k: w,
        slope=lambda w, alpha, delta, k: np.ones_like(w),
    ),
    "clipped": Surrogate(
        "S(W) = clip(W, -alpha, alpha): no gradient beyond the scale",
        curve=lambda w, alpha, delta, k: np.clip(w, -alpha, alpha),
        slope=lambda w, alpha, delta, k: (np.abs(w) <= alpha).astype(w.dtype),
    ),
    "soft": Surrogate(
        "S(W) = alpha (tanh k(W - delta)/alpha + tanh k(W + delta)/alpha) / 2, k annealed upwards",
        curve=lambda w, alpha, delta, k: (
            alpha * (np.tanh(k / alpha * (w - delta)) + np.tanh(k / alpha * (w + delta))) / 2
        ),
        slope=_soft_slope,
    ),
    "scaled": Surrogate(
        "slope alpha beyond the threshold, 1 within (TTQ, arXiv 1612.01064, equation 8)",
        curve=lambda w, alpha, delta, k: (
            np.clip(w, -delta, delta) + np.sign(w) * alpha * np.maximum(np.abs(w) - delta, 0)
        ),
        slope=lambda w, alpha, delta, k: np.where(np.abs(w) > delta, alpha, w.dtype.type(1)),
    ),
}
"""Straight-through rules by name."""


def surrogate(name: str) -> Surrogate:
    """Return a straight-through rule by name.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    if name not in STRAIGHT_THROUGH:
        raise unknown_name("straight-through rule", name, STRAIGHT_THROUGH)
    return STRAIGHT_THROUGH[name]


def threshold_slope(w: Floats, alpha: Floats, delta: Floats) -> Floats:
    """Return the declared derivative of the quantised weight by its threshold.

    Raising delta turns +-alpha into 0 at |W| = delta: a spike of height -alpha.
    The surrogate spreads it evenly over 0 < |W| < 2 delta:
    ``-sign(W) alpha / (2 delta)`` there, 0 elsewhere.
    """
    width = 2 * np.maximum(delta, w.dtype.type(SMALLEST_DIVISOR))
    slope: Floats = -np.sign(w) * (np.abs(w) < width) * (alpha / width)
    return slope
