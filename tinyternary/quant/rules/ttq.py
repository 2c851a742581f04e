"""ttq, Trained Ternary Quantisation: a learned scale for each sign (lesson 04)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tinyternary.autograd import Tensor
from tinyternary.config import LayerQuant
from tinyternary.config.grid import FLOOR, TTQ_FRACTION
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


def ttq(
    weights: ArrayLike,
    granularity: Granularity = "tensor",
    *,
    positive: ArrayLike | None = None,
    negative: ArrayLike | None = None,
) -> Quantized:
    """Quantise by Trained Ternary Quantisation: delta = 0.05 max |W|, a scale for each sign.

    Parameters
    ----------
    weights : (N, K) float
    granularity : {"tensor", "channel"} or int
    positive, negative : float or array in the layout of a scale, optional
        What +1 and -1 stand for: ``positive`` and ``-negative``. In training they
        are learned; by default the mean of |W| over the weights of that sign.

    Returns
    -------
    Quantized
        With `scale_negative` set.

    Notes
    -----
    Zhu et al., "Trained Ternary Quantization", arXiv 1612.01064, equations 6 and 9.

    Examples
    --------
    >>> q = tt.quant.ttq([[0.9, -0.05, 0.3, -1.2]])
    >>> q.trits
    array([[ 1,  0,  1, -1]], dtype=int8)
    >>> print(q.scale, q.scale_negative)
    0.6 1.2
    """
    w = grouped(finite(weights), granularity)
    delta = TTQ_FRACTION * np.abs(w).max(axis=-1, keepdims=True, initial=0)
    trits = cut(w, delta)
    plus = survivors_mean(w, trits * (trits > 0)) if positive is None else per_group(positive, w)
    minus = survivors_mean(w, trits * (trits < 0)) if negative is None else per_group(negative, w)
    plus, minus = np.maximum(plus, FLOOR), np.maximum(minus, FLOOR)
    return as_quantized(trits, plus, delta, weights, granularity, negative=minus)


class Ttq(WeightQuantizer):
    """TTQ in training: both scales are learned; `FakeTernary` differentiates."""

    def __init__(self, rule: LayerQuant, weights: Floats) -> None:
        super().__init__(rule, weights)
        start = ttq(weights, rule.granularity)
        assert start.scale_negative is not None
        self.positive = Parameter(start.scale.copy())
        self.negative = Parameter(start.scale_negative.copy())

    def quantize(self, weights: Floats) -> Quantized:
        both = {"positive": self.positive.data, "negative": self.negative.data}
        return ttq(weights, self.rule.granularity, **both)

    def learned(self) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        return self.positive, self.negative, None


RULES = {"ttq": Entry("delta = 0.05 max |W|, learned scales for +1 and -1 (TTQ)", Ttq)}
