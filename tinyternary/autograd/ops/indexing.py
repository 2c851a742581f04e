"""Slicing, fancy indexing and embedding lookup (lesson 02)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd.function import Context, Function
from tinyternary.errors import ShapeError

Array = NDArray[Any]


def _is_basic(index: Any) -> bool:
    """Whether the index makes a view, in which no entry appears twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(p is None or p is Ellipsis or isinstance(p, slice | int | np.integer) for p in parts)


class Index(Function):
    """x[index]; an entry that was taken twice gets both gradients."""

    @staticmethod
    def forward(ctx: Context, x: Array, index: Any) -> Array:
        ctx.save(x.shape, index)
        try:
            return np.asarray(x[index])
        except IndexError as error:
            raise ShapeError(f"index into shape {x.shape}: {error}") from None

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Array:
        shape, index = ctx.saved
        result = np.zeros(shape, grad.dtype)
        if _is_basic(index):
            result[index] = grad
        else:
            np.add.at(result, index, grad)  # an entry taken twice gets both gradients
        return result


def getitem(x: Any, index: Any) -> Tensor:
    """x[index]; tensors in the index are read as plain arrays."""
    plain = tuple(map(_own, index)) if isinstance(index, tuple) else _own(index)
    return Index.apply(x, index=plain)


def _own(index: Any) -> Any:
    """Copy what may change before backward reads it."""
    return deepcopy(values(index)) if isinstance(index, Tensor | np.ndarray | list) else index


class Embedding(Function):
    """Rows of a table."""

    @staticmethod
    def forward(ctx: Context, table: Array, indices: Array) -> Array:
        ctx.save(table.shape, indices)
        return np.take(table, indices, axis=0)

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array, None]:
        shape, indices = ctx.saved
        result = np.zeros(shape, grad.dtype)
        np.add.at(result, indices, grad)
        return result, None


def embedding(table: Any, indices: Any) -> Tensor:
    """Look up rows: (V, D) table and integers of any shape S give S + (D,).

    Raises
    ------
    ShapeError
        If an index is not an integer in [0, V).
    """
    numbers = np.asarray(values(indices))
    if numbers.dtype.kind not in "iu":
        raise ShapeError(f"embedding: indices must be integers, got {numbers.dtype}")
    rows = table.shape[0]
    if numbers.size and (numbers.min() < 0 or numbers.max() >= rows):
        raise ShapeError(
            f"embedding: indices from {numbers.min()} to {numbers.max()} for a table of {rows} rows"
        )
    return Embedding.apply(table, numbers)


from tinyternary.autograd.tensor import Tensor, values  # noqa: E402
