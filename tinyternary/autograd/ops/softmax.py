"""Softmax and log-softmax along an axis (lesson 02)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd.function import Context, Function
from tinyternary.autograd.ops.reductions import normal_axes
from tinyternary.autograd.ops.types import floating

Array = NDArray[Any]


def top(x: Array, axis: int = -1) -> Array:
    """Maxima along an axis, which stays with size 1; of nothing, -inf."""
    return np.asarray(x.max(axis, keepdims=True, initial=-np.inf))


class Softmax(Function):
    """exp(x - max) / sum; without the maximum, which cancels, exp would overflow.

    Its Jacobian is diag(y) - y y^T; backward multiplies by it without making the matrix.
    """

    @staticmethod
    def forward(ctx: Context, x: Array, axis: int) -> Array:
        (axis,) = normal_axes("softmax", axis, x.ndim)
        y = np.exp(x - top(x, axis))
        y /= y.sum(axis, keepdims=True)
        ctx.save(y, axis)
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        y, axis = ctx.saved
        inner = (y * grad).sum(axis, keepdims=True)
        return y * (grad - inner)


def log_softmax_of(x: Array, axis: int = -1) -> Array:
    """x - log(sum(exp(x))) of an array, safe for large x."""
    if not x.size:
        return x.copy()
    shifted = x - top(x, axis)
    return shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))


class LogSoftmax(Function):
    """x - log(sum(exp(x))), along one axis."""

    @staticmethod
    def forward(ctx: Context, x: Array, axis: int) -> Array:
        (axis,) = normal_axes("log_softmax", axis, x.ndim)
        y = log_softmax_of(x, axis)
        ctx.save(y, axis)
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        y, axis = ctx.saved
        return grad - np.exp(y) * grad.sum(axis, keepdims=True)


def softmax(x: Any, axis: int = -1) -> Tensor:
    """Softmax along `axis`: positive entries that add up to 1."""
    return Softmax.apply(floating(x), axis=axis)


def log_softmax(x: Any, axis: int = -1) -> Tensor:
    """Logarithm of the softmax along `axis`, without overflow."""
    return LogSoftmax.apply(floating(x), axis=axis)


from tinyternary.autograd.tensor import Tensor  # noqa: E402
