"""BitLinear: a linear layer that computes with trits and small integers (lesson 06).

    x -> RMSNorm -> absmax int8 per token -> times ternary weights -> rescale -> + bias

In training all of it is float arithmetic on the integers' grid (fake
quantisation), with straight-through gradients to the latent weights. The packed
engine computes the same numbers with integers.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinyternary.autograd import Tensor, linear
from tinyternary.config import LayerQuant
from tinyternary.config.grid import BITLINEAR_EPS
from tinyternary.errors import ConfigError, NonFiniteError
from tinyternary.nn import Linear, Module, RMSNorm
from tinyternary.quant.activations.absmax import AbsmaxActivation, NormAbsmax
from tinyternary.quant.quantized import Quantized, QuantizedInt
from tinyternary.quant.registry import activation_quantizer, weight_quantizer
from tinyternary.quant.ste import mixed


class BitLinear(Module):
    """Linear layer with quantised weights and activations.

    Parameters
    ----------
    linear : Linear
        Its weight (N, K) and bias become this layer's: the same Parameters.
    rule : LayerQuant
    name : str
        The layer's name in its model, for messages.

    Attributes
    ----------
    weight : Parameter
        Latent weights (N, K): the floats that the optimiser updates.
    bias : Parameter or None
    norm : RMSNorm, TernaryNorm or None
    rule : LayerQuant
    quantizer : WeightQuantizer
    activation : AbsmaxActivation, TernaryActivation or None
    strength : float
        Lambda of gradual quantisation: 0 computes with floats, 1 with quantised
        numbers, between mixes them; `tinyternary.quant.set_strength`.

    Notes
    -----
    Wang et al., "BitNet", arXiv 2310.11453, section 2.1; Ma et al., arXiv 2402.17764.
    """

    def __init__(
        self, linear: Linear, rule: LayerQuant | None = None, name: str = "BitLinear"
    ) -> None:
        super().__init__()
        self.rule = LayerQuant() if rule is None else rule
        self.name = name
        self.strength = 1.0
        self.weight = linear.weight
        self.bias = linear.bias
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.norm: Module | None = None
        if self.rule.norm:
            self.norm = RMSNorm(self.in_features, BITLINEAR_EPS)
        with naming(name):
            self.quantizer = weight_quantizer(self.rule, self.weight.data)
            self.quantizer.quantize(self.weight.data)  # what cannot work is said here, not later
        self.activation = activation_quantizer(self.rule)
        if not self.weight.data.any():
            _warn_zero(name)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to x (..., K); returns (..., N)."""
        with naming(self.name):
            weight = mixed(self.weight, self.quantizer, self.strength)
            return linear(self._input(x), weight, self.bias)

    def _input(self, x: Tensor) -> Tensor:
        """Normalise and quantise the input (..., K)."""
        norm, activation = self.norm, self.activation
        int8 = isinstance(activation, AbsmaxActivation) and activation.bits == 8
        if int8 and isinstance(norm, RMSNorm) and self.strength == 1.0:
            both: Tensor = NormAbsmax.apply(x, norm.weight, eps=norm.eps)
            return both
        if norm is not None:
            x = norm(x)
        return x if activation is None else mixed(x, activation, self.strength)

    def quantized(self) -> Quantized | QuantizedInt:
        """Return the integers and scales of the weights as they are now.

        Raises
        ------
        ConfigError
            If gradual quantisation has not come to its end: the network in training
            would not be the packed one.
        NonFiniteError
            If a weight is NaN or infinite; the message names the layer.
        """
        if self.strength != 1.0:
            raise ConfigError(
                f"{self.name} is quantised at strength {self.strength:g} only; "
                "set_strength(model, 1.0) before its trits mean anything"
            )
        with naming(self.name):
            q = self.quantizer.quantize(self.weight.data)
        codes = q.trits if isinstance(q, Quantized) else q.values
        if not codes.any():
            _warn_zero(self.name)
        return q

    def describe(self) -> str:
        """Say sizes and rule for `repr`."""
        rule = self.rule
        return f"{self.in_features}, {self.out_features}, {rule.weight}, {rule.activation} input"


def _warn_zero(name: str) -> None:
    warnings.warn(
        f"{name}: every weight quantises to 0; the layer's output is its bias alone",
        UserWarning,
        stacklevel=3,
    )


@contextmanager
def naming(layer: str) -> Iterator[None]:
    """Put the layer's name before what an error inside says."""
    try:
        yield
    except (ConfigError, NonFiniteError) as error:
        raise type(error)(f"{layer}: {error}") from None


def set_strength(model: Module, strength: float) -> None:
    """Set lambda of gradual quantisation in every quantised layer, norm and attention.

    Parameters
    ----------
    model : Module
    strength : float
        0 computes with floats, 1 with quantised numbers. A warm-up raises it over
        the first part of training.

    Raises
    ------
    ConfigError
        If it is not between 0 and 1.
    """
    if not 0.0 <= strength <= 1.0:
        raise ConfigError(f"strength: expected a number between 0 and 1, got {strength!r}")
    _set(model, "strength", float(strength))


def set_sharpness(model: Module, sharpness: float) -> None:
    """Set k of the soft straight-through rule everywhere (1 is nearly linear, 10 nearly a step).

    Raises
    ------
    ConfigError
        If it is not positive and finite.
    """
    if not 0.0 < sharpness < np.inf:
        raise ConfigError(f"sharpness: expected a positive number, got {sharpness!r}")
    _set(model, "sharpness", float(sharpness))


def set_activation_bits(model: Module, bits: int) -> None:
    """Let layers with int8 activations use 8 or 7 bits of them: to judge the loss of one bit.

    Seven bits (codes of -63 to 63) are what the kernels of table lookups take, which pass
    the speed of the int8 instructions (``kernels.TernaryLinear(..., inputs="int7")``).

    Raises
    ------
    ConfigError
        If `bits` is neither 8 nor 7, or no layer has int8 activations.
    """
    if bits not in (8, 7):
        raise ConfigError(f"activation bits: expected 8 or 7, got {bits!r}")
    found = [
        module.activation
        for module in model.modules()
        if isinstance(module, BitLinear)
        and isinstance(module.activation, AbsmaxActivation)
        and module.rule.activation == "int8"
    ]
    if not found:
        raise ConfigError("activation bits: no layer of this model has int8 activations")
    for activation in found:
        activation.bits = bits


def _set(model: Module, attribute: str, value: Any) -> None:
    for module in model.modules():
        if hasattr(module, attribute):
            setattr(module, attribute, value)
