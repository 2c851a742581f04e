"""Weights to int8 and int4, for layers that lose too much as trits (lesson 06)."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from tinyternary.config import LayerQuant
from tinyternary.config.grid import FLOOR, MOST
from tinyternary.errors import ConfigError
from tinyternary.quant.quantized import (
    Floats,
    Granularity,
    QuantizedInt,
    as_scale,
    finite,
    grouped,
)
from tinyternary.quant.rules._weights import Entry, WeightQuantizer


def integer(
    weights: ArrayLike, granularity: Granularity = "channel", *, bits: int = 8
) -> QuantizedInt:
    """Quantise symmetrically to int8 or int4: scale = max |W| / (2^(bits-1) - 1).

    Parameters
    ----------
    weights : (N, K) float
    granularity : {"tensor", "channel"} or int
    bits : {8, 4}

    Returns
    -------
    QuantizedInt

    Raises
    ------
    ConfigError
        If `bits` is neither 8 nor 4.
    """
    if bits not in (8, 4):
        raise ConfigError(f"bits: expected 8 or 4, got {bits!r}")
    w = grouped(finite(weights), granularity)
    most = MOST[f"int{bits}"]
    largest = np.abs(w).max(axis=-1, keepdims=True, initial=0)
    scale = np.maximum(largest, FLOOR) / w.dtype.type(most)
    values = np.clip(np.rint(w / scale), -most, most).astype(np.int8)
    return QuantizedInt(values.reshape(np.shape(weights)), as_scale(scale, granularity), bits)


class Integer(WeightQuantizer):
    """Integers in training: nothing to learn."""

    def __init__(self, rule: LayerQuant, weights: Floats, bits: int) -> None:
        super().__init__(rule, weights)
        self.bits = bits
        self.ste = "identity"  # absmax clips nothing, so the gradient passes, whatever the rule

    def quantize(self, weights: Floats) -> QuantizedInt:
        return integer(weights, self.rule.granularity, bits=self.bits)


RULES = {
    "int8": Entry("symmetric int8, scale = max |W| / 127", partial(Integer, bits=8), 8.0),
    "int4": Entry("symmetric int4, scale = max |W| / 7", partial(Integer, bits=4), 4.0),
}
