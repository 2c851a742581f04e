"""Non-linearities of the feed-forward network, and dropout (lesson 02)."""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd.function import Context, Function
from tinyternary.autograd.ops.types import floating
from tinyternary.errors import ConfigError, unknown_name

Array = NDArray[Any]


class Relu(Function):
    """max(x, 0); no gradient up to 0."""

    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        ctx.save(~(x <= 0))  # so that NaN is let through
        return np.maximum(x, x.dtype.type(0))

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (positive,) = ctx.saved
        return grad * positive


class ReluSquared(Function):
    """max(x, 0)^2; smooth at 0, where ReLU has its corner."""

    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        y = np.maximum(x, x.dtype.type(0))
        ctx.save(y)
        return y * y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (y,) = ctx.saved
        return grad * (2 * y)


_SCALE, _CUBIC = sqrt(2 / pi), 0.044715  # of the approximation by tanh
_FAR = 40.0


class Gelu(Function):
    """x Phi(x), Phi the distribution function of the normal distribution.

    Source: Hendrycks and Gimpel, arXiv 1606.08415, with its approximation by tanh.
    """

    @staticmethod
    def forward(ctx: Context, x: Array, approximate: str) -> Array:
        ctx.save(x, approximate)
        if approximate == "tanh":
            return x * (0.5 * (1 + np.tanh(_SCALE * (x + _CUBIC * x * x * x))))
        return x * _normal_cdf(x)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        x, approximate = ctx.saved
        x = np.clip(x, -_FAR, _FAR)  # beyond, the slope is 0 or 1, and x^2 may overflow
        if approximate == "tanh":
            t = np.tanh(_SCALE * (x + _CUBIC * x * x * x))
            slope = 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * _SCALE * (1 + 3 * _CUBIC * x * x)
        else:  # Phi(x) + x phi(x), phi the density of the normal distribution
            slope = _normal_cdf(x) + x * np.exp(-0.5 * x * x) * (1 / sqrt(2 * pi))
        return grad * slope


def _normal_cdf(x: Array) -> Array:
    from scipy.special import erf  # only here: importing SciPy takes longer than the rest

    return 0.5 * (1 + erf(x * sqrt(0.5)))


def gelu(x: Any, approximate: str = "none") -> Tensor:
    """GELU, x Phi(x): exact, or ``approximate="tanh"``."""
    if approximate not in ("none", "tanh"):
        raise unknown_name("GELU approximation", approximate, ("none", "tanh"))
    return Gelu.apply(floating(x), approximate=approximate)


class Dropout(Function):
    """Entries set to 0 with probability p, the others scaled by 1 / (1 - p)."""

    @staticmethod
    def forward(ctx: Context, x: Array, mask: Array) -> Array:
        ctx.save(mask)
        return x * mask

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array, None]:
        (mask,) = ctx.saved
        return grad * mask, None


def dropout(x: Any, p: float, rng: np.random.Generator) -> Tensor:
    """Drop entries with probability `p`, drawn from `rng`; the mean stays the same.

    Raises
    ------
    ConfigError
        If `p` is not in [0, 1).
    """
    if not 0.0 <= p < 1.0:
        raise ConfigError(f"dropout: p must be in [0, 1), got {p}")
    x = floating(x)
    if p == 0.0:
        return x if isinstance(x, Tensor) else Tensor(x)
    mask = (rng.random(x.shape, np.float32) >= np.float32(p)).astype(x.dtype)
    mask *= x.dtype.type(1.0 / (1.0 - p))
    return Dropout.apply(x, mask)


from tinyternary.autograd.tensor import Tensor  # noqa: E402
