"""Multi-head, grouped-query and multi-query attention in one class (lesson 05)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary import autograd
from tinyternary.autograd import Tensor
from tinyternary.autograd.ops.attention import attention_weights
from tinyternary.errors import ConfigError
from tinyternary.nn.linear import Linear
from tinyternary.nn.module import Module


class Attention(Module):
    """Self-attention: softmax(Q K^T / sqrt(Dh)) V, then an output projection.

    Parameters
    ----------
    dim : int
        Token width D.
    heads : int
        Query heads H; the width of a head is Dh = D / H.
    kv_heads : int, optional
        Key/value heads: `heads` (the default) is multi-head, 1 is multi-query
        (Shazeer, arXiv 1911.02150), anything between grouped-query (Ainslie et
        al., arXiv 2305.13245).
    bias : bool
    rng : numpy Generator, optional

    Attributes
    ----------
    qkv : Linear
        (D) to (H + 2 Hkv) Dh: queries, then keys, then values.
    proj : Linear

    Examples
    --------
    >>> attend = tt.nn.Attention(dim=8, heads=2, kv_heads=1)
    >>> attend(tt.Tensor(np.ones((1, 5, 8)))).shape
    (1, 5, 8)
    >>> attend.qkv.weight.shape  # (H + 2 Hkv) Dh = (2 + 2) * 4 rows
    (16, 8)
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        kv_heads: int | None = None,
        bias: bool = True,
        rng: np.random.Generator | None = None,
    ) -> None:
        kv_heads = heads if kv_heads is None else kv_heads
        if heads < 1 or dim % heads:
            raise ConfigError(f"heads: {heads} does not divide the width {dim}")
        if kv_heads < 1 or heads % kv_heads:
            raise ConfigError(f"kv_heads: {kv_heads} does not divide {heads} heads")
        self.dim, self.heads, self.kv_heads = dim, heads, kv_heads
        self.head_dim = dim // heads
        rng = np.random.default_rng(0) if rng is None else rng
        self.qkv = Linear(dim, (heads + 2 * kv_heads) * self.head_dim, bias, rng)
        self.proj = Linear(dim, dim, bias, rng)

    def split_heads(self, qkv: Any) -> tuple[Any, Any, Any]:
        """(B, T, (H + 2 Hkv) Dh) to queries (B, H, T, Dh), keys and values (B, Hkv, T, Dh)."""
        batch, tokens, _ = qkv.shape
        both = self.heads + self.kv_heads
        x = qkv.reshape(batch, tokens, both + self.kv_heads, self.head_dim)
        x = x.transpose(1, 2)  # (B, H + 2 Hkv, T, Dh)
        q, k, v = autograd.split(x, (self.heads, self.kv_heads, self.kv_heads), axis=1)
        return q, k, v

    def forward(self, x: Any, record: dict[str, NDArray[np.float32]] | None = None) -> Tensor:
        """(B, T, D) to (B, T, D).

        Parameters
        ----------
        x : Tensor (B, T, D)
        record : dict, optional
            Receives the attention weights as "attn", (B, H, T, T).
        """
        qkv = self.qkv(x)
        if record is not None:
            q, k, _ = self.split_heads(qkv.detach())
            record["attn"] = attention_weights(q.data, k.data)
        # as split_heads, attention and joining the heads again, less the copies
        return self.proj(autograd.packed_attention(qkv, self.heads, self.kv_heads))

    def describe(self) -> str:
        """Say width and heads for `repr`."""
        return f"{self.dim}, heads={self.heads}, kv_heads={self.kv_heads}"
