"""Ternary weights and small activations: rules, straight-through estimators, BitLinear.

Plain NumPy quantisers (`absmean`, `twn`, ...) come first; lesson 01 builds them.
"""

from tinyternary.quant.quantised import Quantised, QuantisedInt
from tinyternary.quant.weights import absmean, twn

__all__ = ["Quantised", "QuantisedInt", "absmean", "twn"]
