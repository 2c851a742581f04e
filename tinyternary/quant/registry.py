"""Every quantiser by name, each with the line that says what it does (lesson 06)."""

from __future__ import annotations

from tinyternary.config import LayerQuant
from tinyternary.errors import unknown_name
from tinyternary.quant.activations import absmax, trits
from tinyternary.quant.activations.absmax import AbsmaxActivation
from tinyternary.quant.activations.trits import TernaryActivation
from tinyternary.quant.quantized import Floats
from tinyternary.quant.rules import absmean, band, integers, seq, ttq, twn
from tinyternary.quant.rules._weights import WeightQuantizer
from tinyternary.quant.ste import STRAIGHT_THROUGH

WEIGHTS = {
    **absmean.RULES, **twn.RULES, **ttq.RULES, **seq.RULES, **band.RULES, **integers.RULES
}  # fmt: skip
"""Weight quantisers."""

ACTIVATIONS = {**absmax.KINDS, **trits.KINDS, "none": "the input stays float"}
"""Activation quantisers."""


def weight_quantizer(rule: LayerQuant, weights: Floats) -> WeightQuantizer:
    """Build the quantiser of a layer's weights.

    Parameters
    ----------
    rule : LayerQuant
    weights : (N, K) float
        The layer's weights, from which learned numbers start.

    Raises
    ------
    ConfigError
        If `rule.weight` is no name of the registry, or the groups do not divide K.
    """
    if rule.weight not in WEIGHTS:
        raise unknown_name("weight quantiser", rule.weight, WEIGHTS)
    return WEIGHTS[rule.weight].build(rule, weights)


def activation_quantizer(rule: LayerQuant) -> AbsmaxActivation | TernaryActivation | None:
    """Build the quantiser of a layer's input; None where it stays float."""
    if rule.activation == "none":
        return None
    return (AbsmaxActivation if rule.activation in absmax.KINDS else TernaryActivation)(rule)


def quantizers() -> dict[str, dict[str, str]]:
    """List every name with its line, by kind: "weight", "activation", "ste".

    Returns
    -------
    dict
        ``quantizers()["weight"]["twn"]`` is what that rule does.
    """
    return {
        "weight": {name: entry.doc for name, entry in WEIGHTS.items()},
        "activation": dict(ACTIVATIONS),
        "ste": {name: rule.doc for name, rule in STRAIGHT_THROUGH.items()},
    }
