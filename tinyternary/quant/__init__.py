"""Ternary weights and small activations: rules, straight-through estimators, BitLinear.

Plain NumPy quantisers (`absmean`, `twn`, ...) come first; lesson 01 builds them.
`ternarize` puts them into a model as `BitLinear` layers (lesson 06).
"""

from __future__ import annotations

from tinyternary.quant.activations import absmax, ternary
from tinyternary.quant.bitlinear import BitLinear, set_activation_bits, set_sharpness, set_strength
from tinyternary.quant.describing import Description, describe
from tinyternary.quant.integers import integer
from tinyternary.quant.layer_sensitivity import Sensitivity, sensitivity
from tinyternary.quant.microscope import Microscope
from tinyternary.quant.norms import TernaryNorm
from tinyternary.quant.quantised import Quantised, QuantisedInt
from tinyternary.quant.registry import quantisers, weight_quantiser
from tinyternary.quant.searching import Proposal, search_policy
from tinyternary.quant.straight_through import STRAIGHT_THROUGH
from tinyternary.quant.ternarising import ternarize
from tinyternary.quant.weights import absmean, band, seq, ttq, twn
from tinyternary.spec import POLICIES, LayerQuant

__all__ = [
    "POLICIES",
    "STRAIGHT_THROUGH",
    "BitLinear",
    "Description",
    "LayerQuant",
    "Microscope",
    "Proposal",
    "Quantised",
    "QuantisedInt",
    "Sensitivity",
    "TernaryNorm",
    "absmax",
    "absmean",
    "band",
    "describe",
    "integer",
    "quantisers",
    "search_policy",
    "sensitivity",
    "seq",
    "set_activation_bits",
    "set_sharpness",
    "set_strength",
    "ternarize",
    "ternary",
    "ttq",
    "twn",
    "weight_quantiser",
]
