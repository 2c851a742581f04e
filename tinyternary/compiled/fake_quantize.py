"""Twins of `tinyternary.quant`'s fake quantisation: one pass over rows, or weights (lesson 06)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled._arrays import as_line, as_rows, floats
from tinyternary.compiled._signatures import IN, IN1, MAT, VEC, F, I, void
from tinyternary.compiled.buffers import empty
from tinyternary.compiled.rms_norm import RMSNorm
from tinyternary.compiled.switch import njit
from tinyternary.compiled.threads import share_pieces
from tinyternary.compiled.twins import register
from tinyternary.config.grid import FLOOR, MOST

Array = NDArray[Any]


@njit(signature_or_function=void(I, I, IN, MAT, F))
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


@njit(signature_or_function=void(I, I, IN1, VEC, F))
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
        return floats(x)

    @staticmethod
    def forward(ctx: Any, x: Array, *, bits: int = 8) -> Array:
        return _round_rows(x, empty(x.shape), bits)

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        return grad


@register("NormAbsmax")
class NormAbsmax(RMSNorm):
    """RMSNorm, its rows rounded to int8 where they lie; the gradient passes the rounding."""

    @staticmethod
    def forward(ctx: Any, x: Array, weight: Array | None, eps: float) -> Array:
        normed = RMSNorm.forward(ctx, x, weight, eps)
        return _round_rows(normed, normed, 8)


@register("FakeAbsmean")
class FakeAbsmean:
    """Weights to -alpha, 0 and +alpha; the gradient passes."""

    @staticmethod
    def fits(w: Array, *, alpha: np.float32) -> bool:
        return floats(w)

    @staticmethod
    def forward(ctx: Any, w: Array, *, alpha: np.float32) -> Array:
        out, line = empty(w.shape), as_line(w)
        share_pieces(_absmean, line.size, 1 << 12, 0.2e-9, line, out.reshape(-1), alpha)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        return grad


def _round_rows(x: Array, out: Array, bits: int) -> Array:
    """Fill `out`, which may be `x` itself, with the rounded rows of x (..., K)."""
    rows, most = as_rows(x), np.float32(MOST[f"int{bits}"])
    share_pieces(
        _absmax, len(rows), 16, 0.35e-9 * rows.shape[1], rows, out.reshape(rows.shape), most
    )
    return out
