"""LayerNorm and RMSNorm over the last axis (lessons 02 and 06)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled._arrays import (
    EMPTY,
    as_line,
    as_rows,
    compiled,
    deliver,
    result,
)
from tinyternary.compiled.buffers import empty

Array = NDArray[Any]


def layer_norm_forward_numpy(
    x: Array, weight: Array, bias: Array | None, eps: float, out: Array | None = None
) -> tuple[Array, Array, Array]:
    """(x - mean) / sqrt(var + eps) * weight + bias; also mean and 1/sqrt, for backward."""
    mean = x.mean(-1, keepdims=True)
    centered = np.subtract(x, mean, out=out)
    rstd = 1.0 / np.sqrt((centered * centered).mean(-1, keepdims=True) + x.dtype.type(eps))
    centered *= rstd
    centered *= weight
    if bias is not None:
        centered += bias
    return centered, mean[..., 0], rstd[..., 0]


def layer_norm_backward_numpy(
    grad: Array, x: Array, weight: Array, mean: Array, rstd: Array
) -> tuple[Array, Array, Array]:
    """Gradients of LayerNorm: input, weight, bias."""
    width = x.shape[-1]
    rstd = rstd[..., None]
    normed = (x - mean[..., None]) * rstd
    grad_weight = (grad * normed).reshape(-1, width).sum(0)
    grad_bias = grad.reshape(-1, width).sum(0)
    g = grad * weight
    inner = (g * normed).mean(-1, keepdims=True)
    grad_x = (g - g.mean(-1, keepdims=True) - normed * inner) * rstd
    return grad_x, grad_weight, grad_bias


def rms_norm_forward_numpy(
    x: Array, weight: Array | None, eps: float, out: Array | None = None
) -> tuple[Array, Array]:
    """X / sqrt(mean(x^2) + eps) * weight; also 1/sqrt, for backward."""
    rstd = 1.0 / np.sqrt((x * x).mean(-1, keepdims=True) + x.dtype.type(eps))
    out = np.multiply(x, rstd, out=out)
    if weight is not None:
        out *= weight
    return out, rstd[..., 0]


def rms_norm_backward_numpy(
    grad: Array, x: Array, weight: Array | None, rstd: Array
) -> tuple[Array, Array | None]:
    """Gradients of RMSNorm: input and weight (None without one)."""
    rstd = rstd[..., None]
    normed = x * rstd
    grad_weight = None
    g = grad
    if weight is not None:
        grad_weight = (grad * normed).reshape(-1, x.shape[-1]).sum(0)
        g = grad * weight
    inner = (g * normed).mean(-1, keepdims=True)
    return (g - normed * inner) * rstd, grad_weight


def layer_norm(
    x: Array, weight: Array, bias: Array | None, eps: float, out: Array | None = None
) -> Array:
    """LayerNorm over the last axis.

    Parameters
    ----------
    x : (..., D) float array
    weight, bias : (D,) float arrays
        `bias` may be None.
    eps : float
        Added to the variance.
    out : (..., D) float array, optional
        Where to write; may be `x` itself.
    """
    return layer_norm_forward(x, weight, bias, eps, out)[0]


def rms_norm(x: Array, weight: Array | None, eps: float, out: Array | None = None) -> Array:
    """RMSNorm over the last axis; `weight` (D,) may be None.

    Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019, eq. 4.
    """
    return rms_norm_forward(x, weight, eps, out)[0]


def layer_norm_forward(
    x: Array, weight: Array, bias: Array | None, eps: float, out: Array | None = None
) -> tuple[Array, Array, Array]:
    """Return `layer_norm`, and the mean and 1/deviation of each row (...,) for backward."""
    if not compiled(x, weight, bias):
        return layer_norm_forward_numpy(x, weight, bias, eps, out)
    from tinyternary.compiled import _row_loops, threads

    out, written = result(out, x)
    rows = as_rows(x)
    mean, rstd = empty(x.shape[:-1]), empty(x.shape[:-1])
    threads.crew.run(
        _row_loops.layer_norm, len(rows), _row_loops.BLOCK, 0.2e-9 * rows.shape[1],
        rows, as_line(weight), EMPTY if bias is None else as_line(bias), eps,
        written.reshape(rows.shape), mean.reshape(-1), rstd.reshape(-1), bias is not None,
    )  # fmt: skip
    return deliver(out, written), mean, rstd


def layer_norm_backward(
    grad: Array, x: Array, weight: Array, mean: Array, rstd: Array
) -> tuple[Array, Array, Array]:
    """Gradients of `layer_norm`: input, weight, bias."""
    if not compiled(grad, x, weight):
        return layer_norm_backward_numpy(grad, x, weight, mean, rstd)
    from tinyternary.compiled import _row_loops, threads

    rows, grad_x = as_rows(x), empty(x.shape)
    blocks = -(-len(rows) // _row_loops.BLOCK)
    sums = np.zeros((2, blocks, rows.shape[1]), np.float32)
    threads.crew.run(
        _row_loops.layer_norm_backward, len(rows), _row_loops.BLOCK,
        0.35e-9 * rows.shape[1], as_rows(grad), rows,
        as_line(weight), as_line(mean), as_line(rstd), grad_x.reshape(rows.shape), sums[0], sums[1],
    )  # fmt: skip
    return grad_x, sums[0].sum(0), sums[1].sum(0)


def rms_norm_forward(
    x: Array, weight: Array | None, eps: float, out: Array | None = None
) -> tuple[Array, Array]:
    """Return `rms_norm`, and 1/root of each row (...,) for backward."""
    if not compiled(x, weight):
        return rms_norm_forward_numpy(x, weight, eps, out)
    from tinyternary.compiled import _row_loops, threads

    out, written = result(out, x)
    rows, rstd = as_rows(x), empty(x.shape[:-1])
    threads.crew.run(
        _row_loops.rms_norm, len(rows), _row_loops.BLOCK, 0.2e-9 * rows.shape[1],
        rows, EMPTY if weight is None else as_line(weight), eps, written.reshape(rows.shape),
        rstd.reshape(-1), weight is not None,
    )  # fmt: skip
    return deliver(out, written), rstd


def rms_norm_backward(
    grad: Array, x: Array, weight: Array | None, rstd: Array
) -> tuple[Array, Array | None]:
    """Gradients of `rms_norm`: input and weight (None without one)."""
    if not compiled(grad, x, weight):
        return rms_norm_backward_numpy(grad, x, weight, rstd)
    from tinyternary.compiled import _row_loops, threads

    rows, grad_x = as_rows(x), empty(x.shape)
    blocks = -(-len(rows) // _row_loops.BLOCK)
    sums = np.zeros((blocks, rows.shape[1]), np.float32)
    threads.crew.run(
        _row_loops.rms_norm_backward, len(rows), _row_loops.BLOCK,
        0.3e-9 * rows.shape[1], as_rows(grad), rows,
        EMPTY if weight is None else as_line(weight), as_line(rstd), grad_x.reshape(rows.shape),
        sums, weight is not None,
    )  # fmt: skip
    return grad_x, None if weight is None else sums.sum(0)
