"""Random numbers with the same bits on every machine and in every NumPy release.

NumPy promises the raw stream of a bit generator for ever, but not the
distributions of `Generator`, and vectorised ``sin``, ``exp`` and ``log`` differ
between processors in the last bit. So only raw bits, the four operations and
square roots are used here: these are exact by IEEE 754.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


class PortableDraws:
    """A stream of random numbers that is set by a few non-negative integers."""

    def __init__(self, *entropy: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(entropy))

    def uniform(self, *shape: int) -> F32:
        """Return float32 in [0, 1), multiples of 2^-24."""
        count = int(np.prod(shape, dtype=np.int64))
        raw = self._bits.random_raw(count)
        return (raw >> np.uint64(40)).astype(np.float32).reshape(shape) * np.float32(2.0**-24)

    def between(self, low: F32 | float, high: F32 | float, *shape: int) -> F32:
        """Return float32 in [low, high)."""
        low32, high32 = np.asarray(low, np.float32), np.asarray(high, np.float32)
        return low32 + (high32 - low32) * self.uniform(*shape)

    def bell(self, *shape: int) -> F32:
        """Return a sum of four random bytes, shifted and scaled to mean 0 and deviation 1."""
        count = int(np.prod(shape, dtype=np.int64))
        raw = self._bits.random_raw((count + 1) // 2)
        octets = raw.astype("<u8").view(np.uint8).reshape(-1, 4)[:count]
        total = octets[:, 0].astype(np.int16)
        for column in (1, 2, 3):
            total += octets[:, column]
        # a byte has mean 127.5 and variance (256^2 - 1) / 12: four have deviation 147.8
        scale = np.float32(1 / 147.8)
        return ((total.astype(np.float32) - np.float32(510)) * scale).reshape(shape)

    def direction(self, *shape: int) -> tuple[F32, F32]:
        """Return unit vectors (x, y) in all directions, without a sine."""
        x, y = unit_vector(self.between(-1, 1, *shape))
        sign = np.where(self.uniform(*shape) < 0.5, np.float32(-1), np.float32(1))
        return x * sign, y * sign


def unit_vector(t: F32 | float) -> tuple[F32, F32]:
    """Return cos and sin of the angle whose half has tangent `t`, by rational arithmetic."""
    t32 = np.asarray(t, np.float32)
    square = t32 * t32
    scale = np.float32(1) / (np.float32(1) + square)
    return (np.float32(1) - square) * scale, (t32 + t32) * scale
