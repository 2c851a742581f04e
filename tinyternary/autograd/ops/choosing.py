"""One of two operands, entry by entry: the larger, or the one a condition names (lesson 02)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd.function import Context, Function
from tinyternary.autograd.ops.broadcasting import check_broadcast, shape_of, unbroadcast
from tinyternary.autograd.ops.types import operands

Array = NDArray[Any]


class Maximum(Function):
    """Larger of a and b; where they are equal, each gets half of the gradient.

    Where one is NaN, so is the result, and both get all of it.
    """

    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        check_broadcast("maximum", a.shape, b.shape)
        ctx.save(a, b)
        return np.maximum(a, b)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array, Array]:
        a, b = ctx.saved
        share = np.where(a == b, grad.dtype.type(0.5), grad.dtype.type(1)) * grad
        return unbroadcast(share * ~(a < b), a.shape), unbroadcast(share * ~(b < a), b.shape)


class Where(Function):
    """A where the condition holds, b elsewhere; the condition has no gradient."""

    @staticmethod
    def forward(ctx: Context, condition: Array, a: Array, b: Array) -> Array:
        check_broadcast("where", shape_of(condition), a.shape, b.shape)
        ctx.save(condition, a.shape, b.shape)
        return np.where(condition, a, b)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[None, Array, Array]:
        condition, a_shape, b_shape = ctx.saved
        zero = grad.dtype.type(0)
        return (
            None,
            unbroadcast(np.where(condition, grad, zero), a_shape),
            unbroadcast(np.where(condition, zero, grad), b_shape),
        )


def maximum(a: Any, b: Any) -> Tensor:
    """Larger of two tensors, entry by entry; equal entries share the gradient."""
    return Maximum.apply(*operands(a, b))


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """Take `a` where `condition` (bool array) holds, `b` elsewhere."""
    condition = np.asarray(condition.data if isinstance(condition, Tensor) else condition, bool)
    return Where.apply(condition, *operands(a, b))


from tinyternary.autograd.tensor import Tensor  # noqa: E402
