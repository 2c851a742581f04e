"""First values of weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
