"""absmean, BitNet b1.58's rule: the scale is the mean of |W| (lessons 01 and 04)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tinyternary.autograd import Function, Tensor
from tinyternary.config.grid import FLOOR
from tinyternary.kernels.reference import mean_magnitude
from tinyternary.quant.quantized import Floats, Granularity, Quantized, finite, grouped
from tinyternary.quant.rules._weights import (
    Entry,
    WeightQuantizer,
    as_quantized,
)


def absmean(weights: ArrayLike, granularity: Granularity = "tensor") -> Quantized:
    """Quantise by the rule of BitNet b1.58: alpha = mean |W|, trit = clip(round(W / alpha)).

    Rounding makes the threshold delta = alpha / 2.

    Parameters
    ----------
    weights : (N, K) float
    granularity : {"tensor", "channel"} or int
        One scale per matrix, per row, or per group of that many inputs.

    Returns
    -------
    Quantized

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

    Examples
    --------
    >>> q = tt.quant.absmean([[0.9, -0.1, 0.2, -1.2]])
    >>> q.trits
    array([[ 1,  0,  0, -1]], dtype=int8)
    >>> print(q.scale)  # the mean of |W|
    0.6
    """
    w = grouped(finite(weights), granularity)
    alpha = np.maximum(mean_magnitude(w), FLOOR)
    trits = np.clip(np.rint(w / alpha), -1, 1)
    return as_quantized(trits, alpha, alpha / 2, weights, granularity)


class FakeAbsmean(Function):
    """clip(round(W / alpha), -1, 1) * alpha with one alpha per matrix; the gradient passes.

    What `FakeTernary` does with these choices, the usual ones, without ever storing trits.
    """

    @staticmethod
    def forward(ctx: Any, w: Floats, *, alpha: np.float32) -> Floats:
        rounded: Floats = np.clip(np.rint(w / alpha), -1, 1) * alpha
        return rounded

    @staticmethod
    def backward(ctx: Any, grad: Floats) -> Floats:
        return grad


class Absmean(WeightQuantizer):
    """absmean in training: nothing to learn."""

    def quantize(self, weights: Floats) -> Quantized:
        return absmean(weights, self.rule.granularity)

    def forward(self, weight: Tensor) -> Tensor:
        if (self.rule.granularity, self.rule.ste) != ("tensor", "identity"):
            return super().forward(weight)
        mean = mean_magnitude(grouped(weight.data, "tensor")).item()
        if not np.isfinite(mean):
            finite(weight.data)
        # a scale is float32, as in a packed file, whatever the weights are
        result: Tensor = FakeAbsmean.apply(weight, alpha=np.maximum(np.float32(mean), FLOOR))
        return result


RULES = {"absmean": Entry("alpha = mean |W|, delta = alpha / 2 (BitNet b1.58)", Absmean)}
