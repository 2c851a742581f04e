"""Every quantiser by name, each with the line that says what it does (lesson 06)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tinyternary.config import LayerQuant
from tinyternary.errors import unknown_name
from tinyternary.quant.quantized import Floats
from tinyternary.quant.rules.modules import (
    Band,
    Integer,
    Stretched,
    TwoScales,
    WeightQuantizer,
    make_statistic,
)
from tinyternary.quant.ste import STRAIGHT_THROUGH


@dataclass(frozen=True)
class Entry:
    """A weight quantiser of the registry.

    Attributes
    ----------
    doc : str
        One line.
    build : callable
        (rule, weights) to a `WeightQuantizer`.
    bits : float
        Information bits per weight, before the scales: 2 for trits as stored.
    """

    doc: str
    build: Callable[[LayerQuant, Floats], WeightQuantizer]
    bits: float = 2.0


def _band(learn_alpha: bool, beta: str) -> Callable[[LayerQuant, Floats], WeightQuantizer]:
    return partial(Band, learn_alpha=learn_alpha, beta=beta)


WEIGHTS: dict[str, Entry] = {
    "absmean": Entry("alpha = mean |W|, beta = alpha / 2 (BitNet b1.58)", make_statistic),
    "twn": Entry("beta = 0.7 mean |W|, alpha = mean of |W| beyond it (TWN)", make_statistic),
    "ttq": Entry("beta = 0.05 max |W|, learned scales for +1 and -1 (TTQ)", TwoScales),
    "seq": Entry("learned alpha, three equal parts of +-alpha (LSQ, ParetoQ SEQ)", Stretched),
    "statistic-fixed": Entry("alpha = mean beyond beta, beta fixed", _band(False, "fixed")),
    "statistic-dynamic": Entry("the same rule as twn", _band(False, "dynamic")),
    "statistic-learned": Entry("alpha = mean beyond beta, beta learned", _band(False, "learned")),
    "learned-fixed": Entry("alpha learned, beta fixed", _band(True, "fixed")),
    "learned-dynamic": Entry("alpha learned, beta = 0.7 mean |W|", _band(True, "dynamic")),
    "learned-learned": Entry("alpha and beta learned", _band(True, "learned")),
    "int8": Entry("symmetric int8, scale = max |W| / 127", partial(Integer, bits=8), 8.0),
    "int4": Entry("symmetric int4, scale = max |W| / 7", partial(Integer, bits=4), 4.0),
}  # fmt: skip
"""Weight quantisers; the two-word names are source of alpha - source of beta."""

ACTIVATIONS: dict[str, str] = {
    "int8": "absmax per token: scale = max |x| / 127",
    "int4": "absmax per token: scale = max |x| / 7",
    "ternary": "trits per token: threshold 0.767 mean |x|, level 1.534 mean |x|",
    "ternary-learned": "trits per token: threshold and level learned, in units of mean |x|",
    "ternary-tensor": "trits, one fixed threshold and level for all tokens",
    "ternary-tensor-learned": "trits, one learned threshold and level for all tokens",
    "none": "the input stays float",
}
"""Activation quantisers."""


def weight_quantizer(rule: LayerQuant, weights: Floats) -> WeightQuantizer:
    """Build the quantiser of a layer.

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


def quantizers() -> dict[str, dict[str, str]]:
    """List every name with its line, by kind: "weight", "activation", "ste".

    Returns
    -------
    dict
        ``quantisers()["weight"]["twn"]`` is what that rule does.
    """
    return {
        "weight": {name: entry.doc for name, entry in WEIGHTS.items()},
        "activation": dict(ACTIVATIONS),
        "ste": {name: rule.doc for name, rule in STRAIGHT_THROUGH.items()},
    }
