"""Images of any size and colour into the bytes that a network expects (lesson 10)."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import Preprocessing, recolor
from tinyternary.errors import ShapeError

Images = NDArray[np.uint8]


def batch_shape(shape: tuple[int, ...], expected: Preprocessing) -> tuple[int, int, int, int]:
    """Read the shape of an array of bytes as that of B images (B, H, W, C).

    The one rule, for arrays in memory and in files: two axes are one grey image, three that
    end in 1 or 3 are one image (H, W, C), any other three are grey images (B, H, W), four
    are images (B, H, W, C).

    Parameters
    ----------
    shape : tuple of int
    expected : Preprocessing
        Of the network: what it reads decides whether a shape can be read in two ways.

    Raises
    ------
    ShapeError
        If it can be read in no way, or in two.
    """
    size, channels = expected.image_size, expected.channels
    found: tuple[int, ...] = shape
    if len(shape) == 2:
        found = (1, *shape, 1)
    elif len(shape) == 3 and shape[2] in (1, 3):
        if shape[1:] == (size, size):
            raise ShapeError(
                f"images: {shape} is one image (H, W, C) or {shape[0]} grey ones; give "
                "images[None] or images[..., None]"
            )
        found = (1, *shape)
    elif len(shape) == 3 and (shape[2] in (2, 4) or shape[0] == channels == 3):
        what = "channels first" if shape[0] == channels == 3 else f"{shape[2]} channels"
        raise ShapeError(
            f"images: {shape} is one image with {what} or {shape[0]} grey ones; give one image as "
            "(H, W, 3), or grey ones as images[..., None]"
        )
    elif len(shape) == 3:
        found = (*shape, 1)
    if len(found) != 4 or found[3] not in (1, 3):
        raise ShapeError(
            "images: expected shape (H, W), (H, W, 3), (B, H, W), (B, H, W, 1) or (B, H, W, 3), "
            f"got {shape}"
        )
    count, height, width, last = found
    return count, height, width, last


def as_input(images: Images, expected: Preprocessing) -> Images:
    """Return images (B, S, S, C) uint8 of the network's size S and channels C.

    Parameters
    ----------
    images : (B, H, W, 1 or 3), (B, H, W), (H, W, 3) or (H, W) uint8
        As `batch_shape` reads it.
    expected : Preprocessing

    Raises
    ------
    ShapeError
        If the array is no grey or RGB bytes, or can be read in two ways.

    Warns
    -----
    UserWarning
        If images had to be resized or their colours changed.
    """
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        got = getattr(images, "dtype", type(images).__name__)
        raise ShapeError(f"images: expected a uint8 array, got {got}")
    images = images.reshape(batch_shape(images.shape, expected))
    if 0 in images.shape[1:3]:
        raise ShapeError(f"images: expected at least one pixel, got {images.shape}")
    notes = changes(images.shape, expected)
    for note in notes:
        warnings.warn(note, stacklevel=4)
    return fit(images, expected)


def changes(shape: tuple[int, ...], expected: Preprocessing) -> tuple[str, ...]:
    """Say what `fit` does to images (B, H, W, C)."""
    _, height, width, channels = shape
    size, kinds = expected.image_size, {1: "grey", 3: "RGB"}
    theirs = kinds.get(expected.channels, f"{expected.channels} channels")
    said = []
    if (height, width) != (size, size):
        said.append(f"images of {height} x {width} pixels resized to {size} x {size}")
    if channels != expected.channels:
        said.append(
            f"{kinds[channels]} images turned into {theirs}: the network "
            f"reads {expected.channels} channel(s)"
        )
    return tuple(said)


def fit(images: Images, expected: Preprocessing) -> Images:
    """Give images (B, H, W, C) the network's size, and then its colours."""
    if images.shape[1:3] != (expected.image_size,) * 2:
        images = resize(images, expected.image_size)
    return np.ascontiguousarray(recolor(images, expected.channels))


def resize(images: Images, size: int) -> Images:
    """Resize each image to size x size with antialiasing (bilinear, as Pillow does it)."""
    from PIL import Image

    out = np.empty((len(images), size, size, images.shape[3]), np.uint8)
    for i, image in enumerate(images):
        picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
        small = picture.resize((size, size), Image.Resampling.BILINEAR)
        out[i] = np.asarray(small).reshape(size, size, -1)
    return out
