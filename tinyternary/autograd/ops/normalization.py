"""LayerNorm and RMSNorm over the last axis, each as one operation (lesson 02)."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from tinyternary import compiled
from tinyternary.autograd.function import Context, Function
from tinyternary.autograd.tensor import Tensor
from tinyternary.errors import ShapeError

Array = NDArray[Any]


def _check_width(operation: str, x: Array, **vectors: Array | None) -> None:
    for name, vector in vectors.items():
        if vector is not None and vector.shape != x.shape[-1:]:
            raise ShapeError(
                f"{operation}: {name} {vector.shape} for x {x.shape}: expected {x.shape[-1:]}"
            )


class LayerNorm(Function):
    """(x - mean) / sqrt(var + eps) * weight + bias."""

    @staticmethod
    def forward(ctx: Context, x: Array, weight: Array, bias: Array | None, eps: float) -> Array:
        _check_width("layer_norm", x, weight=weight, bias=bias)
        out, mean, rstd = compiled.layer_norm_forward(x, weight, bias, eps)
        ctx.save(x, weight, mean, rstd)
        return out

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array, Array, Array]:
        x, weight, mean, rstd = ctx.saved
        return compiled.layer_norm_backward(grad, x, weight, mean, rstd)


class RMSNorm(Function):
    """X / sqrt(mean(x^2) + eps) * weight."""

    @staticmethod
    def forward(ctx: Context, x: Array, weight: Array | None, eps: float) -> Array:
        _check_width("rms_norm", x, weight=weight)
        out, rstd = compiled.rms_norm_forward(x, weight, eps)
        ctx.save(x, weight, rstd)
        return out

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array, Array | None]:
        x, weight, rstd = ctx.saved
        return compiled.rms_norm_backward(grad, x, weight, rstd)


def layer_norm(x: Any, weight: Any, bias: Any, eps: float) -> Tensor:
    """LayerNorm over the last axis of x (..., D); weight and bias (D,).

    Source: Ba, Kiros and Hinton, arXiv 1607.06450, eq. 4.
    """
    return LayerNorm.apply(x, weight, bias, eps=eps)


def rms_norm(x: Any, weight: Any, eps: float) -> Tensor:
    """RMSNorm over the last axis of x (..., D); weight (D,) or None.

    Source: Zhang and Sennrich, arXiv 1910.07467, eq. 4.
    """
    return RMSNorm.apply(x, weight, eps=eps)
