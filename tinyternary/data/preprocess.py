"""What is measured on training images, or rows, before a network sees them (lesson 03)."""

from __future__ import annotations

import numpy as np

from tinyternary.config import Preprocessing, Standardization
from tinyternary.data.dataset import Dataset
from tinyternary.errors import DataFileError


def fit_preprocessing(train: Dataset) -> Preprocessing | Standardization:
    """Measure mean and standard deviation per channel over all training pixels.

    Exact: the sums are integers, so the result does not depend on the order of
    addition. A channel without any contrast gets a deviation of 1/255. Of rows of numbers
    mean and deviation are those of each column; a column that never changes gets 1.

    Parameters
    ----------
    train : Dataset
        The training split; never validation or test.

    Returns
    -------
    Preprocessing, or Standardization of rows
        Standardises images of this size and number of channels, or rows of this length.

    Raises
    ------
    DataFileError
        If there are no images, or they are not square.
    """
    if not len(train):
        raise DataFileError(f"data set {train.name!r}, split {train.split!r}: no images")
    if train.rows:
        rows = train.images.astype(np.float64)
        deviation = rows.std(0)
        deviation[deviation == 0] = 1
        return Standardization(tuple(rows.mean(0).tolist()), tuple(deviation.tolist()))
    _, height, width, channels = train.images.shape
    if height != width:
        raise DataFileError(f"data set {train.name!r}: images are {height}x{width}, not square")
    values = np.arange(256, dtype=np.int64)
    mean, std = [], []
    for channel in range(channels):
        histogram = np.bincount(train.images[..., channel].ravel(), minlength=256)
        pixels, total = int(histogram.sum()), int(histogram @ values)
        squares = int(histogram @ values**2)
        mean.append(total / pixels / 255)
        # n * sum(x^2) - sum(x)^2 in integers: no cancellation
        variance = (pixels * squares - total * total) / pixels**2
        std.append(max(variance**0.5, 1.0) / 255)
    return Preprocessing(height, tuple(mean), tuple(std))
