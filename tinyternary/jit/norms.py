"""LayerNorm and RMSNorm over the last axis (lessons 02 and 06)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def layer_norm_forward_numpy(
    x: Array, weight: Array, bias: Array | None, eps: float, out: Array | None = None
) -> tuple[Array, Array, Array]:
    """(x - mean) / sqrt(var + eps) * weight + bias; also mean and 1/sqrt, for backward."""
    mean = x.mean(-1, keepdims=True)
    centred = np.subtract(x, mean, out=out)
    rstd = 1.0 / np.sqrt((centred * centred).mean(-1, keepdims=True) + x.dtype.type(eps))
    centred *= rstd
    centred *= weight
    if bias is not None:
        centred += bias
    return centred, mean[..., 0], rstd[..., 0]


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


layer_norm_forward = layer_norm_forward_numpy
layer_norm_backward = layer_norm_backward_numpy
rms_norm_forward = rms_norm_forward_numpy
rms_norm_backward = rms_norm_backward_numpy
