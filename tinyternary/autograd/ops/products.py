"""Matrix products: matmul of any rank, and the linear layer (lesson 02)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd.function import Context, Function
from tinyternary.autograd.ops.broadcasting import unbroadcast
from tinyternary.autograd.ops.shapes import rows
from tinyternary.autograd.ops.types import floating, operands
from tinyternary.errors import ShapeError

Array = NDArray[Any]


def _check_matmul(a: Array, b: Array) -> None:
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError(f"matmul: {a.shape} @ {b.shape}: a single number has no inner size")
    inner_a, inner_b = a.shape[-1], b.shape[-2] if b.ndim > 1 else b.shape[0]
    if inner_a != inner_b:
        raise ShapeError(
            f"matmul: {a.shape} @ {b.shape}: inner sizes {inner_a} and {inner_b} differ"
        )
    try:
        np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ShapeError(
            f"matmul: {a.shape} @ {b.shape}: batch sizes {a.shape[:-2]} and {b.shape[:-2]} differ"
        ) from None


class Matmul(Function):
    """a @ b; a vector counts as one row (left) or one column (right)."""

    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        _check_matmul(a, b)
        ctx.save(a, b)
        return np.asarray(np.matmul(a, b))

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array | None, ...]:
        a, b = ctx.saved
        a2 = a[None, :] if a.ndim == 1 else a  # (1, K)
        b2 = b[:, None] if b.ndim == 1 else b  # (K, 1)
        if a.ndim == 1:
            grad = np.expand_dims(grad, -1 if b.ndim == 1 else -2)
        if b.ndim == 1:
            grad = np.expand_dims(grad, -1)
        grad_a = grad_b = None
        if ctx.needs[0]:  # dL/dA = G B^T
            grad_a = unbroadcast(np.matmul(grad, b2.swapaxes(-1, -2)), a2.shape).reshape(a.shape)
        if ctx.needs[1]:  # dL/dB = A^T G
            grad_b = unbroadcast(np.matmul(a2.swapaxes(-1, -2), grad), b2.shape).reshape(b.shape)
        return grad_a, grad_b


def matmul(a: Any, b: Any) -> Tensor:
    """Multiply matrices, batched, of any rank.

    Raises
    ------
    ShapeError
        If the inner sizes differ.
    """
    return Matmul.apply(*operands(a, b))


class Linear(Function):
    """x W^T + b, as one product of two matrices whatever the rank of x."""

    @staticmethod
    def forward(ctx: Context, x: Array, weight: Array, bias: Array | None) -> Array:
        if weight.ndim != 2 or x.ndim == 0 or x.shape[-1] != weight.shape[1]:
            raise ShapeError(
                f"linear: x {x.shape} and weight {weight.shape}: the last size of x must be "
                "the weight's second (weight is (outputs, inputs))"
            )
        if bias is not None and bias.shape != weight.shape[:1]:
            raise ShapeError(f"linear: bias {bias.shape} for {weight.shape[0]} outputs")
        ctx.save(x if ctx.needs[1] else None, weight if ctx.needs[0] else None)
        out = rows(x) @ weight.T
        if bias is not None:
            out += bias
        return out.reshape(*x.shape[:-1], len(weight))

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array | None, ...]:
        x, weight = ctx.saved
        g = rows(grad)  # (rows, N), whatever the rank of x was
        grad_x = grad_weight = grad_bias = None
        if ctx.needs[0]:  # dL/dX = G W
            grad_x = (g @ weight).reshape(*grad.shape[:-1], weight.shape[1])
        if ctx.needs[1]:  # dL/dW = G^T X
            grad_weight = g.T @ rows(x)
        if ctx.needs[2]:  # dL/db = sum of G's rows
            grad_bias = g.sum(0)
        return grad_x, grad_weight, grad_bias


def linear(x: Any, weight: Any, bias: Any = None) -> Tensor:
    """x W^T + b.

    Parameters
    ----------
    x : (..., K)
    weight : (N, K)
    bias : (N,), optional

    Returns
    -------
    Tensor (..., N)
    """
    x, weight = operands(x, weight)
    return Linear.apply(floating(x), weight, bias)


from tinyternary.autograd.tensor import Tensor  # noqa: E402
