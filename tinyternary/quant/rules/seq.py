"""seq, ParetoQ's stretched elastic quantisation: a learned range in three parts (lesson 04)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tinyternary.autograd import Tensor
from tinyternary.config import LayerQuant
from tinyternary.config.grid import FLOOR, SEQ_CLIP, SEQ_HALF
from tinyternary.kernels.reference import mean_magnitude
from tinyternary.nn import Parameter
from tinyternary.quant.quantized import Floats, Granularity, Quantized, finite, grouped
from tinyternary.quant.rules._weights import (
    Entry,
    FakeTernary,
    WeightQuantizer,
    as_quantized,
    beside,
    learned_gradient,
    per_group,
    through_staircase,
)


def seq(
    weights: ArrayLike,
    granularity: Granularity = "channel",
    *,
    alpha: ArrayLike | None = None,
) -> Quantized:
    """Quantise by ParetoQ's stretched elastic quantisation, three levels.

    W_q = alpha round(1.5 clip(W / alpha, -0.99, 0.99)) / 1.5: three levels,
    -2/3 alpha, 0 and +2/3 alpha, that cut the range [-alpha, alpha] into three
    equal parts, so delta = alpha / 3. The scale that is returned is 2/3 alpha.

    Parameters
    ----------
    weights : (N, K) float
    granularity : {"tensor", "channel"} or int
    alpha : float or array in the layout of a scale, optional
        Half the range. In training it is learned; by default 1.5 mean |W|, which
        gives the trits of `absmean`.

    Returns
    -------
    Quantized

    Notes
    -----
    Liu et al., "ParetoQ", arXiv 2502.02631, equation 5; the learned scale is that
    of LSQ, arXiv 1902.08153.

    Examples
    --------
    >>> tt.quant.seq([[0.9, -0.1, 0.2, -1.2]]).trits  # by default those of absmean
    array([[ 1,  0,  0, -1]], dtype=int8)
    """
    w = grouped(finite(weights), granularity)
    half = SEQ_HALF * mean_magnitude(w) if alpha is None else per_group(alpha, w)
    half = np.maximum(half, w.dtype.type(SEQ_HALF) * FLOOR)
    trits = np.rint(np.clip(w / half, -SEQ_CLIP, SEQ_CLIP) * w.dtype.type(SEQ_HALF))
    return as_quantized(trits, half / w.dtype.type(SEQ_HALF), half / 3, weights, granularity)


class FakeSeq(FakeTernary):
    """`seq` with a learned range; forward is `FakeTernary`'s.

    Straight-through is the rounding only. The clip keeps its own derivative:
    outside +-0.99 alpha a weight gets no gradient, whatever the rule for the
    rounding, and the scale gets the level itself, 2/3 of the sign.

    Notes
    -----
    LSQ, arXiv 1902.08153, equation 3. ParetoQ's published code takes 1 for the
    slope outside the clip; 2/3 is the slope of what it computes.
    """

    @staticmethod
    def backward(ctx: Any, grad: Floats) -> tuple[Floats | None, ...]:
        w, q = ctx.saved
        half = w.dtype.type(SEQ_HALF)
        ratio = w / (beside(q, w)[0] * half)
        inside = np.abs(ratio) <= SEQ_CLIP
        to_w = through_staircase(ctx, grad * inside, w, q)
        slope = q.trits / half - ratio * inside
        return to_w, learned_gradient(grad * slope, q.granularity, ctx.learned[0]), None, None


class Seq(WeightQuantizer):
    """seq in training: half the range is learned, and with it the threshold."""

    function = FakeSeq

    def __init__(self, rule: LayerQuant, weights: Floats) -> None:
        super().__init__(rule, weights)
        self.alpha = Parameter(seq(weights, rule.granularity).scale * np.float32(SEQ_HALF))

    def quantize(self, weights: Floats) -> Quantized:
        return seq(weights, self.rule.granularity, alpha=self.alpha.data)

    def learned(self) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        return self.alpha, None, None


RULES = {"seq": Entry("learned alpha, three equal parts of +-alpha (LSQ, ParetoQ SEQ)", Seq)}
