"""LayerNorm and RMSNorm with learned scales (lessons 03 and 06)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyternary import autograd
from tinyternary.autograd import Tensor
from tinyternary.nn.module import Module, Parameter


class LayerNorm(Module):
    """(x - mean) / sqrt(var + eps) * weight + bias, over the last axis.

    Parameters
    ----------
    dim : int
        Width D of the last axis.
    eps : float

    Examples
    --------
    >>> tt.nn.LayerNorm(2)(tt.Tensor([[1.0, 3.0]])).data.round(3)
    array([[-1.,  1.]], dtype=float32)
    """

    def __init__(self, dim: int, eps: float = 1e-6) -> None:
        self.dim, self.eps = dim, eps
        self.weight = Parameter(np.ones(dim, np.float32))
        self.bias = Parameter(np.zeros(dim, np.float32))

    def forward(self, x: Any) -> Tensor:
        """(..., D) to (..., D)."""
        return autograd.layer_norm(x, self.weight, self.bias, self.eps)

    def describe(self) -> str:
        """Say width and epsilon for `repr`."""
        return f"{self.dim}, eps={self.eps}"


class RMSNorm(Module):
    """x / sqrt(mean(x^2) + eps), times a learned weight if `affine`.

    Parameters
    ----------
    dim : int
        Width D of the last axis.
    eps : float
    affine : bool

    Examples
    --------
    >>> tt.nn.RMSNorm(2)(tt.Tensor([[3.0, 3.0]])).data.round(3)
    array([[1., 1.]], dtype=float32)
    """

    def __init__(self, dim: int, eps: float = 1e-5, affine: bool = True) -> None:
        self.dim, self.eps = dim, eps
        self.weight = Parameter(np.ones(dim, np.float32)) if affine else None

    def forward(self, x: Any) -> Tensor:
        """(..., D) to (..., D)."""
        return autograd.rms_norm(x, self.weight, self.eps)

    def describe(self) -> str:
        """Say width and epsilon for `repr`."""
        return f"{self.dim}, eps={self.eps}, affine={self.weight is not None}"
