"""LayerNorm over the last axis, forward and backward (lesson 08)."""

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


@njit(
    signature_or_function=void(I, I, IN, IN1, IN1, F, MAT, VEC, VEC, I),
    fastmath=FAST,
)
def _forward(first, last, x, weight, bias, eps, out, mean, rstd, has_bias):
    """LayerNorm of rows; mean and 1/deviation are kept for backward."""
    width = x.shape[1]
    for i in range(first, last):
        row, result = x[i], out[i]
        total = f32(0)
        for j in range(width):
            total += row[j]
        center = total / f32(width)
        square = f32(0)
        for j in range(width):
            square += (row[j] - center) * (row[j] - center)
        scale = f32(1) / np.sqrt(square / f32(width) + eps)
        if has_bias:
            for j in range(width):
                result[j] = (row[j] - center) * scale * weight[j] + bias[j]
        else:
            for j in range(width):
                result[j] = (row[j] - center) * scale * weight[j]
        mean[i], rstd[i] = center, scale


@njit(
    signature_or_function=void(I, I, IN, IN, IN1, IN1, IN1, MAT, MAT, MAT),
    fastmath=FAST,
)
def _backward(first, last, grad, x, weight, mean, rstd, grad_x, weight_sums, bias_sums):
    """Gradients of LayerNorm; those of weight and bias as one sum for each BLOCK of rows."""
    width = x.shape[1]
    for i in range(first, last):
        g, row, result = grad[i], x[i], grad_x[i]
        sum_w, sum_b = weight_sums[i // BLOCK], bias_sums[i // BLOCK]
        center, scale = mean[i], rstd[i]
        total, inner = f32(0), f32(0)
        for j in range(width):
            normed = (row[j] - center) * scale
            sum_w[j] += g[j] * normed
            sum_b[j] += g[j]
            total += g[j] * weight[j]
            inner += g[j] * weight[j] * normed
        total /= f32(width)
        inner /= f32(width)
        for j in range(width):
            normed = (row[j] - center) * scale
            result[j] = (g[j] * weight[j] - total - normed * inner) * scale


@register("LayerNorm")
class LayerNorm:
    """(x - mean) / sqrt(var + eps) * weight + bias."""

    @staticmethod
    def fits(x: Array, weight: Array, bias: Array | None, eps: float) -> bool:
        width = x.shape[-1:]
        return (
            floats(x, weight, bias) and weight.shape == width
            and (bias is None or bias.shape == width)
        )  # fmt: skip

    @staticmethod
    def forward(ctx: Any, x: Array, weight: Array, bias: Array | None, eps: float) -> Array:
        rows, out = as_rows(x), empty(x.shape)
        mean, rstd = empty((len(rows),)), empty((len(rows),))
        share_pieces(
            _forward, len(rows), BLOCK, 0.2e-9 * rows.shape[1],
            rows, as_line(weight), EMPTY if bias is None else as_line(bias), eps,
            out.reshape(rows.shape), mean, rstd, bias is not None,
        )  # fmt: skip
        ctx.save(x, weight, mean, rstd)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array, Array, Array]:
        x, weight, mean, rstd = ctx.saved
        rows, grad_x = as_rows(x), empty(x.shape)
        blocks = -(-len(rows) // BLOCK)
        weight_sums, bias_sums = np.zeros((2, blocks, rows.shape[1]), np.float32)
        share_pieces(
            _backward, len(rows), BLOCK, 0.35e-9 * rows.shape[1], as_rows(grad), rows,
            as_line(weight), mean, rstd, grad_x.reshape(rows.shape), weight_sums, bias_sums,
        )  # fmt: skip
        return grad_x, weight_sums.sum(0), bias_sums.sum(0)
