"""Sum, mean, max, min and var over one axis, several, or all (lesson 02)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd.function import Context, Function
from tinyternary.errors import ShapeError

Array = NDArray[Any]
Axis: TypeAlias = int | Sequence[int] | None


def normal_axes(operation: str, axis: Axis, ndim: int) -> tuple[int, ...]:
    """Axes as a tuple of numbers from 0; all of them for None."""
    if axis is None:
        return tuple(range(ndim))
    given = (axis,) if isinstance(axis, int | np.integer) else tuple(axis)
    for one in given:
        if not -ndim <= one < ndim:
            raise ShapeError(f"{operation}: axis {one} does not exist in {ndim} dimensions")
    axes = tuple(int(one) % ndim for one in given)
    if len(set(axes)) != len(axes):
        raise ShapeError(f"{operation}: axis given twice in {axis}")
    return axes


def _spread(grad: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """View of a reduced gradient along the axes that were reduced."""
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return np.broadcast_to(grad.reshape(kept), shape)


def check_entries(name: str, what: str, x: Array, axes: tuple[int, ...]) -> None:
    """Raise a `ShapeError` where there is nothing to take a mean or a maximum of."""
    if 0 in x.shape and not prod(x.shape[axis] for axis in axes):
        raise ShapeError(f"{name}: nothing to take {what} of in shape {x.shape}")


class Sum(Function):
    """Sum over axes: every entry that was summed gets the same gradient."""

    @staticmethod
    def forward(ctx: Context, x: Array, axis: Axis, keepdims: bool) -> Array:
        axes = normal_axes("sum", axis, x.ndim)
        ctx.save(x.shape, axes)
        return np.asarray(x.sum(axes, keepdims=keepdims))

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        shape, axes = ctx.saved
        return _spread(grad, shape, axes)


class Mean(Function):
    """Mean over axes: the gradient of a sum, shared by the number of entries."""

    @staticmethod
    def forward(ctx: Context, x: Array, axis: Axis, keepdims: bool) -> Array:
        axes = normal_axes("mean", axis, x.ndim)
        check_entries("mean", "a mean", x, axes)
        ctx.save(x.shape, axes)
        return np.asarray(x.mean(axes, keepdims=keepdims))

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        shape, axes = ctx.saved
        count = prod(shape[axis] for axis in axes)
        return _spread(grad / grad.dtype.type(count), shape, axes)


def _extreme(
    ctx: Context, x: Array, axis: Axis, keepdims: bool, name: str, choose: np.ufunc
) -> Array:
    axes = normal_axes(name, axis, x.ndim)
    check_entries(name, f"a {name}imum", x, axes)
    top = np.asarray(choose.reduce(x, axes, keepdims=True))
    ctx.save(x, top, axes)
    return top if keepdims else top.squeeze(axes)


class Max(Function):
    """Maximum over axes; equal maxima share the gradient equally."""

    @staticmethod
    def forward(ctx: Context, x: Array, axis: Axis, keepdims: bool) -> Array:
        return _extreme(ctx, x, axis, keepdims, "max", np.maximum)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        x, top, axes = ctx.saved
        share = (x == top).astype(grad.dtype)
        share /= share.sum(axes, keepdims=True)
        share *= _spread(grad, x.shape, axes)
        return share


class Min(Max):
    """Minimum over axes; equal minima share the gradient equally."""

    @staticmethod
    def forward(ctx: Context, x: Array, axis: Axis, keepdims: bool) -> Array:
        return _extreme(ctx, x, axis, keepdims, "min", np.minimum)


class Var(Function):
    """Variance over axes: sum of squared deviations over (count - correction)."""

    @staticmethod
    def forward(ctx: Context, x: Array, axis: Axis, keepdims: bool, correction: int) -> Array:
        axes = normal_axes("var", axis, x.ndim)
        divisor = prod(x.shape[a] for a in axes) - correction
        if divisor <= 0:
            raise ShapeError(
                f"var: {divisor + correction} values are too few for correction={correction}"
            )
        centered = x - x.mean(axes, keepdims=True)
        ctx.save(centered, axes, divisor)
        return np.asarray(
            (centered * centered).sum(axes, keepdims=keepdims) / x.dtype.type(divisor)
        )

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        centered, axes, divisor = ctx.saved
        # the mean's own gradient sums to zero
        scale = grad.dtype.type(2.0 / divisor)
        return centered * scale * _spread(grad, centered.shape, axes)
