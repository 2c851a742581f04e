"""The layers that any network is made of (lesson 03)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary import autograd
from tinyternary.autograd import Tensor
from tinyternary.errors import ConfigError, unknown_name
from tinyternary.nn.module import Module, Parameter


def truncated_normal(
    shape: tuple[int, ...], std: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw from a normal distribution, again wherever a value is beyond two deviations."""
    values = rng.standard_normal(shape, np.float32)
    while True:
        outside = np.abs(values) > 2
        count = int(outside.sum())
        if count == 0:
            return values * np.float32(std)
        values[outside] = rng.standard_normal(count, np.float32)


def xavier_uniform(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Uniform in +-sqrt(6 / (inputs + outputs)). Glorot and Bengio, AISTATS 2010, eq. 16."""
    bound = np.sqrt(6.0 / (shape[0] + shape[1]))
    return rng.uniform(-bound, bound, shape).astype(np.float32)


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


class GELU(Module):
    """x Phi(x), exact or ``approximate="tanh"``.

    Source: Hendrycks and Gimpel, arXiv 1606.08415.

    Examples
    --------
    >>> tt.nn.GELU()(tt.Tensor([-1.0, 0.0, 1.0])).data.round(3)
    array([-0.159,  0.   ,  0.841], dtype=float32)
    """

    def __init__(self, approximate: str = "none") -> None:
        if approximate not in ("none", "tanh"):
            raise unknown_name("GELU approximation", approximate, ("none", "tanh"))
        self.approximate = approximate

    def forward(self, x: Any) -> Tensor:
        """Any shape, which stays."""
        return autograd.gelu(x, self.approximate)

    def describe(self) -> str:
        """Say the approximation for `repr`."""
        return f"approximate={self.approximate!r}"


class Sequential(Module):
    """Modules one after the other; ``layers.0.weight`` is a parameter of the first.

    Parameters
    ----------
    *layers : Module
        Each takes what the one before gives.

    Examples
    --------
    >>> head = tt.nn.Sequential(tt.nn.Linear(8, 16), tt.nn.GELU(), tt.nn.Linear(16, 3))
    >>> head(tt.Tensor(np.ones((2, 8)))).shape
    (2, 3)
    """

    def __init__(self, *layers: Module) -> None:
        for number, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise ConfigError(
                    f"layers: number {number} is a {type(layer).__name__}, expected a Module"
                )
        self.layers = list(layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, number: int) -> Module:
        return self.layers[number]

    def forward(self, x: Any) -> Any:
        """Give the last layer's result."""
        for layer in self.layers:
            x = layer(x)
        return x


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
