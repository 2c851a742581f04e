"""Broadcasting and its inverse: what forward copied, backward adds up (lesson 02)."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.errors import ShapeError

Array = NDArray[Any]


def unbroadcast(grad: Array, shape: tuple[int, ...]) -> Array:
    """Sum `grad` down to `shape`, over the axes along which `shape` was broadcast."""
    if grad.shape == shape:
        return grad
    extra = grad.ndim - len(shape)
    if extra > 0 and shape == grad.shape[extra:]:
        return grad.reshape(prod(grad.shape[:extra]), *shape).sum(0)
    grad = grad.sum(tuple(range(extra))) if extra > 0 else grad
    stretched = tuple(
        axis for axis, size in enumerate(shape) if size == 1 and grad.shape[axis] != 1
    )
    return np.asarray(grad.sum(stretched, keepdims=True) if stretched else grad)


def check_broadcast(operation: str, *shapes: tuple[int, ...]) -> None:
    """Raise a `ShapeError` that names the shapes, unless they fit together."""
    if all(shape == shapes[0] for shape in shapes[1:]):
        return  # what happens most, and np.broadcast_shapes takes microseconds
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        named = " and ".join(map(str, shapes))
        raise ShapeError(
            f"{operation}: shapes {named} do not fit together; counted from the last axis, "
            "sizes must be equal or 1"
        ) from None


def shape_of(x: Any) -> tuple[int, ...]:
    """Shape of an array; () for a number."""
    return x.shape if isinstance(x, np.ndarray) else ()
