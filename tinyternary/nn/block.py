"""The encoder block (lesson 05)."""

from __future__ import annotations

from typing import Any

from tinyternary.autograd import Tensor
from tinyternary.nn.attention import Attention
from tinyternary.nn.dropout import Dropout, DropPath
from tinyternary.nn.mlp import Mlp
from tinyternary.nn.module import Module


class EncoderBlock(Module):
    """x + drop(attn(norm1(x))), then x + drop(mlp(norm2(x))).

    Source: Dosovitskiy et al., arXiv 2010.11929, eqs. 2 and 3.

    Parameters
    ----------
    norm1 : Module or None
        None feeds the attention the residual stream itself.
    attn : Attention
    norm2 : Module or None
        None feeds the MLP the residual stream itself, as BitMedViT does.
    mlp : Mlp
    dropout, drop_path : float
        Probabilities on each branch; DropPath drops the branch of a whole image.

    Examples
    --------
    >>> block = tt.nn.EncoderBlock(
    ...     tt.nn.LayerNorm(8), tt.nn.Attention(8, heads=2), tt.nn.LayerNorm(8), tt.nn.Mlp(8, 32)
    ... )
    >>> block(tt.Tensor(np.ones((1, 5, 8)))).shape
    (1, 5, 8)
    """

    def __init__(
        self,
        norm1: Module | None,
        attn: Attention,
        norm2: Module | None,
        mlp: Mlp,
        dropout: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        if norm1 is not None:
            self.norm1 = norm1
        self.has_norm1 = norm1 is not None
        self.attn = attn
        if norm2 is not None:
            self.norm2 = norm2
        self.has_norm2 = norm2 is not None
        self.mlp = mlp
        self.dropout = Dropout(dropout)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Any, record: dict[str, Any] | None = None) -> Tensor:
        """(B, T, D) to (B, T, D); `record` receives "attn", (B, H, T, T)."""
        branch = self.attn(self.norm1(x) if self.has_norm1 else x, record)
        x = x + self.drop_path(self.dropout(branch))
        branch = self.mlp(self.norm2(x) if self.has_norm2 else x)
        return x + self.drop_path(self.dropout(branch))
