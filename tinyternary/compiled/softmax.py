"""Softmax and cross-entropy over the last axis (lesson 02)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled._arrays import (
    as_rows,
    compiled,
    deliver,
    result,
)
from tinyternary.compiled.buffers import empty

Array = NDArray[Any]


def softmax_numpy(x: Array, out: Array | None = None) -> Array:
    """exp(x - max) / sum, over the last axis."""
    if out is None:
        out = np.empty_like(x, order="C")
    np.subtract(x, x.max(-1, keepdims=True), out=out)
    np.exp(out, out=out)
    out /= out.sum(-1, keepdims=True)
    return out


def softmax_backward_numpy(y: Array, grad: Array) -> Array:
    """Gradient of softmax from its output: y (g - sum(y g))."""
    inner = (y * grad).sum(-1, keepdims=True)
    return y * (grad - inner)


def log_softmax_numpy(x: Array, out: Array | None = None) -> Array:
    """X - log(sum(exp(x))), over the last axis, safe for large x."""
    if out is None:
        out = np.empty_like(x, order="C")
    np.subtract(x, x.max(-1, keepdims=True), out=out)
    out -= np.log(np.exp(out).sum(-1, keepdims=True))
    return out


def softmax(x: Array, out: Array | None = None) -> Array:
    """Softmax over the last axis.

    Parameters
    ----------
    x : (..., C) float array
    out : (..., C) float array, optional
        Where to write; may be `x` itself.
    """
    if not compiled(x) or x.ndim == 0:
        return softmax_numpy(x, out)
    from tinyternary.compiled import _row_loops, threads

    out, written = result(out, x)
    rows = as_rows(x)
    threads.crew.run(
        _row_loops.softmax, len(rows), 16, 0.5e-9 * rows.shape[1],
        rows, written.reshape(rows.shape),
    )  # fmt: skip
    return deliver(out, written)


def softmax_backward(y: Array, grad: Array) -> Array:
    """Gradient of `softmax` with respect to its input, from its output `y`."""
    if not compiled(y, grad):
        return softmax_backward_numpy(y, grad)
    from tinyternary.compiled import _row_loops, threads

    out = empty(y.shape)
    rows = as_rows(y)
    threads.crew.run(
        _row_loops.softmax_backward, len(rows), 16, 0.3e-9 * rows.shape[1],
        rows, as_rows(grad), out.reshape(rows.shape),
    )  # fmt: skip
    return out


def log_softmax(x: Array, out: Array | None = None) -> Array:
    """Logarithm of the softmax over the last axis."""
    return log_softmax_numpy(x, out)
