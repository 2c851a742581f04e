"""LayerNorm and RMSNorm over the last axis, each as one operation (lesson 02)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd.function import Context, Function
from tinyternary.autograd.ops.shapes import rows
from tinyternary.autograd.ops.types import floating
from tinyternary.autograd.tensor import Tensor
from tinyternary.errors import ShapeError

Array = NDArray[Any]


def _check_width(operation: str, x: Array, **vectors: Array | None) -> None:
    if x.shape[-1:] in ((), (0,)):
        raise ShapeError(f"{operation}: x {x.shape} has no rows, or rows of no entries")
    for name, vector in vectors.items():
        if vector is not None and vector.shape != x.shape[-1:]:
            raise ShapeError(
                f"{operation}: {name} {vector.shape} for x {x.shape}: expected {x.shape[-1:]}"
            )


def _over_rows(x: Array) -> Array:
    """Sum over all axes but the last: every row used the same weights."""
    return rows(x).sum(0)


class LayerNorm(Function):
    """(x - mean) / sqrt(var + eps) * weight + bias."""

    @staticmethod
    def forward(ctx: Context, x: Array, weight: Array, bias: Array | None, eps: float) -> Array:
        _check_width("layer_norm", x, weight=weight, bias=bias)
        centered = x - x.mean(-1, keepdims=True)
        rstd = 1.0 / np.sqrt((centered * centered).mean(-1, keepdims=True) + x.dtype.type(eps))
        normed = centered * rstd
        ctx.save(normed, weight, rstd)
        out = normed * weight
        return out if bias is None else out + bias

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array, Array, Array]:
        normed, weight, rstd = ctx.saved
        grad_weight, grad_bias = _over_rows(grad * normed), _over_rows(grad)
        g = grad * weight  # with respect to normed; mean and deviation depend on x as well
        inner = (g * normed).mean(-1, keepdims=True)
        grad_x = (g - g.mean(-1, keepdims=True) - normed * inner) * rstd
        return grad_x, grad_weight, grad_bias


class RMSNorm(Function):
    """x / sqrt(mean(x^2) + eps) * weight."""

    @staticmethod
    def forward(ctx: Context, x: Array, weight: Array | None, eps: float) -> Array:
        _check_width("rms_norm", x, weight=weight)
        rstd = 1.0 / np.sqrt((x * x).mean(-1, keepdims=True) + x.dtype.type(eps))
        normed = x * rstd
        ctx.save(normed, weight, rstd)
        return normed if weight is None else normed * weight

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array, Array | None]:
        normed, weight, rstd = ctx.saved
        g, grad_weight = grad, None
        if weight is not None:
            grad_weight = _over_rows(grad * normed)
            g = grad * weight
        inner = (g * normed).mean(-1, keepdims=True)
        return (g - normed * inner) * rstd, grad_weight


def layer_norm(x: Any, weight: Any, bias: Any, eps: float) -> Tensor:
    """LayerNorm over the last axis of x (..., D); weight and bias (D,).

    Source: Ba, Kiros and Hinton, arXiv 1607.06450, eq. 4.
    """
    return LayerNorm.apply(floating(x), weight, bias, eps=eps)


def rms_norm(x: Any, weight: Any, eps: float) -> Tensor:
    """RMSNorm over the last axis of x (..., D); weight (D,) or None.

    Source: Zhang and Sennrich, arXiv 1910.07467, eq. 4.
    """
    return RMSNorm.apply(floating(x), weight, eps=eps)
