"""Functions of one entry at a time (lesson 02)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd.function import Context, Function
from tinyternary.autograd.ops.types import floating
from tinyternary.errors import ConfigError

Array = NDArray[Any]


class Exp(Function):
    """e^x, which is its own derivative."""

    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        y = np.exp(x)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (y,) = ctx.saved
        return grad * y


class Log(Function):
    """Natural logarithm of each entry; the derivative is 1 / x."""

    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        ctx.save(x)
        return np.log(x)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (x,) = ctx.saved
        return grad / x


class Sqrt(Function):
    """Square root of each entry; the derivative is half its reciprocal."""

    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        y = np.sqrt(x)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (y,) = ctx.saved
        return grad / (2 * y)


class Tanh(Function):
    """Hyperbolic tangent of each entry; the derivative is 1 - tanh(x)^2."""

    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        y = np.tanh(x)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (y,) = ctx.saved
        return grad * (1 - y * y)


def sigmoid_of(x: Array) -> Array:
    """1 / (1 + e^-x) of an array, to the last digits on both sides."""
    e = np.exp(-np.abs(x))  # never overflows; 1 / (1 + e), or e / (1 + e) left of 0
    return np.where(x >= 0, x.dtype.type(1), e) / (1 + e)


class Sigmoid(Function):
    """1 / (1 + e^-x)."""

    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        y = sigmoid_of(x)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (y,) = ctx.saved
        return grad * y * (1 - y)


class Abs(Function):
    """|x|, with slope 0 at 0."""

    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        ctx.save(x)
        return np.abs(x)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (x,) = ctx.saved
        return grad * np.sign(x)


class Clip(Function):
    """Limit to [low, high]; the gradient passes inside, limits included."""

    @staticmethod
    def forward(ctx: Context, x: Array, low: float | None, high: float | None) -> Array:
        inside = np.ones(x.shape, bool)
        if low is not None:
            inside &= x >= low
        if high is not None:
            inside &= x <= high
        ctx.save(inside)
        return np.clip(x, low, high)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (inside,) = ctx.saved
        return grad * inside


def clip(x: Any, low: float | None, high: float | None) -> Tensor:
    """Limit every entry to [low, high]; None leaves that side open.

    Raises
    ------
    ConfigError
        If `low` is above `high`.
    """
    if low is not None and high is not None and low > high:
        raise ConfigError(f"clip: low {low} is above high {high}")
    if isinstance(low, float) or isinstance(high, float):
        x = floating(x)
    return Clip.apply(x, low=low, high=high)


from tinyternary.autograd.tensor import Tensor  # noqa: E402
