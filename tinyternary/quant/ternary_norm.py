"""Norms whose learned scale is ternary, so that no float vector multiplies (lesson 06)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyternary import autograd
from tinyternary.autograd import Tensor
from tinyternary.config import LayerQuant
from tinyternary.errors import ConfigError
from tinyternary.nn import LayerNorm, Module, RMSNorm
from tinyternary.quant.bitlinear import naming
from tinyternary.quant.quantized import Quantized
from tinyternary.quant.registry import weight_quantizer
from tinyternary.quant.ste import mixed


class TernaryNorm(Module):
    """A LayerNorm or RMSNorm whose scale (D,) is one number times trits.

    Parameters
    ----------
    norm : LayerNorm or RMSNorm
        Its weight and bias become this layer's: the same Parameters.
    rule : LayerQuant
        Weight quantiser and straight-through rule; the scale counts as a matrix
        (1, D). Ternary only: trits and one or two scales.
    name : str

    Notes
    -----
    After FTerViT, arXiv 2605.21171.
    """

    def __init__(
        self, norm: LayerNorm | RMSNorm, rule: LayerQuant, name: str = "TernaryNorm"
    ) -> None:
        if norm.weight is None:
            raise ConfigError(f"{name}: this norm has no scale to quantise")
        if rule.weight in ("int8", "int4"):
            raise ConfigError(f"{name}: the scale of a norm can be ternary, not {rule.weight}")
        self.rule, self.name = rule, name
        self.strength = 1.0
        self.dim, self.eps = norm.dim, norm.eps
        self.weight = norm.weight
        self.bias = norm.bias if isinstance(norm, LayerNorm) else None
        self.quantizer = weight_quantizer(rule, self.weight.data[None])

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to (..., D)."""
        with naming(self.name):
            weight = mixed(self.weight, self._quantize, self.strength)
        if self.bias is None:
            return autograd.rms_norm(x, weight, self.eps)
        return autograd.layer_norm(x, weight, self.bias, self.eps)

    def _quantize(self, weight: Tensor) -> Tensor:
        row: Tensor = self.quantizer(weight.reshape(1, -1))
        return row.reshape(-1)

    def quantized(self) -> Quantized:
        """Trits (1, D) and scale of the weights as they are now."""
        q = self.quantizer.quantize(self.weight.data[None])
        if not isinstance(q, Quantized):
            raise ConfigError(f"{self.name}: {self.rule.weight} is not a ternary rule")
        return q

    def effective_weight(self) -> NDArray[np.float32]:
        """Return what the norm multiplies by, (D,) float32: a packed file stores it."""
        row: NDArray[np.float32] = self.quantized().dequantize()[0]
        return row

    def describe(self) -> str:
        """Say width and rule for `repr`."""
        return f"{self.dim}, {self.rule.weight}"
