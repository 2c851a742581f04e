"""Other shapes of the same entries: reshape, permute, concatenate, pad, ... (lesson 02)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd.function import Context, Function
from tinyternary.autograd.ops.reductions import normal_axes
from tinyternary.errors import ShapeError

Array = NDArray[Any]


def rows(x: Array) -> Array:
    """View all axes but the last as one: a matrix, also of no rows or no columns."""
    return x.reshape(prod(x.shape[:-1]), x.shape[-1])  # -1 is no size where another is 0


class Reshape(Function):
    """The same entries in another shape."""

    @staticmethod
    def forward(ctx: Context, x: Array, shape: tuple[int, ...]) -> Array:
        ctx.save(x.shape)
        try:
            return x.reshape(shape)
        except ValueError:
            raise ShapeError(
                f"reshape: {x.size} entries of shape {x.shape} do not fit into {shape}"
            ) from None

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (shape,) = ctx.saved
        return grad.reshape(shape)


class Permute(Function):
    """Axes in another order."""

    @staticmethod
    def forward(ctx: Context, x: Array, axes: tuple[int, ...]) -> Array:
        if sorted(a % max(x.ndim, 1) for a in axes) != list(range(x.ndim)):
            raise ShapeError(f"permute: {axes} is not an order of the axes of shape {x.shape}")
        ctx.save(axes)
        return x.transpose(axes)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (axes,) = ctx.saved
        return grad.transpose(np.argsort([a % grad.ndim for a in axes]))


class Concatenate(Function):
    """Tensors one after another along an axis that exists."""

    @staticmethod
    def forward(ctx: Context, *parts: Array, axis: int) -> Array:
        (axis,) = normal_axes("concatenate", axis, parts[0].ndim)
        for part in parts:
            fits = part.ndim == parts[0].ndim and all(
                n == m for a, (n, m) in enumerate(zip(part.shape, parts[0].shape)) if a != axis
            )
            if not fits:
                raise ShapeError(
                    f"concatenate: shapes {parts[0].shape} and {part.shape} differ beside "
                    f"axis {axis}"
                )
        ctx.save(axis, np.cumsum([part.shape[axis] for part in parts])[:-1])
        return np.concatenate(parts, axis)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array, ...]:
        axis, edges = ctx.saved
        return tuple(np.split(grad, edges, axis))


class Stack(Function):
    """Tensors of one shape along a new axis."""

    @staticmethod
    def forward(ctx: Context, *parts: Array, axis: int) -> Array:
        for part in parts:
            if part.shape != parts[0].shape:
                raise ShapeError(f"stack: shapes {parts[0].shape} and {part.shape} differ")
        ctx.save(axis, len(parts))
        (axis,) = normal_axes("stack", axis, parts[0].ndim + 1)
        return np.stack(parts, axis)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array, ...]:
        axis, count = ctx.saved
        return tuple(grad.take(i, axis) for i in range(count))


class Split(Function):
    """Consecutive parts along an axis: one node with several outputs."""

    @staticmethod
    def forward(ctx: Context, x: Array, sizes: tuple[int, ...], axis: int) -> tuple[Array, ...]:
        ctx.save(x.shape, axis)
        return tuple(np.split(x, np.cumsum(sizes)[:-1], axis))

    @staticmethod
    def backward(ctx: Context, *grads: Array | None) -> Array:
        shape, axis = ctx.saved
        dtype = next(g.dtype for g in grads if g is not None)
        result = np.zeros(shape, dtype)
        parts = np.split(result, np.cumsum([s[axis] for s in ctx.output_shapes])[:-1], axis)
        for part, grad in zip(parts, grads):  # parts are views of the result
            if grad is not None:
                part[...] = grad
        return result


class Pad(Function):
    """A border of constant values."""

    @staticmethod
    def forward(ctx: Context, x: Array, widths: tuple[tuple[int, int], ...], value: float) -> Array:
        ctx.save(tuple(slice(before, before + n) for (before, _), n in zip(widths, x.shape)))
        return np.pad(x, widths, constant_values=value)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        (inside,) = ctx.saved
        return grad[inside]


def _flat(numbers: tuple[Any, ...]) -> tuple[int, ...]:
    if len(numbers) == 1 and not isinstance(numbers[0], int | np.integer):
        numbers = tuple(numbers[0])
    return tuple(int(n) for n in numbers)


def reshape(x: Any, *shape: int | Sequence[int]) -> Tensor:
    """Arrange the same entries in another shape; one size may be -1."""
    return Reshape.apply(x, shape=_flat(shape))


def flatten(x: Any, first: int = 0, last: int = -1) -> Tensor:
    """Join the axes from `first` to `last` into one; all of them by default."""
    if x.ndim == 0:
        return Reshape.apply(x, shape=(1,))
    (first,), (last,) = normal_axes("flatten", first, x.ndim), normal_axes("flatten", last, x.ndim)
    if first > last:
        raise ShapeError(f"flatten: axis {first} comes after axis {last}")
    joined = prod(x.shape[first : last + 1])
    return Reshape.apply(x, shape=(*x.shape[:first], joined, *x.shape[last + 1 :]))


def permute(x: Any, *axes: int | Sequence[int]) -> Tensor:
    """Reorder all axes: axis i of the result is axis ``axes[i]`` of x."""
    return Permute.apply(x, axes=_flat(axes))


def transpose(x: Any, a: int, b: int) -> Tensor:
    """Swap axes `a` and `b`."""
    (a,), (b,) = normal_axes("transpose", a, x.ndim), normal_axes("transpose", b, x.ndim)
    order = list(range(x.ndim))
    order[a], order[b] = order[b], order[a]
    return Permute.apply(x, axes=tuple(order))


def _of_one_type(tensors: Sequence[Any]) -> list[Any]:
    """Return integers beside floats as floats of the widest type there."""
    parts = [x if isinstance(x, Tensor) else as_float_array(x) for x in tensors]
    floats = {x.dtype for x in parts if x.dtype.kind == "f"}
    dtype = max(floats, key=lambda one: one.itemsize, default=None)
    return [x if not floats or x.dtype.kind == "f" else values(x).astype(dtype) for x in parts]


def concatenate(tensors: Sequence[Any], axis: int = 0) -> Tensor:
    """Join tensors along an existing axis."""
    if len(tensors) == 0:
        raise ShapeError("concatenate: no tensors given")
    return Concatenate.apply(*_of_one_type(tensors), axis=axis)


def stack(tensors: Sequence[Any], axis: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis."""
    if len(tensors) == 0:
        raise ShapeError("stack: no tensors given")
    return Stack.apply(*_of_one_type(tensors), axis=axis)


def split(x: Any, sizes: int | Sequence[int], axis: int = 0) -> tuple[Tensor, ...]:
    """Cut into consecutive parts along an axis.

    Parameters
    ----------
    x : Tensor
    sizes : int or sequence of int
        Number of equal parts, or the size of each part.
    axis : int

    Raises
    ------
    ShapeError
        If the sizes do not add up to the axis.
    """
    (axis,) = normal_axes("split", axis, x.ndim)
    length = x.shape[axis]
    if isinstance(sizes, int | np.integer):
        if sizes < 1 or length % sizes:
            raise ShapeError(f"split: {length} entries of axis {axis} in {sizes} equal parts")
        sizes = (length // int(sizes),) * int(sizes)
    if sum(sizes) != length or min(sizes, default=0) < 0:
        raise ShapeError(f"split: sizes {tuple(sizes)} do not add up to {length} (axis {axis})")
    return Split.apply(x, sizes=tuple(sizes), axis=axis)


def pad(x: Any, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Tensor:
    """Add a border: ``widths`` holds (before, after) for each axis."""
    pairs = tuple((int(before), int(after)) for before, after in widths)
    if len(pairs) != x.ndim or min(min(p) for p in pairs) < 0:
        raise ShapeError(f"pad: widths {pairs} for shape {x.shape}: one (before, after) per axis")
    return Pad.apply(x, widths=pairs, value=value)


from tinyternary.autograd.tensor import Tensor, as_float_array, values  # noqa: E402
