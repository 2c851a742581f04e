"""Compiled kernels, row by row: softmax, norms, GELU, AdamW (lesson 08).

Each takes the range of rows that one thread does. A row's result depends on
that row alone. Sums over rows (gradients of weights) go by blocks of fixed
size, so that the number of threads changes no bit.
"""

from __future__ import annotations

import numpy as np
from numba import types

from tinyternary.compiled.elementary import (
    FAST,
    erf,
    exp,
    sigmoid,
)
from tinyternary.compiled.switch import njit
from tinyternary.compiled.tiles import LANES, add_lanes

BLOCK = 256
"""Rows whose contributions to a weight's gradient are added up in one partial sum."""

_I, _F = types.int64, types.float32
_IN = types.Array(types.float32, 2, "C", readonly=True)
_IN1 = types.Array(types.float32, 1, "C", readonly=True)
_MAT = types.Array(types.float32, 2, "C")
_VEC = types.Array(types.float32, 1, "C")
f32 = np.float32


@njit(fastmath={*FAST, "nnan"})  # without NaNs a maximum is one instruction; a NaN shows in the sum
def _largest(row):
    top = row[0]
    for j in range(row.size):
        top = max(top, row[j])
    return top


@njit(signature_or_function=types.void(_I, _I, _IN, _MAT), fastmath=FAST)
def softmax(first, last, x, out):
    """Softmax of rows."""
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


@njit(signature_or_function=types.void(_I, _I, _IN, _IN, _MAT), fastmath=FAST)
def softmax_backward(first, last, y, grad, out):
    """Gradient of softmax from its output."""
    for i in range(first, last):
        p, g, result = y[i], grad[i], out[i]
        inner = f32(0)
        for j in range(p.size):
            inner += p[j] * g[j]
        for j in range(p.size):
            result[j] = p[j] * (g[j] - inner)


@njit(
    signature_or_function=types.void(_I, _I, _IN, _IN1, _IN1, _F, _MAT, _VEC, _VEC, _I),
    fastmath=FAST,
)
def layer_norm(first, last, x, weight, bias, eps, out, mean, rstd, has_bias):
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
    signature_or_function=types.void(_I, _I, _IN, _IN, _IN1, _IN1, _IN1, _MAT, _MAT, _MAT),
    fastmath=FAST,
)
def layer_norm_backward(first, last, grad, x, weight, mean, rstd, grad_x, weight_sums, bias_sums):
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


@njit(signature_or_function=types.void(_I, _I, _IN, _IN1, _F, _MAT, _VEC, _I), fastmath=FAST)
def rms_norm(first, last, x, weight, eps, out, rstd, has_weight):
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


@njit(signature_or_function=types.void(_I, _I, _IN, _IN, _IN1, _IN1, _MAT, _MAT, _I), fastmath=FAST)
def rms_norm_backward(first, last, grad, x, weight, rstd, grad_x, weight_sums, has_weight):
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


@njit(signature_or_function=types.void(_I, _I, _IN1, _IN1, _VEC))
def add(first, last, a, b, out):
    """Sum of entries; `out` may be `a` or `b`."""
    whole = last - (last - first) % LANES
    for i in range(first, whole, LANES):
        add_lanes(a, i, b, i, out, i)
    for i in range(whole, last):
        out[i] = a[i] + b[i]


@njit(signature_or_function=types.void(_I, _I, _IN1, _VEC, _I), fastmath=FAST)
def gelu(first, last, x, out, tanh):
    """GELU of entries."""
    source, target = x[first:last], out[first:last]
    if tanh:
        for i in range(source.size):
            v = source[i]
            target[i] = v * sigmoid(v * (f32(1.5957691216) + f32(0.0713548163) * v * v))
    else:
        for i in range(source.size):
            v = source[i]
            target[i] = v * (f32(0.5) + f32(0.5) * erf(v * f32(0.70710678)))


@njit(signature_or_function=types.void(_I, _I, _IN1, _IN1, _VEC, _I), fastmath=FAST)
def gelu_backward(first, last, grad, x, out, tanh):
    """Gradient of GELU; `out` may be `grad`."""
    upstream, source, target = grad[first:last], x[first:last], out[first:last]
    if tanh:
        for i in range(source.size):
            v = source[i]
            square = v * v
            s = sigmoid(v * (f32(1.5957691216) + f32(0.0713548163) * square))
            inner = f32(1.5957691216) + f32(0.2140644488) * square
            target[i] = upstream[i] * (s + v * s * (f32(1) - s) * inner)
    else:
        for i in range(source.size):
            v = source[i]
            phi = f32(0.5) + f32(0.5) * erf(v * f32(0.70710678))
            density = f32(0.39894228) * exp(f32(-0.5) * v * v)
            target[i] = upstream[i] * (phi + v * density)


@njit(
    signature_or_function=types.void(
        _I, _I, _VEC, _IN1, _VEC, _VEC, _F, _F, _F, _F, _F, _F
    ),
    fastmath={"contract"},
)  # fmt: skip
def adamw(first, last, p, g, m, v, keep, step, rest1, rest2, root2, eps):
    """One AdamW update of entries: weights p, gradient g, averages m and v, all in one pass.

    keep = 1 - lr decay; step = lr / (1 - beta1^t); rest = 1 - beta; root2 = 1 / sqrt(1 - beta2^t).
    """
    weight, grad, mean, square = p[first:last], g[first:last], m[first:last], v[first:last]
    for i in range(weight.size):
        a = mean[i] + rest1 * (grad[i] - mean[i])
        b = square[i] + rest2 * (grad[i] * grad[i] - square[i])
        mean[i], square[i] = a, b
        weight[i] = weight[i] * keep - step * a / (np.sqrt(b) * root2 + eps)
