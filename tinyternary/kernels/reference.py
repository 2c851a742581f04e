"""What every kernel must compute, in plain NumPy (lesson 08_packing_and_kernels).

`matmul` is the one reference of the ladder: int32, nothing clever. `quantize` is the int8 rule of
the activations, for training and the engine too; the compiled kernels compute it, ternary
activations and GELU float32 operation by float32 operation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.compiled import erf
from tinyternary.config.grid import FLOOR, MOST, TERNARY_LEVEL, TERNARY_THRESHOLD


def matmul(x: NDArray[np.int8], trits: NDArray[np.int8]) -> NDArray[np.int32]:
    """Return x W^T in int32.

    Parameters
    ----------
    x : (M, K) int8
    trits : (N, K) int8

    Returns
    -------
    (M, N) int32
    """
    return x.astype(np.int32) @ trits.astype(np.int32).T


def quantize(
    x: NDArray[np.floating], most: int = MOST["int8"]
) -> tuple[NDArray[np.int8], NDArray[np.floating]]:
    """Quantise each row to integers by its largest absolute value: the absmax rule.

    s = max(max |x|, 1e-5) / most and q = clip(round_half_even(x / s), -most - 1, most), all in
    the dtype of x (BitNet b1.58, arXiv 2402.17764, section 2, per token). A row that holds a NaN
    or an infinity gets scale NaN and zeros, so that the fault shows in its outputs.

    Parameters
    ----------
    x : (..., K) float
    most : int
        Largest code, from `tinyternary.config.grid.MOST`.

    Returns
    -------
    q : (..., K) int8
    scale : (...,) float
    """
    largest = np.abs(x).max(axis=-1, keepdims=True, initial=0)  # NaN stays NaN
    scale = np.where(np.isfinite(largest), np.maximum(largest, FLOOR), np.nan) / most
    codes = np.clip(np.rint(x / scale), -most - 1, most)
    return np.where(np.isnan(scale), 0, codes).astype(np.int8), scale[..., 0]


def quantize_ternary(
    x: NDArray[np.float32],
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Quantise each row to trits: the sign where |x| is above 0.767 mean |x|, level 1.534 mean |x|.

    The mean is a float64 sum, by sixteen running sums that are then added by halves, divided by K
    and rounded to float32; the rest is float32.

    Parameters
    ----------
    x : (M, K) float32

    Returns
    -------
    q : (M, K) int8
        Trits; a row that holds a NaN or an infinity gets zeros and scale NaN.
    scale : (M,) float32
    """
    m, k = x.shape
    pieces = -(-k // 16)
    filled = np.zeros((m, 16 * pieces))
    filled[:, :k] = np.abs(x)
    wide = filled.reshape(m, pieces, 16)
    sums = np.zeros((m, 16))
    for piece in range(pieces):
        sums += wide[:, piece]
    while sums.shape[1] > 1:
        half = sums.shape[1] // 2
        sums = sums[:, :half] + sums[:, half:]
    unit = (sums / max(k, 1)).astype(np.float32)
    q, scale = ternary(x, TERNARY_THRESHOLD, TERNARY_LEVEL, unit)
    return q, scale[:, 0]


def mean_magnitude(x: NDArray[Any]) -> NDArray[Any]:
    """Mean of |x| along the last axis, which stays with size 1, in the dtype of x."""
    # summed in float64, so that the mean hardly depends on the order of summation
    mean: NDArray[np.float64] = np.abs(x).mean(axis=-1, keepdims=True, dtype=np.float64)
    return mean.astype(x.dtype)


def ternary(
    x: NDArray[Any], threshold: ArrayLike, level: ArrayLike, unit: NDArray[Any]
) -> tuple[NDArray[np.int8], NDArray[Any]]:
    """Quantise rows to trits by a threshold and a level in units of each row.

    Parameters
    ----------
    x : (..., K) float
    threshold, level : float
        A threshold below 0 counts as 0; a scale is at least `tinyternary.config.grid.FLOOR`.
    unit : (..., 1) float
        A row whose unit is NaN or infinite gets zeros and scale NaN.

    Returns
    -------
    q : (..., K) int8
    scale : (..., 1) float
    """
    delta = np.maximum(np.asarray(threshold, x.dtype), 0) * unit
    scale = np.maximum(np.asarray(level, x.dtype) * unit, FLOOR)
    trits = np.where(np.abs(x) > delta, np.sign(x), 0).astype(np.int8)
    return trits, np.where(np.isfinite(unit), scale, np.nan)


def gelu(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return x Phi(x) by the same float32 operations as the vector code, bit for bit.

    erf is the rational approximation whose coefficients `tinyternary.compiled.erf` holds.
    """
    z = np.clip(x * np.float32(0.7071067811865476), -erf.LIMIT, erf.LIMIT)
    square = z * z

    def polynomial(coefficients: tuple[float, ...]) -> NDArray[np.float32]:
        value: NDArray[np.float32] = np.full_like(square, coefficients[0])
        for coefficient in coefficients[1:]:
            value = value * square + np.float32(coefficient)
        return value

    half = x * np.float32(0.5)
    result: NDArray[np.float32] = half + half * (z * polynomial(erf.P) / polynomial(erf.Q))
    return result
