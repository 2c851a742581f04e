"""Arithmetic on two broadcast operands (lesson 02)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd.function import Context, Function
from tinyternary.autograd.ops.broadcasting import check_broadcast, unbroadcast
from tinyternary.autograd.ops.types import floating, operands

Array = NDArray[Any]


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
            # not a / (b * b): the square overflows, or is 0, long before the quotient does
            unbroadcast(-grad * (a / b) / b, b.shape) if ctx.needs[1] else None,
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
        grad_a = grad_b = None
        if ctx.needs[0]:  # a^0 is 1 at 0 as well: without slope, where 0 * 0^-1 is none
            lower = np.where(b == 0, b, b - 1)
            grad_a = unbroadcast(grad * b * a**lower, a.shape)
        if ctx.needs[1]:  # 0^b stays 0 as b moves, where 0 log 0 is no number
            still = (a == 0) & (b >= 0)
            grad_b = unbroadcast(grad * result * np.log(np.where(still, 1, a)), b.shape)
        return grad_a, grad_b


def power(base: Any, exponent: Any) -> Tensor:
    """Raise `base` to `exponent`; a plain number as exponent takes the simpler rule."""
    if isinstance(exponent, int | float | np.integer | np.floating):
        whole = isinstance(exponent, int | np.integer) and exponent >= 0
        if whole and values(base).dtype.kind != "f":
            return Power.apply(base, exponent=int(exponent))
        return Power.apply(floating(base), exponent=float(exponent))
    return PowerOf.apply(*operands(base, exponent))


from tinyternary.autograd.tensor import Tensor, values  # noqa: E402
