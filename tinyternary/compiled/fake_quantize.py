"""Fake quantisation: floats rounded to the grid of int8 rows or of trits (lessons 04 and 06)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled._arrays import (
    as_line,
    as_rows,
    compiled,
    deliver,
    result,
)
from tinyternary.compiled.buffers import empty
from tinyternary.compiled.normalization import rms_norm_backward, rms_norm_forward
from tinyternary.compiled.registry import register
from tinyternary.config.grid import FLOOR, MOST
from tinyternary.errors import NonFiniteError

Array = NDArray[Any]


def fake_quantize_rows_numpy(x: Array, out: Array | None = None) -> Array:
    """clip(round(x / s), -128, 127) s with s = max(max |x|, 1e-5) / 127 per row."""
    # in the dtype of x: a check in float64 must not round its scales to float32
    scale = np.maximum(np.abs(x).max(-1, keepdims=True), FLOOR.astype(x.dtype))
    scale /= x.dtype.type(MOST["int8"])
    codes = np.clip(np.rint(x / scale), -MOST["int8"] - 1, MOST["int8"])
    return np.multiply(codes, scale, out=out, dtype=x.dtype)


def fake_quantize_rows(x: Array, out: Array | None = None) -> Array:
    """Round each row (token) to int8 by its largest magnitude, and scale back.

    The same floats as ``codes * scale`` of `tinyternary.quant.absmax`, bit for bit.

    Parameters
    ----------
    x : (..., K) float array
    out : (..., K) float array, optional
        Where to write; may be `x` itself.
    """
    if not compiled(x):
        return fake_quantize_rows_numpy(x, out)
    from tinyternary.compiled import _row_loops, threads

    out = empty(x.shape) if out is None else out
    written = out if out.flags.c_contiguous else empty(x.shape)
    rows = as_rows(x)
    threads.crew.run(
        _row_loops.fake_quantize_rows, len(rows), 16, 0.35e-9 * rows.shape[1],
        rows, written.reshape(rows.shape),
    )  # fmt: skip
    return deliver(out, written)


def fake_ternary_numpy(w: Array, alpha: Any = None, out: Array | None = None) -> Array:
    """clip(round(w / alpha), -1, 1) alpha; alpha = max(mean |w|, 1e-5) where not given."""
    scale = np.float32(absmean_scale(w) if alpha is None else alpha)
    return np.multiply(np.clip(np.rint(w / scale), -1, 1), scale, out=out, dtype=w.dtype)


def absmean_scale(w: Array) -> np.float32:
    """Mean magnitude of all weights, at least 1e-5 (arXiv 2402.17764, equation 3)."""
    return max(np.float32(np.abs(w).mean(dtype=np.float64)), FLOOR)


def fake_ternary(w: Array, alpha: Any = None, out: Array | None = None) -> Array:
    """Round weights to -alpha, 0 and +alpha (absmean rule, one scale for all).

    Parameters
    ----------
    w : float array
    alpha : float, optional
        The scale; `absmean_scale` of `w` by default.
    out : float array of the same shape, optional
        Where to write; may be `w` itself.
    """
    if not compiled(w):
        return fake_ternary_numpy(w, alpha, out)
    from tinyternary.compiled import _row_loops, threads

    scale = np.float32(absmean_scale(w) if alpha is None else alpha)
    out, written = result(out, w)
    line = as_line(w)
    threads.crew.run(
        _row_loops.fake_ternary, line.size, 1 << 12, 0.2e-9, line, written.reshape(-1), scale
    )
    return deliver(out, written)


@register("FakeAbsmax")
class FakeAbsmax:
    """Rows to int8 and back; the gradient passes."""

    @staticmethod
    def fits(x: Array, *, bits: int = 8) -> bool:
        return bits == 8 and compiled(x)

    @staticmethod
    def forward(ctx: Any, x: Array, *, bits: int = 8) -> Array:
        return fake_quantize_rows(x)

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
        return fake_quantize_rows(out, out)

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array, Array | None]:
        x, weight, rstd = ctx.saved
        return rms_norm_backward(grad, x, weight, rstd)


@register("FakeAbsmean")
class FakeAbsmean:
    """Weights to -alpha, 0 and +alpha, alpha = mean |w|; the gradient passes."""

    @staticmethod
    def fits(w: Array) -> bool:
        return compiled(w)

    @staticmethod
    def forward(ctx: Any, w: Array) -> Array:
        alpha = absmean_scale(w)
        if not np.isfinite(alpha):
            bad = w.size - int(np.count_nonzero(np.isfinite(w)))
            raise NonFiniteError(f"weights: {bad} of {w.size} entries are NaN or infinite")
        return fake_ternary(w, alpha)

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        return grad
