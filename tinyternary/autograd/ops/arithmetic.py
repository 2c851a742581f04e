"""Arithmetic on two broadcast operands (lesson 02)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd.function import Context, Function
from tinyternary.autograd.ops.broadcasting import check_broadcast, shape_of, unbroadcast

Array = NDArray[Any]


def operand(other: Any, like: Any) -> Any:
    """Turn the other side of an operator into a Tensor or an array of floats.

    Numbers and integer arrays take the type of `like`, so that ``x * 2`` and
    ``x * labels`` stay float32.
    """
    if isinstance(other, Tensor):
        return other
    dtype = like.dtype if like.dtype.kind == "f" else np.dtype(np.float32)
    array = np.asarray(other)
    if array.ndim == 0 or array.dtype.kind != "f" or not isinstance(other, np.ndarray):
        return array.astype(dtype)
    return array


class Add(Function):
    """a + b; what broadcasting spread out, the gradient sums up again."""

    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        check_broadcast("add", a.shape, b.shape)
        ctx.save(a.shape, b.shape)
        return np.add(a, b)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array | None, ...]:
        a_shape, b_shape = ctx.saved
        return (
            unbroadcast(grad, a_shape) if ctx.needs[0] else None,
            unbroadcast(grad, b_shape) if ctx.needs[1] else None,
        )


class Subtract(Function):
    """a - b; b's gradient has the other sign."""

    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        check_broadcast("subtract", a.shape, b.shape)
        ctx.save(a.shape, b.shape)
        return np.subtract(a, b)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array | None, ...]:
        a_shape, b_shape = ctx.saved
        return (
            unbroadcast(grad, a_shape) if ctx.needs[0] else None,
            unbroadcast(-grad, b_shape) if ctx.needs[1] else None,
        )


class Multiply(Function):
    """a * b; each factor's gradient is the other factor times the upstream one."""

    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        check_broadcast("multiply", a.shape, b.shape)
        # only what the other side's gradient needs
        ctx.save(a if ctx.needs[1] else None, b if ctx.needs[0] else None, a.shape, b.shape)
        return np.multiply(a, b)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array | None, ...]:
        a, b, a_shape, b_shape = ctx.saved
        return (
            unbroadcast(grad * b, a_shape) if ctx.needs[0] else None,
            unbroadcast(grad * a, b_shape) if ctx.needs[1] else None,
        )


class Divide(Function):
    """a / b, by the rule for quotients."""

    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        check_broadcast("divide", a.shape, b.shape)
        ctx.save(a if ctx.needs[1] else None, b, a.shape)
        return np.divide(a, b)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array | None, ...]:
        a, b, a_shape = ctx.saved
        return (
            unbroadcast(grad / b, a_shape) if ctx.needs[0] else None,
            unbroadcast(-grad * a / (b * b), b.shape) if ctx.needs[1] else None,
        )


class Negate(Function):
    """-a, and so is its gradient."""

    @staticmethod
    def forward(ctx: Context, a: Array) -> Array:
        return np.negative(a)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        return -grad


class Power(Function):
    """a to a constant power."""

    @staticmethod
    def forward(ctx: Context, a: Array, exponent: float) -> Array:
        ctx.save(a, exponent)
        return np.asarray(a**exponent)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        a, exponent = ctx.saved
        if exponent == 0:
            return np.zeros_like(a)
        return grad * exponent * a ** (exponent - 1)


class PowerOf(Function):
    """a ** b, both arrays; a must be positive where b's gradient is wanted."""

    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        check_broadcast("power", a.shape, b.shape)
        result = np.power(a, b)
        ctx.save(a, b, result)
        return result

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array | None, ...]:
        a, b, result = ctx.saved
        return (
            unbroadcast(grad * b * a ** (b - 1), a.shape) if ctx.needs[0] else None,
            unbroadcast(grad * result * np.log(a), b.shape) if ctx.needs[1] else None,
        )


def power(base: Any, exponent: Any) -> Tensor:
    """Raise `base` to `exponent`; a plain number as exponent takes the simpler rule."""
    if isinstance(exponent, int | float | np.integer | np.floating):
        return Power.apply(base, exponent=float(exponent))
    return PowerOf.apply(base, operand(exponent, base))


class Maximum(Function):
    """Larger of a and b; where they are equal, each gets half of the gradient."""

    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        check_broadcast("maximum", a.shape, b.shape)
        ctx.save(a, b)
        return np.maximum(a, b)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array, Array]:
        a, b = ctx.saved
        share = (a > b) + (a == b) * grad.dtype.type(0.5)
        return unbroadcast(grad * share, a.shape), unbroadcast(grad * (1 - share), b.shape)


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


def _pair(a: Any, b: Any) -> tuple[Any, Any]:
    """Both operands as Tensors or arrays, a number taking the other's type."""
    if isinstance(a, Tensor):
        return a, operand(b, a)
    if isinstance(b, Tensor):
        return operand(a, b), b
    return as_float_array(a), as_float_array(b)


def maximum(a: Any, b: Any) -> Tensor:
    """Larger of two tensors, entry by entry; equal entries share the gradient."""
    return Maximum.apply(*_pair(a, b))


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """Take `a` where `condition` (bool array) holds, `b` elsewhere."""
    condition = np.asarray(condition.data if isinstance(condition, Tensor) else condition, bool)
    return Where.apply(condition, *_pair(a, b))


from tinyternary.autograd.tensor import Tensor, as_float_array  # noqa: E402
