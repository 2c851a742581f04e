"""Storage: too few pixels, too strong a compression."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Bytes = NDArray[np.uint8]


def pixelate(x: Bytes, amount: float, rng: np.random.Generator) -> Bytes:
    """Take means over a grid of `amount` of the pixels a side (rounded down), and enlarge them."""
    height, width = x.shape[:2]
    size = (int(width * amount), int(height * amount))
    coarse = Image.fromarray(x).resize(size, Image.Resampling.BOX)
    return np.asarray(coarse.resize((width, height), Image.Resampling.BOX))


def jpeg_compression(x: Bytes, amount: int, rng: np.random.Generator) -> Bytes:
    """Store as JPEG of quality `amount` and read back."""
    file = io.BytesIO()
    Image.fromarray(x).save(file, "JPEG", quality=amount)
    return np.asarray(Image.open(file))
