"""Softmax over the last axis, forward and backward (lesson 08)."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from tinyternary.compiled._arrays import as_rows, floats
from tinyternary.compiled._signatures import IN, MAT, I, f32, void
from tinyternary.compiled.buffers import empty
from tinyternary.compiled.elementary import FAST, exp
from tinyternary.compiled.switch import njit
from tinyternary.compiled.threads import share_pieces
from tinyternary.compiled.twins import register

Array = NDArray[Any]


@njit(fastmath={*FAST, "nnan"})  # without NaNs a maximum is one instruction; a NaN shows in the sum
def _largest(row):
    top = row[0]
    for j in range(row.size):
        top = max(top, row[j])
    return top


@njit(signature_or_function=void(I, I, IN, MAT), fastmath=FAST)
def _forward(first, last, x, out):
    """Softmax of a range of rows."""
    for i in range(first, last):
        row, result = x[i], out[i]
        top = _largest(row)
        total = f32(0)
        for j in range(row.size):
            e = exp(row[j] - top)
            result[j] = e
            total += e
        scale = f32(1) / total
        for j in range(row.size):
            result[j] *= scale


@njit(signature_or_function=void(I, I, IN, IN, MAT), fastmath=FAST)
def _backward(first, last, y, grad, out):
    """Gradient of softmax from its output."""
    for i in range(first, last):
        p, g, result = y[i], grad[i], out[i]
        inner = f32(0)
        for j in range(p.size):
            inner += p[j] * g[j]
        for j in range(p.size):
            result[j] = p[j] * (g[j] - inner)


@register("Softmax")
class Softmax:
    """exp(x - max) / sum."""

    @staticmethod
    def fits(x: Array, axis: int) -> bool:
        return floats(x) and x.ndim > 0 and axis in (-1, x.ndim - 1)

    @staticmethod
    def forward(ctx: Any, x: Array, axis: int) -> Array:
        out = empty(x.shape)
        rows = as_rows(x)
        share_pieces(_forward, len(rows), 16, 0.5e-9 * rows.shape[1], rows, out.reshape(rows.shape))
        ctx.save(out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        (y,) = ctx.saved
        out = empty(y.shape)
        rows = as_rows(y)
        share_pieces(
            _backward, len(rows), 16, 0.3e-9 * rows.shape[1],
            rows, as_rows(grad), out.reshape(rows.shape),
        )  # fmt: skip
        return out
