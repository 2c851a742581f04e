"""Activation quantisers as modules: the input of a BitLinear on its way to integers (lesson 06)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd import Tensor
from tinyternary.config import LayerQuant
from tinyternary.config.grid import TERNARY_LEVEL, TERNARY_THRESHOLD
from tinyternary.nn import Module, Parameter
from tinyternary.quant.activations.absmax import absmax, ternary
from tinyternary.quant.activations.fake import FakeAbsmax, FakeTernaryActivation
from tinyternary.quant.quantized import Floats

UNIT_MEAN = float(np.sqrt(2 / np.pi))
"""Mean |x| of a Gaussian with deviation 1: what an RMSNorm hands on, about."""


class ActivationQuantizer(Module):
    """How a layer's input is quantised, by `LayerQuant.activation`.

    Attributes
    ----------
    threshold, level : Parameter, optional
        Of the ternary rules, shape (1,): in units of the row's mean |x| per token,
        in the units of x per tensor. They only learn where the name says so. The
        per-tensor ones start at the best values for inputs of deviation 1, which is
        what the layer's norm makes; without one, start them with `calibrate`.
    sharpness : float
        k of the soft straight-through rule.
    """

    def __init__(self, rule: LayerQuant) -> None:
        super().__init__()
        self.rule = rule
        self.sharpness = 1.0
        self.bits = {"int8": 8, "int4": 4}.get(rule.activation, 0)
        self.per = "tensor" if "tensor" in rule.activation else "token"
        self.threshold: Parameter | None = None
        self.level: Parameter | None = None
        if rule.activation.startswith("ternary"):
            unit = UNIT_MEAN if self.per == "tensor" else 1.0
            self.threshold = Parameter(np.array([TERNARY_THRESHOLD * unit], np.float32))
            self.level = Parameter(np.array([TERNARY_LEVEL * unit], np.float32))
            learned = rule.activation.endswith("learned")
            self.threshold.requires_grad = self.level.requires_grad = learned

    def calibrate(self, x: Floats) -> None:
        """Set a per-tensor threshold and level from a sample of inputs (..., K)."""
        if self.per == "tensor" and self.threshold is not None and self.level is not None:
            mean = float(np.abs(x).mean(dtype=np.float64))
            self.threshold.data[...] = TERNARY_THRESHOLD * mean
            self.level.data[...] = TERNARY_LEVEL * mean

    def quantize(self, x: Floats) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """Return codes (..., K) int8 and scales (..., 1) float32, as the engine computes them."""
        if self.threshold is not None and self.level is not None:
            return ternary(x, self.threshold.data, self.level.data, per=self.per)
        return absmax(x, self.bits)

    def forward(self, x: Tensor) -> Tensor:
        """Fake-quantise rows (..., K)."""
        result: Tensor
        if self.threshold is not None:
            result = FakeTernaryActivation.apply(
                x, self.threshold, self.level,
                per=self.per, ste=self.rule.ste, sharpness=self.sharpness,
            )  # fmt: skip
        else:
            result = FakeAbsmax.apply(x, bits=self.bits)
        return result
