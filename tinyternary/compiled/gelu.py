"""GELU, exact and by tanh (lesson 02). Hendrycks and Gimpel, arXiv 1606.08415."""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled._arrays import (
    as_line,
    compiled,
    deliver,
    result,
)
from tinyternary.compiled.buffers import empty

Array = NDArray[Any]

_TANH_SCALE = sqrt(2 / pi)
_TANH_CUBIC = 0.044715


def _erf(x: Array) -> Array:
    from scipy.special import erf  # only the plain NumPy path needs SciPy

    return erf(x)


def gelu_numpy(x: Array, out: Array | None = None, approximate: str = "none") -> Array:
    """X Phi(x), Phi the normal distribution function (or its tanh approximation)."""
    if approximate == "tanh":
        phi = 0.5 * (1 + np.tanh(_TANH_SCALE * (x + _TANH_CUBIC * x * x * x)))
    else:
        phi = 0.5 * (1 + _erf(x * sqrt(0.5)))
    return np.multiply(x, phi, out=out)


def gelu_backward_numpy(grad: Array, x: Array, approximate: str = "none") -> Array:
    """Grad times (Phi(x) + x phi(x))."""
    if approximate == "tanh":
        t = np.tanh(_TANH_SCALE * (x + _TANH_CUBIC * x * x * x))
        slope = 0.5 * (1 + t)
        slope += 0.5 * x * (1 - t * t) * _TANH_SCALE * (1 + 3 * _TANH_CUBIC * x * x)
    else:
        slope = 0.5 * (1 + _erf(x * sqrt(0.5))) + x * np.exp(-0.5 * x * x) * (1 / sqrt(2 * pi))
    return grad * slope


def gelu(x: Array, out: Array | None = None, approximate: str = "none") -> Array:
    """GELU of every entry.

    Parameters
    ----------
    x : float array
    out : float array of the same shape, optional
        Where to write; may be `x` itself.
    approximate : {"none", "tanh"}
    """
    if not compiled(x):
        return gelu_numpy(x, out, approximate)
    from tinyternary.compiled import _row_loops, threads

    out, written = result(out, x)
    threads.crew.run(
        _row_loops.gelu, x.size, 1 << 12, 0.17e-9,
        as_line(x), written.reshape(-1), approximate == "tanh",
    )  # fmt: skip
    return deliver(out, written)


def gelu_backward(grad: Array, x: Array, approximate: str = "none") -> Array:
    """Gradient of `gelu` with respect to `x`."""
    if not compiled(grad, x):
        return gelu_backward_numpy(grad, x, approximate)
    from tinyternary.compiled import _row_loops, threads

    out = empty(x.shape)
    threads.crew.run(
        _row_loops.gelu_backward, x.size, 1 << 12, 0.4e-9,
        as_line(grad), as_line(x), out.reshape(-1), approximate == "tanh",
    )  # fmt: skip
    return out
