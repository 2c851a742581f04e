"""Non-linearities of the feed-forward network, and dropout (lesson 02)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary import compiled
from tinyternary.autograd.function import Context, Function
from tinyternary.errors import ConfigError, unknown_name

Array = NDArray[Any]


class Relu(Function):
    """max(x, 0)."""

    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        ctx.save(x > 0)
        return np.maximum(x, x.dtype.type(0))

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (positive,) = ctx.saved
        return grad * positive


class ReluSquared(Function):
    """max(x, 0)^2."""

    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        y = np.maximum(x, x.dtype.type(0))
        ctx.save(y)
        return y * y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (y,) = ctx.saved
        return grad * (2 * y)


class Gelu(Function):
    """x Phi(x)."""

    @staticmethod
    def forward(ctx: Context, x: Array, approximate: str) -> Array:
        ctx.save(x, approximate)
        return compiled.gelu(x, approximate=approximate)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        x, approximate = ctx.saved
        return compiled.gelu_backward(grad, x, approximate)


def gelu(x: Any, approximate: str = "none") -> Tensor:
    """GELU, x Phi(x): exact, or ``approximate="tanh"``."""
    if approximate not in ("none", "tanh"):
        raise unknown_name("GELU approximation", approximate, ("none", "tanh"))
    return Gelu.apply(x, approximate=approximate)


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
    if p == 0.0:
        return x if isinstance(x, Tensor) else Tensor(x)
    mask = (rng.random(x.shape, np.float32) >= np.float32(p)).astype(x.dtype)
    mask *= x.dtype.type(1.0 / (1.0 - p))
    return Dropout.apply(x, mask)


from tinyternary.autograd.tensor import Tensor  # noqa: E402
