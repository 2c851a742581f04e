"""The linear layer's three products over register tiles, with the bias inside (lesson 08).

Weights are copied once per call into panels of a few columns, so that the
innermost loop reads them one after another. Sums run over the inner axis from
the first entry to the last for every output, whatever the number of rows: a row
alone and in a batch gets the same bits.
"""

from __future__ import annotations

import numpy as np
from numba import types

from tinyternary.compiled.switch import njit
from tinyternary.compiled.tiles import LANES, move, product

PANEL = 2 * LANES
_ROWS = 64
"""Rows of x that are multiplied by all panels before the next: they stay in cache."""
_DEPTH = 192
"""Rows that a weight's gradient sums over at a time."""

STRIP = 16
"""Columns of a gradient that are copied together: one line of the cache."""

_I = types.int64
_IN = types.Array(types.float32, 2, "C", readonly=True)
_IN1 = types.Array(types.float32, 1, "C", readonly=True)
_MAT = types.Array(types.float32, 2, "C")
_VEC = types.Array(types.float32, 1, "C")


@njit(signature_or_function=types.void(_IN, _VEC))
def pack_panels(b, packed):
    """Copy B (k, n) into panels of PANEL columns (the last may be narrower)."""
    k, n = b.shape
    for j in range(0, n, PANEL):
        width = min(PANEL, n - j)
        for p in range(k):
            for c in range(0, width, LANES):
                move(b, p * n + j + c, packed, j * k + p * width + c)


@njit(signature_or_function=types.void(_IN, _VEC))
def pack_panels_transposed(weight, packed):
    """Copy the transpose of weight (n, k) into panels of PANEL columns."""
    n, k = weight.shape
    for j in range(0, n, PANEL):
        width = min(PANEL, n - j)
        for c in range(width):
            at = j * k + c
            for p in range(k):
                packed[at + p * width] = weight[j + c, p]


@njit(signature_or_function=types.void(_I, _I, _IN, _VEC, _IN1, _MAT, _I))
def multiply_rows(first, last, x, packed, bias, out, has_bias):
    """Write out[first:last] = x[first:last] B + bias, B as `pack_panels` leaves it."""
    k, n = x.shape[1], out.shape[1]
    for row in range(first, last, _ROWS):
        count = min(_ROWS, last - row)
        for j in range(0, n, PANEL):
            width = min(PANEL, n - j)
            product(x, row * k, k, 1, packed, j * k, width, out, row * n + j, n,
                    count, width, k, bias, j, 0, has_bias)  # fmt: skip


@njit(signature_or_function=types.void(_I, _I, _IN, _IN, _MAT, _VEC))
def weight_gradient(first, last, grad, x, grad_weight, grad_bias):
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
