"""band: scale and threshold each from a source of one's choice (lesson 04)."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from tinyternary.autograd import Tensor
from tinyternary.config import LayerQuant
from tinyternary.config.grid import FLOOR, TWN_FRACTION
from tinyternary.kernels.reference import mean_magnitude
from tinyternary.nn import Parameter
from tinyternary.quant.quantized import Floats, Granularity, Quantized, finite, grouped
from tinyternary.quant.rules._weights import (
    Entry,
    WeightQuantizer,
    as_quantized,
    cut,
    per_group,
    survivors_mean,
)


def band(
    weights: ArrayLike,
    granularity: Granularity = "tensor",
    *,
    delta: ArrayLike | None = None,
    alpha: ArrayLike | None = None,
) -> Quantized:
    """Quantise by a given threshold and a given scale: sign(W) with a band of zeros.

    Parameters
    ----------
    weights : (N, K) float
    granularity : {"tensor", "channel"} or int
    delta : float or array in the layout of a scale, optional
        The threshold; by default TWN's, 0.7 mean |W|. Below 0 it counts as 0.
    alpha : float or array in the layout of a scale, optional
        The scale; by default the mean of |W| beyond the threshold.

    Returns
    -------
    Quantized

    Examples
    --------
    >>> tt.quant.band([[0.9, -0.1, 0.2, -1.2]], delta=0.15, alpha=1.0).dequantize()
    array([[ 1.,  0.,  1., -1.]], dtype=float32)
    """
    w = grouped(finite(weights), granularity)
    limit = TWN_FRACTION * mean_magnitude(w) if delta is None else per_group(delta, w)
    limit = np.maximum(limit, 0)
    trits = cut(w, limit)
    scale = survivors_mean(w, trits) if alpha is None else per_group(alpha, w)
    return as_quantized(trits, np.maximum(scale, FLOOR), limit, weights, granularity)


class Band(WeightQuantizer):
    """A band in training: alpha {statistic, learned} x delta {fixed, dynamic, learned}.

    Parameters
    ----------
    rule : LayerQuant
    weights : (N, K)
        Where learned and fixed numbers start: 0.7 mean |W| and the survivors' mean.
    alpha : {"statistic", "learned"}
        The mean of |W| beyond the threshold at each step, or a learned scale.
    delta : {"fixed", "dynamic", "learned"}
        "dynamic" is 0.7 mean |W| at each step.
    """

    def __init__(self, rule: LayerQuant, weights: Floats, *, alpha: str, delta: str) -> None:
        super().__init__(rule, weights)
        start = band(weights, rule.granularity, delta=rule.threshold)
        assert start.threshold is not None
        self.alpha = Parameter(start.scale.copy()) if alpha == "learned" else None
        self.delta = None if delta == "dynamic" else Parameter(start.threshold.copy())
        if self.delta is not None:
            self.delta.requires_grad = delta == "learned"

    def quantize(self, weights: Floats) -> Quantized:
        alpha = None if self.alpha is None else self.alpha.data
        delta = None if self.delta is None else self.delta.data
        return band(weights, self.rule.granularity, delta=delta, alpha=alpha)

    def learned(self) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        fixed = self.delta is None or not self.delta.requires_grad
        return self.alpha, None, None if fixed else self.delta


RULES = {
    f"{alpha}-{delta}": Entry(doc, partial(Band, alpha=alpha, delta=delta))
    for alpha, delta, doc in (
        ("statistic", "fixed", "alpha = mean beyond delta, delta fixed"),
        ("statistic", "dynamic", "the same rule as twn"),
        ("statistic", "learned", "alpha = mean beyond delta, delta learned"),
        ("learned", "fixed", "alpha learned, delta fixed"),
        ("learned", "dynamic", "alpha learned, delta = 0.7 mean |W|"),
        ("learned", "learned", "alpha and delta learned"),
    )
}
"""Named source of alpha - source of delta."""
