"""twn, Ternary Weight Networks: nearly the best threshold and scale (lesson 01)."""

from __future__ import annotations

from numpy.typing import ArrayLike

from tinyternary.config.grid import TWN_FRACTION
from tinyternary.kernels.reference import mean_magnitude
from tinyternary.quant.quantized import Floats, Granularity, Quantized, finite, grouped
from tinyternary.quant.rules._weights import (
    Entry,
    WeightQuantizer,
    as_quantized,
    cut,
    survivors_mean,
)


def twn(weights: ArrayLike, granularity: Granularity = "tensor") -> Quantized:
    """Quantise by Ternary Weight Networks: delta = 0.7 mean |W|, alpha = mean of the survivors.

    The mean of |W| over the weights beyond the threshold is the scale with the
    least squared error for those trits; 0.7 approximates the best threshold for
    Gaussian and uniform weights.

    Parameters
    ----------
    weights : (N, K) float
    granularity : {"tensor", "channel"} or int

    Returns
    -------
    Quantized

    Notes
    -----
    Li et al., "Ternary Weight Networks", arXiv 1605.04711, equations 5 and 6. The
    squared error is above the least that any threshold and scale reach: by 0.8 %
    for Gaussian, 0.4 % for uniform and 7 % for Laplace weights (measured, and held
    by a test).

    Examples
    --------
    >>> q = tt.quant.twn([[0.9, -0.1, 0.2, -1.2]])
    >>> q.trits
    array([[ 1,  0,  0, -1]], dtype=int8)
    >>> print(q.scale)  # the mean of 0.9 and 1.2
    1.05
    """
    w = grouped(finite(weights), granularity)
    delta = TWN_FRACTION * mean_magnitude(w)
    trits = cut(w, delta)
    return as_quantized(trits, survivors_mean(w, trits), delta, weights, granularity)


class Twn(WeightQuantizer):
    """TWN in training: nothing to learn; `FakeTernary` differentiates."""

    def quantize(self, weights: Floats) -> Quantized:
        return twn(weights, self.rule.granularity)


RULES = {"twn": Entry("delta = 0.7 mean |W|, alpha = mean of |W| beyond it (TWN)", Twn)}
