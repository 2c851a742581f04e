"""Weights and tables of the C that computes with integers alone (lesson 10)."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.config.grid import BITLINEAR_EPS, MOST
from tinyternary.deploy import fixed_point
from tinyternary.deploy.c.source import Weights, braces, lines
from tinyternary.deploy.fixed_point import POINT, Stored, pixel_numbers, refuse, to_scale
from tinyternary.deploy.format.header import LayerHeader
from tinyternary.deploy.format.reader import PackedFile


class IntegerWeights(Weights):
    """Weights for the runtime that knows no floats: numbers and factors of `fixed_point`."""

    real, factor, wide = "int32_t", "tt_factor", "int64_t"

    def __init__(self, packed: PackedFile) -> None:
        refuse(packed)
        super().__init__(packed)

    def limit(self, logit: float) -> str:
        """Return the largest number that is not above a logit: others are compared with it."""
        bounded = min(max(logit, -(2.0**20)), 2.0**20)  # beyond what a difference can be
        return str(int(np.floor(bounded * 2**POINT)))

    def temperature(self, value: float) -> str:
        """Return what a logit is divided by, in its own unit."""
        return str(round(value * 2**POINT))

    def constants(self) -> dict[str, str]:
        """Return the numbers that stand in the program itself."""
        scale = fixed_point.key_scale(self.config.head_dim)
        return {"eps": f"({self.factor}){_factor(self.config.norm_eps)}", "key_scale": str(scale)}

    def _pixels(self) -> tuple[NDArray[Any], NDArray[Any]]:
        prepare = self.packed.header.preprocessing
        gain, offset = pixel_numbers(prepare.mean, prepare.std)
        return gain.astype(np.int32), offset.astype(np.int32)

    def _waves(self, waves: NDArray[np.float32]) -> NDArray[Any]:
        return Stored(waves).numbers().astype(np.int32)

    def _scales(self, name: str, scales: NDArray[np.float32], shape: str = "") -> str:
        known = name.replace(".", "_")
        self._define(self.factor, known, [_factor(float(s)) for s in scales.reshape(-1)], shape)
        self.nbytes[known] = 8 * scales.size
        return known

    def _reads(self, header: LayerHeader) -> dict[str, Any]:
        return {"most": 0 if header.is_float else MOST[header.activation]}

    def _floats(self, name: str) -> str:
        stored = Stored(self.packed.tensors[name])
        values = self._array(name, stored.values.astype(np.int16))
        return braces(values=values, exponent=stored.exponent)


def curves() -> dict[str, Any]:
    """Return what the runtime's own source needs: its tables and the eps of BitLinear's norm."""
    tables = {"exp2": fixed_point.EXP2, "gelu": fixed_point.GELU,
              "gelu_tanh": fixed_point.GELU_TANH}  # fmt: skip
    return {
        **{n: textwrap.indent(lines(map(str, t), 4), "    ") for n, t in tables.items()},
        "pieces": fixed_point.CURVE,
        "reach": fixed_point.REACH,
        "bitlinear_eps": _factor(BITLINEAR_EPS)[1:-1],
    }


def _factor(value: float) -> str:
    mantissa, exponent = to_scale(value)
    return f"{{{mantissa}, {exponent}}}"
