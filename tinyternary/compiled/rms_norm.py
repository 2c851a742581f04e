"""RMSNorm over the last axis, forward and backward (lesson 08)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled._arrays import BLOCK, EMPTY, as_line, as_rows, floats
from tinyternary.compiled._signatures import IN, IN1, MAT, VEC, F, I, f32, void
from tinyternary.compiled.buffers import empty
from tinyternary.compiled.elementary import FAST
from tinyternary.compiled.switch import njit
from tinyternary.compiled.threads import share_pieces
from tinyternary.compiled.twins import register

Array = NDArray[Any]


@njit(signature_or_function=void(I, I, IN, IN1, F, MAT, VEC, I), fastmath=FAST)
def _forward(first, last, x, weight, eps, out, rstd, has_weight):
    """RMSNorm of rows; 1/root is kept for backward."""
    width = x.shape[1]
    for i in range(first, last):
        row, result = x[i], out[i]
        square = f32(0)
        for j in range(width):
            square += row[j] * row[j]
        scale = f32(1) / np.sqrt(square / f32(width) + eps)
        if has_weight:
            for j in range(width):
                result[j] = row[j] * scale * weight[j]
        else:
            for j in range(width):
                result[j] = row[j] * scale
        rstd[i] = scale


@njit(signature_or_function=void(I, I, IN, IN, IN1, IN1, MAT, MAT, I), fastmath=FAST)
def _backward(first, last, grad, x, weight, rstd, grad_x, weight_sums, has_weight):
    """Gradients of RMSNorm; the weight's as one sum for each BLOCK of rows."""
    width = x.shape[1]
    for i in range(first, last):
        g, row, result, sums = grad[i], x[i], grad_x[i], weight_sums[i // BLOCK]
        scale = rstd[i]
        inner = f32(0)
        if has_weight:
            for j in range(width):
                sums[j] += g[j] * row[j] * scale
                inner += g[j] * weight[j] * row[j]
            inner *= scale * scale / f32(width)
            for j in range(width):
                result[j] = (g[j] * weight[j] - row[j] * inner) * scale
        else:
            for j in range(width):
                inner += g[j] * row[j]
            inner *= scale * scale / f32(width)
            for j in range(width):
                result[j] = (g[j] - row[j] * inner) * scale


@register("RMSNorm")
class RMSNorm:
    """x / sqrt(mean(x^2) + eps) * weight."""

    @staticmethod
    def fits(x: Array, weight: Array | None, eps: float) -> bool:
        return floats(x, weight) and (weight is None or weight.shape == x.shape[-1:])

    @staticmethod
    def forward(ctx: Any, x: Array, weight: Array | None, eps: float) -> Array:
        rows, out = as_rows(x), empty(x.shape)
        rstd = empty((len(rows),))
        share_pieces(
            _forward, len(rows), BLOCK, 0.2e-9 * rows.shape[1],
            rows, EMPTY if weight is None else as_line(weight), eps,
            out.reshape(rows.shape), rstd, weight is not None,
        )  # fmt: skip
        ctx.save(x, weight, rstd)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array, Array | None]:
        x, weight, rstd = ctx.saved
        rows, grad_x = as_rows(x), empty(x.shape)
        sums = np.zeros((-(-len(rows) // BLOCK), rows.shape[1]), np.float32)
        share_pieces(
            _backward, len(rows), BLOCK, 0.3e-9 * rows.shape[1], as_rows(grad), rows,
            EMPTY if weight is None else as_line(weight), rstd, grad_x.reshape(rows.shape),
            sums, weight is not None,
        )  # fmt: skip
        return grad_x, None if weight is None else sums.sum(0)
