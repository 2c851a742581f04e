"""Straight-through rules: what stands in for the derivative of a staircase (lesson 04).

Rounding is flat almost everywhere, so its true derivative is zero and nothing
would learn. Each rule declares a surrogate S(W), a curve with a slope, that the
backward pass differentiates in the place of the staircase Q(W). The scale
alpha and the threshold beta count as constants there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyternary.config.grid import SMALLEST_DIVISOR
from tinyternary.errors import unknown_name
from tinyternary.quant.quantized import Floats

Curve = Callable[[Floats, Floats, Floats, float], Floats]


@dataclass(frozen=True)
class Surrogate:
    """A curve and its slope.

    Attributes
    ----------
    doc : str
        One line.
    curve, slope : callable
        Functions of (w, alpha, beta, sharpness): what the staircase is taken for,
        and its derivative with respect to w. Alpha and beta broadcast against w.
    """

    doc: str
    curve: Curve
    slope: Curve


def _identity(w: Floats, alpha: Floats, beta: Floats, sharpness: float) -> Floats:
    return w


def _identity_slope(w: Floats, alpha: Floats, beta: Floats, sharpness: float) -> Floats:
    return np.ones_like(w)


def _clipped(w: Floats, alpha: Floats, beta: Floats, sharpness: float) -> Floats:
    return np.clip(w, -alpha, alpha)


def _clipped_slope(w: Floats, alpha: Floats, beta: Floats, sharpness: float) -> Floats:
    inside: Floats = (np.abs(w) <= alpha).astype(w.dtype)
    return inside


def _soft(w: Floats, alpha: Floats, beta: Floats, sharpness: float) -> Floats:
    k = w.dtype.type(sharpness) / alpha
    curve: Floats = alpha * (np.tanh(k * (w - beta)) + np.tanh(k * (w + beta))) / 2
    return curve


def _soft_slope(w: Floats, alpha: Floats, beta: Floats, sharpness: float) -> Floats:
    k = w.dtype.type(sharpness) / alpha
    up, down = np.tanh(k * (w - beta)), np.tanh(k * (w + beta))
    slope: Floats = w.dtype.type(sharpness) * (2 - up * up - down * down) / 2
    return slope


def _scaled(w: Floats, alpha: Floats, beta: Floats, sharpness: float) -> Floats:
    beyond = np.maximum(np.abs(w) - beta, 0)
    curve: Floats = np.clip(w, -beta, beta) + np.sign(w) * alpha * beyond
    return curve


def _scaled_slope(w: Floats, alpha: Floats, beta: Floats, sharpness: float) -> Floats:
    return np.where(np.abs(w) > beta, alpha, w.dtype.type(1))


STRAIGHT_THROUGH: dict[str, Surrogate] = {
    "identity": Surrogate(
        "S(W) = W: the gradient passes unchanged (BitNet)", _identity, _identity_slope
    ),
    "clipped": Surrogate(
        "S(W) = clip(W, -alpha, alpha): no gradient beyond the scale", _clipped, _clipped_slope
    ),
    "soft": Surrogate(
        "S(W) = alpha (tanh k(W - beta)/alpha + tanh k(W + beta)/alpha) / 2, k annealed upwards",
        _soft,
        _soft_slope,
    ),
    "scaled": Surrogate(
        "slope alpha beyond the threshold, 1 within (TTQ, arXiv 1612.01064, equation 8)",
        _scaled,
        _scaled_slope,
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


def threshold_slope(w: Floats, alpha: Floats, beta: Floats) -> Floats:
    """Return the declared derivative of the quantised weight by its threshold.

    Raising beta turns +-alpha into 0 at |W| = beta: a spike of height -alpha.
    The surrogate spreads it evenly over 0 < |W| < 2 beta:
    ``-sign(W) alpha / (2 beta)`` there, 0 elsewhere.
    """
    width = 2 * np.maximum(beta, w.dtype.type(SMALLEST_DIVISOR))
    slope: Floats = -np.sign(w) * (np.abs(w) < width) * (alpha / width)
    return slope
