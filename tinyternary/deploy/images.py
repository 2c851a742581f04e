"""Images of any size and colour into the bytes that a network expects (lesson 10)."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import Preprocessing, recolor
from tinyternary.errors import ShapeError

Images = NDArray[np.uint8]


def as_input(images: Images, expected: Preprocessing) -> Images:
    """Return images (B, S, S, C) uint8 of the network's size S and channels C.

    Parameters
    ----------
    images : (B, H, W) or (B, H, W, 1 or 3) uint8
    expected : Preprocessing

    Raises
    ------
    ShapeError
        If the array is no batch of grey or RGB bytes.

    Warns
    -----
    UserWarning
        If images had to be resized or their colours changed.
    """
    size, channels = expected.image_size, expected.channels
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        got = getattr(images, "dtype", type(images).__name__)
        raise ShapeError(f"images: expected a uint8 array, got {got}")
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise ShapeError(
            f"images: expected (B, H, W), (B, H, W, 1) or (B, H, W, 3), got {images.shape}"
        )
    if 0 in images.shape[1:3]:
        raise ShapeError(f"images: expected at least one pixel, got {images.shape}")
    if images.shape[1:3] != (size, size):
        warnings.warn(
            f"images of {images.shape[1]} x {images.shape[2]} pixels resized to {size} x {size}",
            stacklevel=4,
        )
        images = resize(images, size)
    if images.shape[3] != channels:
        kinds = {1: "grey", 3: "RGB"}
        warnings.warn(
            f"{kinds[images.shape[3]]} images turned into {kinds.get(channels, channels)}: the "
            f"network reads {channels} channel(s)",
            stacklevel=4,
        )
        images = recolor(images, channels)
    return np.ascontiguousarray(images)


def resize(images: Images, size: int) -> Images:
    """Resize each image to size x size with antialiasing (bilinear, as Pillow does it)."""
    from PIL import Image

    out = np.empty((len(images), size, size, images.shape[3]), np.uint8)
    for i, image in enumerate(images):
        picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
        small = picture.resize((size, size), Image.Resampling.BILINEAR)
        out[i] = np.asarray(small).reshape(size, size, -1)
    return out
