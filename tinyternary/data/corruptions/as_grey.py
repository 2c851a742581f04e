"""Brightness of a coloured image as television (ITU-R BT.601) and Pillow weigh it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def as_grey(x: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return 0.299 red + 0.587 green + 0.114 blue, rounded, of (..., 3) uint8 as (...)."""
    weights = np.array([19595, 38470, 7471])  # of 2^16
    return np.asarray((x @ weights + 2**15) >> 16, np.uint8)
