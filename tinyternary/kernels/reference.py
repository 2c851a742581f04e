"""What every kernel must compute, in plain NumPy (lesson 08_packing_and_kernels).

`matmul` is the one reference of the ladder: int32, nothing clever. `quantize` is the
int8 rule of the activations, and `linear` the whole layer, both as the compiled kernels
compute them, float32 operation by float32 operation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyternary.config.grid import FLOOR, MOST, TERNARY_LEVEL, TERNARY_THRESHOLD
from tinyternary.kernels import erf


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
    x: NDArray[np.float32], most: int = MOST["int8"]
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Quantise each row to int8 by its largest absolute value.

    s = max(max |x|, 1e-5) / most and q = clip(round_half_even(x / s), -most - 1, most), all in
    float32 (BitNet b1.58, arXiv 2402.17764, section 2, per token). A row that holds a NaN
    or an infinity gets scale NaN and zeros, so that the fault shows in its outputs.

    Parameters
    ----------
    x : (M, K) float32
    most : int
        Largest code: 127, or 63 for the 7-bit table lookups.

    Returns
    -------
    q : (M, K) int8
    scale : (M,) float32
    """
    largest = np.abs(x).max(axis=1, initial=0.0).astype(np.float32)  # NaN stays NaN
    scale = np.maximum(largest, FLOOR) / np.float32(most)
    bad = ~np.isfinite(largest)
    scale[bad] = np.nan
    safe = np.where(bad, np.float32(1), scale)
    finite = np.where(bad[:, None], np.float32(0), x)
    q = np.clip(np.rint(finite / safe[:, None]), -most - 1, most).astype(np.int8)
    return q, scale


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
    unit = (sums[:, 0] / max(k, 1)).astype(np.float32)
    bad = ~np.isfinite(unit)
    finite = np.where(bad[:, None], np.float32(0), x)
    above = np.abs(finite) > np.float32(TERNARY_THRESHOLD) * np.where(bad, 0, unit)[:, None]
    scale = np.maximum(np.float32(TERNARY_LEVEL) * unit, FLOOR)
    scale[bad] = np.nan
    return (np.sign(finite) * above).astype(np.int8), scale


def gelu(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return x Phi(x) by the same float32 operations as the vector code, bit for bit.

    erf is the rational approximation whose coefficients `tinyternary.kernels.erf` holds.
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
