"""Noise: what a sensor adds. Each channel has its own, on [0, 1]; fractions of a byte are dropped.

A grey image is three equal channels while noise is added, and their weighted mean afterwards:
its noise is weaker than that of one channel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def gaussian_noise(x: Bytes, amount: float, rng: np.random.Generator) -> Bytes:
    """Add a normal deviate: x + amount n."""
    return _bytes(x / 255 + rng.normal(scale=amount, size=x.shape))


def speckle_noise(x: Bytes, amount: float, rng: np.random.Generator) -> Bytes:
    """Multiply by it, as ultrasound does: x + amount n x."""
    plain = x / 255
    return _bytes(plain + plain * rng.normal(scale=amount, size=x.shape))


def shot_noise(x: Bytes, amount: float, rng: np.random.Generator) -> Bytes:
    """Count photons, `amount` at full brightness: Poisson(amount x) / amount."""
    return _bytes(rng.poisson(x / 255 * amount) / amount)


def impulse_noise(x: Bytes, amount: float, rng: np.random.Generator) -> Bytes:
    """Replace a share `amount` of the values by 0 or 1, either as likely (salt and pepper)."""
    hit, salt = rng.random(x.shape) <= amount, rng.random(x.shape) <= 0.5
    return _bytes(np.where(hit, salt, x / 255))


def _bytes(values: NDArray[Any]) -> Bytes:
    return np.asarray(np.clip(values, 0, 1) * 255, np.uint8)
