"""The feed-forward network of an encoder block (lesson 05)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinyternary.autograd import Tensor
from tinyternary.errors import unknown_name
from tinyternary.nn.linear import Linear
from tinyternary.nn.module import Module

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": lambda x: x.gelu(),
    "gelu_tanh": lambda x: x.gelu("tanh"),
    "relu_squared": lambda x: x.relu_squared(),
    "relu": lambda x: x.relu(),
}


class Mlp(Module):
    """Two linear layers with an activation between them, applied to each token.

    Parameters
    ----------
    dim, hidden : int
        Width D and hidden width.
    activation : {"gelu", "gelu_tanh", "relu_squared", "relu"}
    bias : bool
    rng : numpy Generator, optional

    Examples
    --------
    >>> tt.nn.Mlp(dim=8, hidden=32)(tt.Tensor(np.ones((1, 5, 8)))).shape
    (1, 5, 8)
    """

    def __init__(
        self,
        dim: int,
        hidden: int,
        activation: str = "gelu",
        bias: bool = True,
        rng: np.random.Generator | None = None,
    ) -> None:
        if activation not in ACTIVATIONS:
            raise unknown_name("activation", activation, ACTIVATIONS)
        rng = np.random.default_rng(0) if rng is None else rng
        self.activation = activation
        self.fc1 = Linear(dim, hidden, bias, rng)
        self.fc2 = Linear(hidden, dim, bias, rng)

    def forward(self, x: Any) -> Tensor:
        """(..., D) to (..., D)."""
        return self.fc2(ACTIVATIONS[self.activation](self.fc1(x)))

    def describe(self) -> str:
        """Say the activation for `repr`."""
        return self.activation
