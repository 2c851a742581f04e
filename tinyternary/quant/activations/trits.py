"""Activations to trits, per token or with one threshold for all (lesson 06)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.autograd import Function, Tensor
from tinyternary.config import LayerQuant
from tinyternary.config.grid import SMALLEST_DIVISOR, TERNARY_LEVEL, TERNARY_THRESHOLD
from tinyternary.errors import ConfigError
from tinyternary.kernels import reference
from tinyternary.nn import Module, Parameter
from tinyternary.quant.quantized import Floats, finite
from tinyternary.quant.ste import surrogate, threshold_slope

KINDS = {
    "ternary": "trits per token: threshold 0.767 mean |x|, level 1.534 mean |x|",
    "ternary-learned": "trits per token: threshold and level learned, in units of mean |x|",
    "ternary-tensor": "trits, one fixed threshold and level for all tokens",
    "ternary-tensor-learned": "trits, one learned threshold and level for all tokens",
}

UNIT_MEAN = float(np.sqrt(2 / np.pi))
"""Mean |x| of a Gaussian with deviation 1: what an RMSNorm hands on, about."""


def ternary(
    x: ArrayLike,
    threshold: float | Floats = TERNARY_THRESHOLD,
    scale: float | Floats = TERNARY_LEVEL,
    *,
    per: str = "token",
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Quantise activations to trits.

    Parameters
    ----------
    x : (..., K) float
    threshold, scale : float
        For ``per="token"`` in units of the row's mean |x|, for ``per="tensor"``
        in the units of x, the same for all rows.
    per : {"token", "tensor"}
        A per-tensor rule takes its two numbers from training and looks at nothing
        else: statistics of the whole batch would make one image's answer depend
        on its neighbours.

    Returns
    -------
    codes : (..., K) int8
        Trits.
    scale : (..., 1) float32

    Raises
    ------
    ConfigError
        If `per` is neither.
    NonFiniteError
        If an entry is NaN or infinite.
    """
    if per not in ("token", "tensor"):
        raise ConfigError(f"per: expected 'token' or 'tensor', got {per!r}")
    array = finite(x, "activations")
    one = np.ones((*array.shape[:-1], 1), array.dtype)
    unit = reference.mean_magnitude(array) if per == "token" else one
    codes, level = reference.ternary(array, threshold, scale, unit)
    return codes, level.astype(np.float32, copy=False)


class FakeTernaryActivation(Function):
    """Rows to trits times a level; the gradient of x by a straight-through rule.

    `threshold` and `level` are single numbers: factors of the row's mean |x| for
    ``per="token"``, in the units of x for ``per="tensor"``. Both always have a
    gradient here; whether they are learned is up to their ``requires_grad``.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Floats, threshold: Floats, level: Floats, *, quantizer: TernaryActivation
    ) -> Floats:
        codes, scale = ternary(x, threshold, level, per=quantizer.per)
        scale = scale.astype(x.dtype, copy=False)
        unit = scale / np.maximum(np.asarray(level, x.dtype), SMALLEST_DIVISOR)
        ctx.save(x, codes, scale, unit, np.asarray(threshold))
        ctx.quantizer = quantizer
        return codes * scale

    @staticmethod
    def backward(ctx: Any, grad: Floats) -> tuple[Floats, Floats | None, Floats | None]:
        x, codes, scale, unit, threshold = ctx.saved
        delta = np.maximum(threshold, 0) * unit
        to_x, quantizer = grad, ctx.quantizer
        if quantizer.ste != "identity":
            to_x = grad * surrogate(quantizer.ste).slope(x, scale, delta, quantizer.sharpness)
        step = x.dtype.type(1.0 / np.sqrt(x.size))
        to_threshold = to_level = None
        if ctx.needs[1]:
            slope = threshold_slope(x, scale, delta) * unit
            to_threshold = np.sum(grad * slope).reshape(threshold.shape) * step
        if ctx.needs[2]:
            to_level = np.sum(grad * codes * unit).reshape(threshold.shape) * step
        return to_x, to_threshold, to_level


class TernaryActivation(Module):
    """A layer's input in training, as trits times a level.

    Attributes
    ----------
    threshold, level : Parameter
        Shape (1,): in units of the row's mean |x| per token, in the units of x per
        tensor. They only learn where the name says so. The per-tensor ones start at
        the best values for inputs of deviation 1, which is what the layer's norm
        makes; without one, start them with `calibrate`.
    per : {"token", "tensor"}
    sharpness : float
        k of the soft straight-through rule.
    """

    def __init__(self, rule: LayerQuant) -> None:
        super().__init__()
        self.ste, self.sharpness = rule.ste, 1.0
        self.per = "tensor" if "tensor" in rule.activation else "token"
        unit = UNIT_MEAN if self.per == "tensor" else 1.0
        self.threshold = Parameter(np.array([TERNARY_THRESHOLD * unit], np.float32))
        self.level = Parameter(np.array([TERNARY_LEVEL * unit], np.float32))
        learned = rule.activation.endswith("learned")
        self.threshold.requires_grad = self.level.requires_grad = learned

    def calibrate(self, x: Floats) -> None:
        """Set a per-tensor threshold and level from a sample of inputs (..., K)."""
        if self.per == "tensor":
            mean = float(np.abs(x).mean(dtype=np.float64))
            self.threshold.data[...] = TERNARY_THRESHOLD * mean
            self.level.data[...] = TERNARY_LEVEL * mean

    def quantize(self, x: Floats) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """Return codes (..., K) int8 and scales (..., 1) float32, as the engine computes them."""
        return ternary(x, self.threshold.data, self.level.data, per=self.per)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = FakeTernaryActivation.apply(x, self.threshold, self.level, quantizer=self)
        return result
