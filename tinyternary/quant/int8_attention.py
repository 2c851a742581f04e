"""Attention whose two products are of 8-bit integers, as training sees it (lesson 06)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd import Tensor
from tinyternary.autograd.ops.reductions import normal_axes
from tinyternary.autograd.ops.softmax import Softmax, top
from tinyternary.config.grid import MOST
from tinyternary.nn import Attention
from tinyternary.quant.activations.absmax import FakeAbsmax
from tinyternary.quant.ste import mixed


class RoundedSoftmax(Softmax):
    """Softmax whose exponentials are rounded to 127ths of the largest, which is 1.

    They need no scale then, and their sum is what the products with them are divided by.
    Backward is softmax's own: straight through the rounding, at the weights that were used.
    """

    @staticmethod
    def forward(ctx: Any, x: NDArray[Any], axis: int) -> NDArray[Any]:
        """Weights along an axis; they sum to 1."""
        (axis,) = normal_axes("softmax", axis, x.ndim)
        y: NDArray[Any] = np.rint(np.exp(x - top(x, axis)) * MOST["int8"])
        y /= y.sum(axis, keepdims=True)
        ctx.save(y, axis)
        return y


def _rounded_softmax(scores: Tensor) -> Tensor:
    weights: Tensor = RoundedSoftmax.apply(scores, axis=-1)
    return weights


def _rounded_values(v: Tensor) -> Tensor:
    """Round values (B, Hkv, T, Dh) by one scale for each head."""
    flat: Tensor = FakeAbsmax.apply(v.reshape(*v.shape[:2], v.shape[2] * v.shape[3]))
    return flat.reshape(v.shape)


class Int8Attention(Attention):
    """Attention on the grid of `tinyternary.deploy.int8_attention`, for training.

    Queries and keys are rounded to int8 row by row, the values of a head by one scale, and
    softmax to 127 steps; the gradient passes through all of it as if nothing had been rounded
    (Bengio et al., arXiv 1308.3432).

    Parameters
    ----------
    attention : Attention
        Its layers become this one's: the same Parameters, by the same names.

    Attributes
    ----------
    strength : float
        As of `BitLinear`: 0 attends in floats, 1 in integers, between mixes them.

    Examples
    --------
    >>> attend = tt.quant.Int8Attention(tt.nn.Attention(dim=8, heads=2))
    >>> attend(tt.Tensor(np.ones((1, 5, 8)))).shape
    (1, 5, 8)
    """

    fused = False

    def __init__(self, attention: Attention) -> None:
        self.dim, self.heads, self.kv_heads = attention.dim, attention.heads, attention.kv_heads
        self.head_dim, self.causal = attention.head_dim, attention.causal
        self.qkv, self.proj = attention.qkv, attention.proj
        self.strength = 1.0

    def split_heads(self, qkv: Any) -> tuple[Any, Any, Any]:
        """Split into queries, keys and values, each on its grid: shapes as in `Attention`."""
        q, k, v = super().split_heads(qkv)
        rules = (FakeAbsmax.apply, FakeAbsmax.apply, _rounded_values)
        rounded = [mixed(part, rule, self.strength) for part, rule in zip((q, k, v), rules)]
        return rounded[0], rounded[1], rounded[2]

    def softmax(self, scores: Tensor) -> Tensor:
        """Weights (..., T) along the last axis, of 127 steps."""
        if self.strength == 1.0:
            return _rounded_softmax(scores)
        return mixed(super().softmax(scores), lambda _: _rounded_softmax(scores), self.strength)

    def forward(self, x: Any, record: dict[str, Any] | None = None) -> Tensor:
        """(B, T, D) to (B, T, D); `record` as in `Attention`, with the weights that are used."""
        out = super().forward(x, record)
        if record is not None:
            record["attn"] = record["weights"].data
        return out

    def describe(self) -> str:
        """Say width and heads for `repr`, and that products are of integers."""
        return f"{super().describe()}, int8"
