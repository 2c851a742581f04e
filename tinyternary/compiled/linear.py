"""The linear layer's three products over register tiles, with the bias inside (lesson 08).

Weights are copied once per call into panels of a few columns, so that the
innermost loop reads them one after another. Sums run over the inner axis from
the first entry to the last for every output, whatever the number of rows: a row
alone and in a batch gets the same bits. A size that is not made of whole vectors
is left to BLAS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled._arrays import EMPTY, as_rows, floats
from tinyternary.compiled._signatures import IN, IN1, MAT, VEC, I, void
from tinyternary.compiled.buffers import empty
from tinyternary.compiled.switch import njit
from tinyternary.compiled.threads import get_threads, share_pieces
from tinyternary.compiled.tiles import LANES, move, product
from tinyternary.compiled.twins import register

Array = NDArray[Any]

PANEL = 2 * LANES
_ROWS = 64
"""Rows of x that are multiplied by all panels before the next: they stay in cache."""
_DEPTH = 192
"""Rows that a weight's gradient sums over at a time."""

STRIP = 16
"""Columns of a gradient that are copied together: one line of the cache."""

MAC = 10e-12
"""Seconds of a multiply-accumulate, on a core with AVX-512."""


@njit(signature_or_function=void(IN, VEC))
def _pack_panels(b, packed):
    """Copy B (k, n) into panels of PANEL columns (the last may be narrower)."""
    k, n = b.shape
    for j in range(0, n, PANEL):
        width = min(PANEL, n - j)
        for p in range(k):
            for c in range(0, width, LANES):
                move(b, p * n + j + c, packed, j * k + p * width + c)


@njit(signature_or_function=void(IN, VEC))
def pack_panels_transposed(weight, packed):
    """Copy the transpose of weight (n, k) into panels of PANEL columns."""
    n, k = weight.shape
    for j in range(0, n, PANEL):
        width = min(PANEL, n - j)
        for c in range(width):
            at = j * k + c
            for p in range(k):
                packed[at + p * width] = weight[j + c, p]


@njit(signature_or_function=void(I, I, IN, VEC, IN1, MAT, I))
def multiply_rows(first, last, x, packed, bias, out, has_bias):
    """Write out[first:last] = x[first:last] B + bias, B as `_pack_panels` leaves it."""
    k, n = x.shape[1], out.shape[1]
    for row in range(first, last, _ROWS):
        count = min(_ROWS, last - row)
        for j in range(0, n, PANEL):
            width = min(PANEL, n - j)
            product(x, row * k, k, 1, packed, j * k, width, out, row * n + j, n,
                    count, width, k, bias, j, 0, has_bias)  # fmt: skip


@njit(signature_or_function=void(I, I, IN, IN, MAT, VEC))
def _weight_gradient(first, last, grad, x, grad_weight, grad_bias):
    """Rows first:last of grad^T x, and the same part of grad's column sums."""
    rows, k = x.shape
    outputs = grad.shape[1]
    n = last - first
    left = np.empty(_DEPTH * n, np.float32)
    right = np.empty(_DEPTH * PANEL, np.float32)
    one = np.ones(1, np.float32)
    for row in range(0, rows, _DEPTH):
        depth = min(_DEPTH, rows - row)
        here = row * outputs + first
        product(one, 0, 0, 0, grad, here, outputs, grad_bias, first, 0,
                1, n, depth, grad_bias, first, 0, row)  # fmt: skip
        for i in range(0, n, STRIP):
            for p in range(depth):
                for c in range(0, STRIP, LANES):
                    move(grad, here + p * outputs + i + c, left, (i * depth + p * STRIP) + c)
        for j in range(0, k, PANEL):
            panel = min(PANEL, k - j)
            for p in range(depth):
                for c in range(0, panel, LANES):
                    move(x, (row + p) * k + j + c, right, p * panel + c)
            for i in range(0, n, STRIP):
                at = (first + i) * k + j
                product(left, i * depth, 1, STRIP, right, 0, panel, grad_weight, at, k,
                        STRIP, panel, depth, grad_weight, at, k, row)  # fmt: skip


def _multiply(
    rows: Array, weight: Array, columns: int, pack: Callable[..., Any], bias: Array | None
) -> Array:
    """Rows times the matrix of `columns` columns that `pack` makes of the weight, plus bias."""
    packed, out = empty((weight.size,)), empty((len(rows), columns))
    pack(np.ascontiguousarray(weight), packed)
    share_pieces(
        multiply_rows, len(rows), 64, MAC * weight.size,
        rows, packed, EMPTY if bias is None else np.ascontiguousarray(bias), out, bias is not None,
    )  # fmt: skip
    return out


@register("Linear")
class Linear:
    """x W^T + b."""

    @staticmethod
    def fits(x: Array, weight: Array, bias: Array | None) -> bool:
        return (
            floats(x, weight, bias) and weight.ndim == 2 and x.shape[-1:] == weight.shape[1:]
            and (bias is None or bias.shape == weight.shape[:1])
        )  # fmt: skip

    @staticmethod
    def forward(ctx: Any, x: Array, weight: Array, bias: Array | None) -> Array:
        ctx.save(x if ctx.needs[1] or ctx.needs[2] else None, weight if ctx.needs[0] else None)
        rows, outputs = as_rows(x), len(weight)
        if outputs % LANES:
            out = rows @ weight.T
            if bias is not None:
                out += bias
        else:
            out = _multiply(rows, weight, outputs, pack_panels_transposed, bias)
        return out.reshape(*x.shape[:-1], outputs)

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array | None, ...]:
        x, weight = ctx.saved
        g = as_rows(grad)
        grad_x = grad_weight = grad_bias = None
        if ctx.needs[0]:
            inputs = weight.shape[1]
            rows = (
                g @ weight if inputs % LANES else _multiply(g, weight, inputs, _pack_panels, None)
            )
            grad_x = rows.reshape(*grad.shape[:-1], inputs)
        if x is not None:
            grad_weight, grad_bias = _weight_gradients(g, as_rows(x))
        return grad_x, grad_weight, grad_bias if ctx.needs[2] else None


def _weight_gradients(grad: Array, x: Array) -> tuple[Array, Array]:
    outputs, inputs = grad.shape[1], x.shape[1]
    if outputs % STRIP or inputs % LANES:
        return grad.T @ x, grad.sum(0)
    grad_weight, grad_bias = empty((outputs, inputs)), empty((outputs,))
    # every piece copies all of x: one for each thread
    unit = STRIP * -(-outputs // (STRIP * get_threads()))
    share_pieces(_weight_gradient, outputs, unit, MAC * x.size, grad, x, grad_weight, grad_bias)
    return grad_weight, grad_bias
