"""Weights to trits and to small integers, as plain arithmetic on arrays (lesson 01).

Each function reads from top to bottom: find the scale alpha and the threshold
beta of each group of weights, then

    trit = +1 if W > beta, 0 if |W| <= beta, -1 if W < -beta.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.quant.quantised import Floats, Granularity, Quantised, as_scale, finite, grouped

SMALLEST_SCALE = np.float32(1e-5)
"""Floor of every scale, BitNet's: a layer of zeros must not divide by zero."""


def absmean(weights: ArrayLike, granularity: Granularity = "tensor") -> Quantised:
    """Quantise by the rule of BitNet b1.58: alpha = mean |W|, trit = clip(round(W / alpha)).

    Rounding makes the threshold beta = alpha / 2.

    Parameters
    ----------
    weights : (N, K) float
    granularity : {"tensor", "channel"} or int
        One scale per matrix, per row, or per group of that many inputs.

    Returns
    -------
    Quantised

    Raises
    ------
    NonFiniteError
        If a weight is NaN or infinite.

    Notes
    -----
    Ma et al., "The Era of 1-bit LLMs", arXiv 2402.17764, equations 1 to 3; the
    floor of 1e-5 under alpha is that of its training notes.
    """
    w = grouped(finite(weights), granularity)
    alpha = np.maximum(_mean(np.abs(w)), SMALLEST_SCALE)
    trits = np.clip(np.rint(w / alpha), -1, 1)
    return _quantised(trits, alpha, weights, granularity)


def twn(weights: ArrayLike, granularity: Granularity = "tensor") -> Quantised:
    """Quantise by Ternary Weight Networks: beta = 0.7 mean |W|, alpha = mean of the survivors.

    The mean of |W| over the weights beyond the threshold is the scale with the
    least squared error for those trits; 0.7 approximates the best threshold for
    Gaussian and uniform weights.

    Parameters
    ----------
    weights : (N, K) float
    granularity : {"tensor", "channel"} or int

    Returns
    -------
    Quantised

    Notes
    -----
    Li et al., "Ternary Weight Networks", arXiv 1605.04711, equations 5 and 6.
    """
    w = grouped(finite(weights), granularity)
    beta = 0.7 * _mean(np.abs(w))
    trits = threshold(w, beta)
    return _quantised(trits, survivors_mean(w, trits), weights, granularity)


def threshold(w: Floats, beta: Floats | float) -> Floats:
    """Return +1 above `beta`, -1 below -`beta`, 0 between, in the dtype of `w`."""
    return np.where(np.abs(w) > beta, np.sign(w), w.dtype.type(0))


def survivors_mean(w: Floats, trits: Floats) -> Floats:
    """Mean of |W| where the trit is not 0, along the last axis; at least `SMALLEST_SCALE`.

    It is the alpha that minimises ``sum (W - alpha * trit)^2`` for given trits.
    """
    kept = np.abs(trits)
    count = np.maximum(kept.sum(axis=-1, keepdims=True, dtype=np.float64), 1)
    total = (np.abs(w) * kept).sum(axis=-1, keepdims=True, dtype=np.float64)
    return np.maximum((total / count).astype(w.dtype), SMALLEST_SCALE)


def _mean(magnitudes: Floats) -> Floats:
    # summed in float64, so that the scale does not depend on the order of summation
    return magnitudes.mean(axis=-1, keepdims=True, dtype=np.float64).astype(magnitudes.dtype)


def _quantised(
    trits: Floats, alpha: Floats, weights: ArrayLike, granularity: Granularity
) -> Quantised:
    codes: NDArray[np.int8] = trits.astype(np.int8).reshape(np.shape(weights))
    return Quantised(codes, as_scale(alpha, granularity))
