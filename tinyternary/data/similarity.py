"""Which images of a data set stand in another one too, or nearly (lesson 11).

Frames of one examination that a split has spread over training and test images reward a
network for recognising them. That is worth knowing before an accuracy is believed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyternary.data.augment.views import views
from tinyternary.errors import ConfigError, DataFileError, ShapeError

Bytes = NDArray[np.uint8]
_CHUNK = 1024


def most_similar(
    images: Bytes, others: Bytes, *, moves: int = 1, mirror: bool = True
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Find the most similar of other images for each image.

    Similarity is the correlation of pixels, so that brightness and contrast do not count; the
    best over mirrored copies and copies moved by up to `moves` pixels along each axis.

    Parameters
    ----------
    images : (N, H, W, C) uint8
    others : (M, H, W, C) uint8
        For instance the training images.
    moves : int
        Cost grows with (2 moves + 1)^2.
    mirror : bool
        Whether left and right may be exchanged.

    Returns
    -------
    correlation : (N,) float32
        Between -1 and 1; an image without contrast has 0.
    index : (N,) int64
        Which of `others`.

    Raises
    ------
    ShapeError
        If the images are not bytes of one shape.
    ConfigError
        If `moves` is negative or as large as an image.
    DataFileError
        If there are no `others`.
    """
    for name, array in (("images", images), ("others", others)):
        if array.dtype != np.uint8 or array.ndim != 4 or array.shape[1:] != images.shape[1:]:
            raise ShapeError(
                f"{name}: expected uint8 (N, {', '.join(map(str, images.shape[1:]))}), "
                f"got {array.dtype} {array.shape}"
            )
    if not 0 <= moves < min(images.shape[1:3]):
        raise ConfigError(f"moves: expected 0 or more pixels within the image, got {moves}")
    if not len(others):
        raise DataFileError("most_similar: no images to compare with")
    known = _standardized(others)
    best = np.full(len(images), -np.inf, np.float32)
    index = np.zeros(len(images), np.int64)
    for start in range(0, len(images), _CHUNK):
        part = slice(start, start + _CHUNK)
        for view in views(images[part], "horizontal" if mirror else "none", moves):
            correlation = _standardized(view) @ known.T  # (n, M)
            nearest = correlation.argmax(1)
            value = np.take_along_axis(correlation, nearest[:, None], 1)[:, 0]
            better = value > best[part]
            best[part][better], index[part][better] = value[better], nearest[better]
    return np.clip(best, -1, 1), index


def _standardized(images: Bytes) -> NDArray[np.float32]:
    """Pixels (N, H W C) of mean 0 and length 1; all 0 where there is no contrast."""
    flat = images.reshape(len(images), -1).astype(np.float32)
    flat -= flat.mean(1, keepdims=True)
    length = np.sqrt((flat * flat).sum(1, keepdims=True))
    unit: NDArray[np.float32] = np.divide(flat, length, out=np.zeros_like(flat), where=length > 0)
    return unit
