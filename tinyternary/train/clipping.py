"""A limit on the joint norm of all gradients (lesson 03)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tinyternary.autograd import Tensor
from tinyternary.errors import ConfigError


def gradient_norm(parameters: Iterable[Tensor]) -> float:
    """Euclidean norm of all gradients taken as one vector."""
    total = 0.0
    for parameter in parameters:
        if parameter.grad is not None:
            flat = parameter.grad.reshape(-1)
            total += float(np.dot(flat, flat))
    return float(np.sqrt(total))


def clip_gradients(parameters: Iterable[Tensor], limit: float) -> float:
    """Scale all gradients together so that their joint norm is at most `limit`.

    Returns
    -------
    float
        The norm before clipping.

    Raises
    ------
    ConfigError
        If `limit` is not positive.
    """
    if limit <= 0:
        raise ConfigError(f"clip norm: expected a positive number, got {limit}")
    kept = list(parameters)
    norm = gradient_norm(kept)
    if norm > limit:  # NaN compares false: left for the loop's own check
        factor = np.float32(limit / (norm + 1e-6))
        for parameter in kept:
            if parameter.grad is not None:
                parameter.grad *= factor
    return norm
