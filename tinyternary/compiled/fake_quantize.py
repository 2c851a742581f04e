"""Twins of `tinyternary.quant`'s fake quantisation: one pass over rows, or weights (lesson 06)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from tinyternary.compiled import threads
from tinyternary.compiled._arrays import as_line, as_rows, compiled
from tinyternary.compiled.buffers import empty
from tinyternary.compiled.normalization import rms_norm_backward, rms_norm_forward
from tinyternary.compiled.registry import register
from tinyternary.compiled.switch import njit
from tinyternary.config.grid import FLOOR, MOST

Array = NDArray[Any]

_INT, _FLOAT = types.int64, types.float32
_ROWS_IN = types.Array(types.float32, 2, "C", readonly=True)
_ROWS = types.Array(types.float32, 2, "C")
_LINE_IN = types.Array(types.float32, 1, "C", readonly=True)
_LINE = types.Array(types.float32, 1, "C")


@njit(signature_or_function=types.void(_INT, _INT, _ROWS_IN, _ROWS, _FLOAT))
def _absmax(first: int, last: int, x: Array, out: Array, most: Any) -> None:
    """Rows first to last, rounded to whole multiples of max |x| / most."""
    values = np.empty(x.shape[1], np.float32)  # a loop that writes where it reads is no vector code
    for i in range(first, last):
        row, result = x[i], out[i]
        top = FLOOR
        for j in range(row.size):
            size = abs(row[j])
            top = size if size > top else top
        scale = top / most
        for j in range(row.size):
            code = np.rint(row[j] / scale)
            code = most if code > most else code
            code = -most if code < -most else code
            values[j] = code * scale
        for j in range(row.size):
            result[j] = values[j]


@njit(signature_or_function=types.void(_INT, _INT, _LINE_IN, _LINE, _FLOAT))
def _absmean(first: int, last: int, w: Array, out: Array, alpha: Any) -> None:
    """Weights first to last, rounded to -alpha, 0 and +alpha."""
    source, target = w[first:last], out[first:last]
    for i in range(source.size):
        code = np.rint(source[i] / alpha)
        code = np.float32(1) if code > np.float32(1) else code
        code = np.float32(-1) if code < np.float32(-1) else code
        target[i] = code * alpha


@register("FakeAbsmax")
class FakeAbsmax:
    """Rows to integers times their scale; the gradient passes."""

    @staticmethod
    def fits(x: Array, *, bits: int = 8) -> bool:
        return compiled(x)

    @staticmethod
    def forward(ctx: Any, x: Array, *, bits: int = 8) -> Array:
        return _round_rows(x, empty(x.shape), bits)

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        return grad


@register("NormAbsmax")
class NormAbsmax:
    """RMSNorm, its rows rounded to int8 where they lie; the gradient passes the rounding."""

    @staticmethod
    def fits(x: Array, weight: Array | None, eps: float) -> bool:
        return compiled(x, weight) and (weight is None or weight.shape == x.shape[-1:])

    @staticmethod
    def forward(ctx: Any, x: Array, weight: Array | None, eps: float) -> Array:
        out, rstd = rms_norm_forward(x, weight, eps)
        ctx.save(x, weight, rstd)
        return _round_rows(out, out, 8)

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array, Array | None]:
        x, weight, rstd = ctx.saved
        return rms_norm_backward(grad, x, weight, rstd)


@register("FakeAbsmean")
class FakeAbsmean:
    """Weights to -alpha, 0 and +alpha; the gradient passes."""

    @staticmethod
    def fits(w: Array, *, alpha: np.float32) -> bool:
        return compiled(w)

    @staticmethod
    def forward(ctx: Any, w: Array, *, alpha: np.float32) -> Array:
        out, line = empty(w.shape), as_line(w)
        threads.crew.run(_absmean, line.size, 1 << 12, 0.2e-9, line, out.reshape(-1), alpha)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        return grad


def _round_rows(x: Array, out: Array, bits: int) -> Array:
    """Fill `out`, which may be `x` itself, with the rounded rows of x (..., K)."""
    rows, most = as_rows(x), np.float32(MOST[f"int{bits}"])
    threads.crew.run(
        _absmax, len(rows), 16, 0.35e-9 * rows.shape[1], rows, out.reshape(rows.shape), most
    )
    return out
