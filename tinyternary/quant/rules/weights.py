"""Weights to trits, as plain arithmetic on arrays (lesson 01).

Each function reads from top to bottom: find the scale alpha and the threshold
beta of each group of weights, then

    trit = +1 if W > beta, 0 if |W| <= beta, -1 if W < -beta.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.config.grid import FLOOR, SEQ_CLIP, SEQ_HALF, TTQ_FRACTION, TWN_FRACTION
from tinyternary.quant.quantized import (
    Floats,
    Granularity,
    Quantized,
    as_scale,
    finite,
    grouped,
)


def absmean(weights: ArrayLike, granularity: Granularity = "tensor") -> Quantized:
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
    floor of 1e-5 under alpha is that of its training notes. The squared error is
    above the least that any threshold and scale reach: by 39 % for Gaussian, 41 %
    for uniform and 49 % for Laplace weights (measured, and held by a test).
    """
    w = grouped(finite(weights), granularity)
    alpha = np.maximum(mean_magnitude(w), FLOOR)
    trits = np.clip(np.rint(w / alpha), -1, 1)
    return _quantized(trits, alpha, alpha / 2, weights, granularity)


def twn(weights: ArrayLike, granularity: Granularity = "tensor") -> Quantized:
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
    Li et al., "Ternary Weight Networks", arXiv 1605.04711, equations 5 and 6. The
    squared error is above the least that any threshold and scale reach: by 0.8 %
    for Gaussian, 0.4 % for uniform and 7 % for Laplace weights (measured, and held
    by a test).
    """
    w = grouped(finite(weights), granularity)
    beta = TWN_FRACTION * mean_magnitude(w)
    trits = threshold(w, beta)
    return _quantized(trits, survivors_mean(w, trits), beta, weights, granularity)


def band(
    weights: ArrayLike,
    granularity: Granularity = "tensor",
    *,
    beta: ArrayLike | None = None,
    alpha: ArrayLike | None = None,
) -> Quantized:
    """Quantise by a given threshold and a given scale: sign(W) with a band of zeros.

    Parameters
    ----------
    weights : (N, K) float
    granularity : {"tensor", "channel"} or int
    beta : float or array in the layout of a scale, optional
        The threshold; by default TWN's, 0.7 mean |W|. Below 0 it counts as 0.
    alpha : float or array in the layout of a scale, optional
        The scale; by default the mean of |W| beyond the threshold.

    Returns
    -------
    Quantised
    """
    w = grouped(finite(weights), granularity)
    limit = TWN_FRACTION * mean_magnitude(w) if beta is None else _per_group(beta, w)
    limit = np.maximum(limit, 0)
    trits = threshold(w, limit)
    scale = survivors_mean(w, trits) if alpha is None else _per_group(alpha, w)
    scale = np.maximum(scale, FLOOR)
    return _quantized(trits, scale, limit, weights, granularity)


def ttq(
    weights: ArrayLike,
    granularity: Granularity = "tensor",
    *,
    positive: ArrayLike | None = None,
    negative: ArrayLike | None = None,
) -> Quantized:
    """Quantise by Trained Ternary Quantisation: beta = 0.05 max |W|, a scale for each sign.

    Parameters
    ----------
    weights : (N, K) float
    granularity : {"tensor", "channel"} or int
    positive, negative : float or array in the layout of a scale, optional
        What +1 and -1 stand for: ``positive`` and ``-negative``. In training they
        are learned; by default the mean of |W| over the weights of that sign.

    Returns
    -------
    Quantised
        With `scale_negative` set.

    Notes
    -----
    Zhu et al., "Trained Ternary Quantization", arXiv 1612.01064, equations 6 and 9.
    """
    w = grouped(finite(weights), granularity)
    beta = TTQ_FRACTION * np.abs(w).max(axis=-1, keepdims=True, initial=0)
    trits = threshold(w, beta)
    plus = survivors_mean(w, trits * (trits > 0)) if positive is None else _per_group(positive, w)
    minus = survivors_mean(w, trits * (trits < 0)) if negative is None else _per_group(negative, w)
    plus, minus = np.maximum(plus, FLOOR), np.maximum(minus, FLOOR)
    return _quantized(trits, plus, beta, weights, granularity, negative=minus)


def seq(
    weights: ArrayLike,
    granularity: Granularity = "channel",
    *,
    alpha: ArrayLike | None = None,
) -> Quantized:
    """Quantise by ParetoQ's stretched elastic quantisation, three levels.

    W_q = alpha round(1.5 clip(W / alpha, -0.99, 0.99)) / 1.5: three levels,
    -2/3 alpha, 0 and +2/3 alpha, that cut the range [-alpha, alpha] into three
    equal parts, so beta = alpha / 3. The scale that is returned is 2/3 alpha.

    Parameters
    ----------
    weights : (N, K) float
    granularity : {"tensor", "channel"} or int
    alpha : float or array in the layout of a scale, optional
        Half the range. In training it is learned; by default 1.5 mean |W|, which
        gives the trits of `absmean`.

    Returns
    -------
    Quantised

    Notes
    -----
    Liu et al., "ParetoQ", arXiv 2502.02631, equation 5; the learned scale is that
    of LSQ, arXiv 1902.08153.
    """
    w = grouped(finite(weights), granularity)
    half = SEQ_HALF * mean_magnitude(w) if alpha is None else _per_group(alpha, w)
    half = np.maximum(half, w.dtype.type(SEQ_HALF) * FLOOR)
    trits = np.rint(np.clip(w / half, -SEQ_CLIP, SEQ_CLIP) * w.dtype.type(SEQ_HALF))
    return _quantized(trits, half / w.dtype.type(SEQ_HALF), half / 3, weights, granularity)


def threshold(w: Floats, beta: Floats | float) -> Floats:
    """Return +1 above `beta`, -1 below -`beta`, 0 between, in the dtype of `w`."""
    trits: Floats = np.sign(w) * (np.abs(w) > beta)
    return trits


def survivors_mean(w: Floats, trits: Floats) -> Floats:
    """Mean of |W| where the trit is not 0, along the last axis; at least `FLOOR`.

    It is the alpha that minimises ``sum (W - alpha * trit)^2`` for given trits.
    """
    kept = np.abs(trits)
    count = np.maximum(kept.sum(axis=-1, keepdims=True, dtype=np.float64), 1)
    total = (np.abs(w) * kept).sum(axis=-1, keepdims=True, dtype=np.float64)
    mean: Floats = (total / count).astype(w.dtype)
    return np.maximum(mean, FLOOR)


def mean_magnitude(w: Floats) -> Floats:
    """Mean of |W| along the last axis, which stays with size 1."""
    # summed in float64, so that the scale does not depend on the order of summation
    mean: NDArray[np.float64] = np.abs(w).mean(axis=-1, keepdims=True, dtype=np.float64)
    return mean.astype(w.dtype)


def _per_group(value: ArrayLike, w: Floats) -> Floats:
    """Bring a number or a scale's layout, (N, 1) or (N, G), beside grouped weights."""
    array: Floats = np.asarray(value, w.dtype)
    return array if array.ndim == 0 else array.reshape(*w.shape[:-1], 1)


def _quantized(
    trits: Floats,
    alpha: Floats,
    beta: Floats,
    weights: ArrayLike,
    granularity: Granularity,
    negative: Floats | None = None,
) -> Quantized:
    def layout(values: Floats) -> NDArray[np.float32]:
        # a value given as one number serves every group
        return as_scale(np.broadcast_to(values, (*trits.shape[:-1], 1)), granularity)

    return Quantized(
        trits.astype(np.int8).reshape(np.shape(weights)),
        layout(alpha),
        None if negative is None else layout(negative),
        layout(beta),
    )
