"""absmax: activations to int8, 7 or 4 bits, row by row (lesson 06).

A row is one token: whatever else is in the batch, its codes stay the same. The rule itself is
`tinyternary.kernels.reference.quantize`, since the engine computes it too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.autograd import Function, Tensor
from tinyternary.autograd.ops.normalization import RMSNorm
from tinyternary.config import LayerQuant
from tinyternary.config.grid import MOST
from tinyternary.errors import ConfigError
from tinyternary.kernels import reference
from tinyternary.nn import Module
from tinyternary.quant.quantized import Floats, finite

KINDS = {
    "int8": "absmax per token: scale = max |x| / 127",
    "int4": "absmax per token: scale = max |x| / 7",
}


def absmax(x: ArrayLike, bits: int = 8) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Quantise each row to 8, 7 or 4 bits by its largest magnitude.

    scale = max(max |x|, 1e-5) / (2^(bits-1) - 1), q = clip(round_half_even(x / scale)).

    Parameters
    ----------
    x : (..., K) float
    bits : {8, 7, 4}
        7 is what the kernels of table lookups take: codes of -63 to 63.

    Returns
    -------
    codes : (..., K) int8
        -127 to 127 (-128 is in range but rounding never reaches it).
    scale : (..., 1) float32
        ``codes * scale`` is about `x`.

    Raises
    ------
    ConfigError
        If `bits` is not 8, 7 or 4.
    NonFiniteError
        If an entry is NaN or infinite.

    Notes
    -----
    BitNet, arXiv 2310.11453, equations 4 and 5 with Q_b = 127.

    Examples
    --------
    >>> values, scale = tt.quant.absmax([[0.5, -1.0, 0.25]])
    >>> values
    array([[  64, -127,   32]], dtype=int8)
    """
    if bits not in (8, 7, 4):
        raise ConfigError(f"bits: expected 8, 7 or 4, got {bits!r}")
    codes, scale = reference.quantize(finite(x, "activations"), MOST[f"int{bits}"])
    return codes, scale[..., None].astype(np.float32, copy=False)


class FakeAbsmax(Function):
    """Rows to 8, 7 or 4 bits times their scale; absmax clips nothing, so the gradient passes.

    A NaN makes its row NaN, so that the loss shows it; checking would cost a pass over
    every activation.
    """

    @staticmethod
    def forward(ctx: Any, x: Floats, *, bits: int = 8) -> Floats:
        codes, scale = reference.quantize(x, MOST[f"int{bits}"])
        return codes * scale[..., None]

    @staticmethod
    def backward(ctx: Any, grad: Floats) -> Floats:
        return grad


class NormAbsmax(RMSNorm):
    """RMSNorm, its rows rounded to int8 where they lie: what a BitLinear does to its input.

    The same numbers as `FakeAbsmax` of `rms_norm`, without keeping the rows between.
    Backward is RMSNorm's own: straight through the rounding.
    """

    @staticmethod
    def forward(ctx: Any, x: Floats, weight: Floats | None, eps: float) -> Floats:
        return FakeAbsmax.forward(ctx, RMSNorm.forward(ctx, x, weight, eps))


class AbsmaxActivation(Module):
    """A layer's input in training, rounded to the grid of `bits` bits: nothing to learn."""

    def __init__(self, rule: LayerQuant) -> None:
        super().__init__()
        self.bits = int(rule.activation.removeprefix("int"))

    def quantize(self, x: Floats) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """Return codes (..., K) int8 and scales (..., 1) float32, as the engine computes them."""
        return absmax(x, self.bits)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = FakeAbsmax.apply(x, bits=self.bits)
        return result
