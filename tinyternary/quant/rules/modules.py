"""Weight quantisers as modules: a rule, what it learns, and both its faces (lesson 06).

`quantize(W)` gives the integers of a packed file; calling the module on the
latent weights gives the same numbers as floats, with gradients, for training.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd import Tensor
from tinyternary.config import LayerQuant
from tinyternary.config.grid import SEQ_HALF
from tinyternary.nn import Module, Parameter
from tinyternary.quant.integers import integer
from tinyternary.quant.quantized import Floats, Quantized, QuantizedInt
from tinyternary.quant.rules.fake_weights import (
    FakeAbsmean,
    FakeInteger,
    FakeStretched,
    FakeTernary,
)
from tinyternary.quant.rules.weights import (
    absmean,
    band,
    seq,
    ttq,
    twn,
)


class WeightQuantizer(Module):
    """How one layer's weights become small integers.

    Attributes
    ----------
    rule : LayerQuant
    sharpness : float
        k of the soft straight-through rule; `tinyternary.quant.set_sharpness`.
    """

    def __init__(self, rule: LayerQuant, weights: Floats) -> None:
        super().__init__()
        self.rule = rule
        self.sharpness = 1.0

    def quantize(self, weights: Floats) -> Quantized | QuantizedInt:
        """Plain arrays in, integers and scales out."""
        raise NotImplementedError

    def forward(self, weight: Tensor) -> Tensor:
        """Fake-quantise the latent weights (N, K)."""
        raise NotImplementedError


class Statistic(WeightQuantizer):
    """A ternary rule whose scale and threshold are statistics: nothing to learn."""

    def __init__(self, rule: LayerQuant, weights: Floats, plain: Callable[..., Quantized]) -> None:
        super().__init__(rule, weights)
        self._plain = plain
        self._usual = (rule.granularity, rule.ste) == ("tensor", "identity")

    def quantize(self, weights: Floats) -> Quantized:
        """Apply the plain rule."""
        return self._plain(weights, self.rule.granularity)

    def forward(self, weight: Tensor) -> Tensor:
        """Fake-quantise the latent weights (N, K)."""
        result: Tensor
        if self.rule.weight == "absmean" and self._usual:
            result = FakeAbsmean.apply(weight)
            return result
        result = FakeTernary.apply(
            weight, None, None, None,
            quantize=self.quantize, ste=self.rule.ste, sharpness=self.sharpness,
        )  # fmt: skip
        return result


class Band(WeightQuantizer):
    """Scale and threshold from any source: alpha {statistic, learned} x beta {fixed, ...}.

    Parameters
    ----------
    rule : LayerQuant
    weights : (N, K)
        Where learned and fixed numbers start: 0.7 mean |W| and the survivors' mean.
    learn_alpha : bool
        Learned scale, or the mean of |W| beyond the threshold at each step.
    beta : {"fixed", "dynamic", "learned"}
        "dynamic" is 0.7 mean |W| at each step.
    """

    def __init__(self, rule: LayerQuant, weights: Floats, *, learn_alpha: bool, beta: str) -> None:
        super().__init__(rule, weights)
        start = band(weights, rule.granularity, beta=rule.threshold)
        assert start.threshold is not None
        self.alpha = Parameter(start.scale.copy()) if learn_alpha else None
        self.beta = None if beta == "dynamic" else Parameter(start.threshold.copy())
        self.beta_learned = beta == "learned"
        if self.beta is not None and not self.beta_learned:
            self.beta.requires_grad = False

    def quantize(self, weights: Floats) -> Quantized:
        """Apply the threshold and scale as they are now."""
        alpha = None if self.alpha is None else self.alpha.data
        beta = None if self.beta is None else self.beta.data
        return band(weights, self.rule.granularity, beta=beta, alpha=alpha)

    def forward(self, weight: Tensor) -> Tensor:
        """Fake-quantise the latent weights (N, K)."""
        result: Tensor = FakeTernary.apply(
            weight, self.alpha, None, self.beta if self.beta_learned else None,
            quantize=self.quantize, ste=self.rule.ste, sharpness=self.sharpness,
        )  # fmt: skip
        return result


class TwoScales(WeightQuantizer):
    """Trained ternary quantisation: a learned scale for each sign."""

    def __init__(self, rule: LayerQuant, weights: Floats) -> None:
        super().__init__(rule, weights)
        start = ttq(weights, rule.granularity)
        assert start.scale_negative is not None
        self.positive = Parameter(start.scale.copy())
        self.negative = Parameter(start.scale_negative.copy())

    def quantize(self, weights: Floats) -> Quantized:
        """Apply the two scales as they are now."""
        return ttq(
            weights, self.rule.granularity,
            positive=self.positive.data, negative=self.negative.data,
        )  # fmt: skip

    def forward(self, weight: Tensor) -> Tensor:
        """Fake-quantise the latent weights (N, K)."""
        result: Tensor = FakeTernary.apply(
            weight, self.positive, self.negative, None,
            quantize=self.quantize, ste=self.rule.ste, sharpness=self.sharpness,
        )  # fmt: skip
        return result


class Stretched(WeightQuantizer):
    """ParetoQ's stretched elastic quantisation: a learned range, threshold a third of it."""

    def __init__(self, rule: LayerQuant, weights: Floats) -> None:
        super().__init__(rule, weights)
        start: NDArray[np.float32] = seq(weights, rule.granularity).scale * np.float32(SEQ_HALF)
        self.alpha = Parameter(start)

    def quantize(self, weights: Floats) -> Quantized:
        """Apply the range as it is now."""
        return seq(weights, self.rule.granularity, alpha=self.alpha.data)

    def forward(self, weight: Tensor) -> Tensor:
        """Fake-quantise the latent weights (N, K)."""
        result: Tensor = FakeStretched.apply(
            weight, self.alpha,
            quantize=self.quantize, ste=self.rule.ste, sharpness=self.sharpness,
        )  # fmt: skip
        return result


class Integer(WeightQuantizer):
    """Symmetric int8 or int4, for layers that lose too much as trits."""

    def __init__(self, rule: LayerQuant, weights: Floats, bits: int) -> None:
        super().__init__(rule, weights)
        self.bits = bits

    def quantize(self, weights: Floats) -> QuantizedInt:
        """Apply the plain rule."""
        return integer(weights, self.rule.granularity, bits=self.bits)

    def forward(self, weight: Tensor) -> Tensor:
        """Fake-quantise the latent weights (N, K)."""
        result: Tensor = FakeInteger.apply(weight, quantize=self.quantize)
        return result


def make_statistic(rule: LayerQuant, weights: Floats) -> WeightQuantizer:
    """Build the quantiser of the rules "absmean" and "twn"."""
    return Statistic(rule, weights, {"absmean": absmean, "twn": twn}[rule.weight])
