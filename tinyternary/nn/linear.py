"""The linear layer (lesson 03)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyternary import autograd
from tinyternary.autograd import Tensor
from tinyternary.errors import ConfigError
from tinyternary.nn.init import truncated_normal
from tinyternary.nn.module import Module, Parameter


class Linear(Module):
    """y = x W^T + b.

    Parameters
    ----------
    in_features, out_features : int
        K and N; the weight is (N, K).
    bias : bool
    rng : numpy Generator, optional
        Draws the weight: truncated normal, deviation 0.02, as ViTs have it. A
        generator of seed 0 by default. The bias starts at 0.

    Examples
    --------
    >>> tt.nn.Linear(8, 3)(tt.Tensor(np.ones((2, 5, 8)))).shape
    (2, 5, 3)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        rng: np.random.Generator | None = None,
    ) -> None:
        for name, value in (("in_features", in_features), ("out_features", out_features)):
            if value < 1:
                raise ConfigError(f"{name}: expected a positive integer, got {value}")
        self.in_features = in_features
        self.out_features = out_features
        rng = np.random.default_rng(0) if rng is None else rng
        self.weight = Parameter(truncated_normal((out_features, in_features), 0.02, rng))
        self.bias = Parameter(np.zeros(out_features, np.float32)) if bias else None

    def forward(self, x: Any) -> Tensor:
        """(..., K) to (..., N)."""
        return autograd.linear(x, self.weight, self.bias)

    def describe(self) -> str:
        """Say inputs and outputs for `repr`."""
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"
