"""Dropout and DropPath: at work in training only (lesson 03)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyternary import autograd
from tinyternary.autograd import Tensor
from tinyternary.errors import ConfigError
from tinyternary.nn.module import Module


class _Random(Module):
    def __init__(self, p: float) -> None:
        if not 0.0 <= p < 1.0:
            raise ConfigError(f"p: expected a probability in [0, 1), got {p}")
        self.p = p

    def generator(self) -> np.random.Generator:
        """Return the generator given by `set_rng`, else one of seed 0 of its own."""
        if self.rng is None:
            self.rng = np.random.default_rng(0)
        return self.rng

    def describe(self) -> str:
        """Say the probability for `repr`."""
        return f"p={self.p}"


class Dropout(_Random):
    """Set entries to 0 with probability p and scale the rest by 1 / (1 - p).

    Source: Srivastava et al., JMLR 15, 2014.

    Examples
    --------
    >>> layer = tt.nn.Dropout(0.5)
    >>> layer.eval()(tt.Tensor([1.0, 2.0])).data  # nothing is dropped outside training
    array([1., 2.], dtype=float32)
    """

    def forward(self, x: Any) -> Tensor:
        """Any shape; outside training the input itself."""
        if not self.training or self.p == 0.0:
            return x if isinstance(x, Tensor) else Tensor(x)
        return autograd.dropout(x, self.p, self.generator())


class DropPath(_Random):
    """Drop a whole residual branch, image by image, with probability p.

    Source: Huang et al., "Deep Networks with Stochastic Depth", ECCV 2016.

    Examples
    --------
    >>> layer = tt.nn.DropPath(0.5).train()
    >>> branch = layer(tt.Tensor(np.ones((4, 2, 3))))  # (B, T, D): whole images are 0 or 2
    >>> bool((branch.data.min((1, 2)) == branch.data.max((1, 2))).all())
    True
    """

    def forward(self, x: Any) -> Tensor:
        """(B, ...): each of the B rows is dropped or scaled by 1 / (1 - p)."""
        x = x if isinstance(x, Tensor) else Tensor(x)
        if not self.training or self.p == 0.0:
            return x
        kept = self.generator().random(x.shape[0], np.float32) >= np.float32(self.p)
        mask = (kept / np.float32(1.0 - self.p)).astype(x.dtype)
        return x * mask.reshape(-1, *([1] * (x.ndim - 1)))
