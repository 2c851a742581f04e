"""Attention whose two products are of 8-bit integers, as training sees it (lesson 06)."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary import autograd
from tinyternary.autograd import Function, Tensor
from tinyternary.autograd.ops.reductions import normal_axes
from tinyternary.autograd.ops.softmax import Softmax, top
from tinyternary.compiled.twins import with_twin
from tinyternary.config.grid import MOST
from tinyternary.nn import Attention
from tinyternary.quant.activations.absmax import FakeAbsmax
from tinyternary.quant.quantized import Floats
from tinyternary.quant.ste import mixed

STEPS = MOST["int8"]
"""To how many steps of the largest a row's exponentials are rounded."""


@with_twin("FakeAbsmax")
def _rounded_rows(x: Floats) -> Floats:
    return FakeAbsmax.forward(None, x)


class RoundHeads(Function):
    """Queries and keys to int8 row by row, a head's values by one scale; the gradient passes."""

    @staticmethod
    def forward(ctx: Any, qkv: Floats, heads: int, kv_heads: int) -> Floats:
        """Round (B, T, (H + 2 Hkv) Dh): H queries, then Hkv keys, then Hkv values."""
        (batch, tokens, width), scored = qkv.shape, heads + kv_heads
        x = qkv.reshape(batch, tokens, scored + kv_heads, width // (scored + kv_heads))
        out = np.empty_like(x)
        out[:, :, :scored] = _rounded_rows(np.ascontiguousarray(x[:, :, :scored]))
        values = np.ascontiguousarray(x[:, :, scored:].swapaxes(1, 2))  # (B, Hkv, T, Dh)
        flat = values.reshape(batch, kv_heads, tokens * values.shape[3])
        out[:, :, scored:] = _rounded_rows(flat).reshape(values.shape).swapaxes(1, 2)
        return out.reshape(qkv.shape)

    @staticmethod
    def backward(ctx: Any, grad: Floats) -> Floats:
        """As if nothing had been rounded."""
        return grad


class RoundedSoftmax(Softmax):
    """Softmax whose exponentials are rounded to 127ths of the largest, which is 1.

    They need no scale then, and their sum is what the products with them are divided by.
    Backward is softmax's own: straight through the rounding, at the weights that were used.
    `tinyternary.autograd.packed_attention` does the same where nobody asks for the weights.
    """

    @staticmethod
    def forward(ctx: Any, x: NDArray[Any], axis: int) -> NDArray[Any]:
        """Weights along an axis; they sum to 1."""
        (axis,) = normal_axes("softmax", axis, x.ndim)
        y: NDArray[Any] = np.rint(np.exp(x - top(x, axis)) * STEPS)
        y /= y.sum(axis, keepdims=True)
        ctx.save(y, axis)
        return y


def _rounded_softmax(scores: Tensor) -> Tensor:
    weights: Tensor = RoundedSoftmax.apply(scores, axis=-1)
    return weights


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

    def __init__(self, attention: Attention) -> None:
        self.dim, self.heads, self.kv_heads = attention.dim, attention.heads, attention.kv_heads
        self.head_dim, self.causal = attention.head_dim, attention.causal
        self.qkv, self.proj = attention.qkv, attention.proj
        self.strength = 1.0

    def _rounded(self, qkv: Tensor) -> Tensor:
        rule = partial(RoundHeads.apply, heads=self.heads, kv_heads=self.kv_heads)
        return mixed(qkv, rule, self.strength)

    def split_heads(self, qkv: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Split into queries, keys and values, each on its grid: shapes as in `Attention`."""
        q, k, v = super().split_heads(self._rounded(qkv))
        return q, k, v

    def softmax(self, scores: Tensor) -> Tensor:
        """Weights (..., T) along the last axis, of 127 steps."""
        if self.strength == 1.0:
            return _rounded_softmax(scores)
        return mixed(super().softmax(scores), lambda _: _rounded_softmax(scores), self.strength)

    def attend(self, qkv: Tensor) -> Tensor:
        """(B, T, (H + 2 Hkv) Dh) to (B, T, D) as one operation where all or nothing is rounded."""
        if 0.0 < self.strength < 1.0:
            return self.attend_by_steps(qkv)
        steps = STEPS if self.strength else 0
        qkv = self._rounded(qkv)
        return autograd.packed_attention(qkv, self.heads, self.kv_heads, self.causal, steps)

    def forward(self, x: Any, record: dict[str, Any] | None = None) -> Tensor:
        """(B, T, D) to (B, T, D); `record` as in `Attention`, with the weights that are used."""
        if record is None:
            return super().forward(x)
        out: Tensor = self.proj(self.attend_by_steps(self.qkv(x), record))
        record["attn"] = record["weights"].data
        return out

    def describe(self) -> str:
        """Say width and heads for `repr`, and that products are of integers."""
        return f"{super().describe()}, int8"
