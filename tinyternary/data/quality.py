"""How good an image is as an image: brightness, contrast and sharpness (lesson 11).

Where nothing is known of patients, this much can still be asked: whether a network's mistakes
stand where images are pale or blurred.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green, blue: ITU-R BT.601


def image_quality(images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Measure each image.

    Parameters
    ----------
    images : (N, H, W, C) uint8
        C is 1 or 3; colours count as their luminance (ITU-R BT.601).

    Returns
    -------
    dict of (N,) float32
        ``brightness``: mean of the pixels, 0 to 1. ``contrast``: their standard deviation.
        ``sharpness``: the standard deviation of the Laplacian (the four neighbours less four
        times the pixel; Pech-Pacheco et al., ICPR 2000, take its square), which edges and
        noise raise and blurring lowers.

    Examples
    --------
    >>> from tinyternary.data.quality import image_quality
    >>> flat = np.full((1, 28, 28, 1), 51, np.uint8)
    >>> {name: round(float(values[0]), 3) for name, values in image_quality(flat).items()}
    {'brightness': 0.2, 'contrast': 0.0, 'sharpness': 0.0}
    """
    grey = images.astype(np.float32) / 255
    grey = grey[..., 0] if grey.shape[3] == 1 else grey @ _WEIGHTS  # (N, H, W)
    # of an image narrower than three pixels the inside is empty: the edges are repeated
    padded = np.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = padded[:, 2:, 1:-1] + padded[:, :-2, 1:-1] + padded[:, 1:-1, 2:] + padded[:, 1:-1, :-2]
    laplacian = around - 4 * grey
    return {
        "brightness": grey.mean((1, 2)),
        "contrast": grey.std((1, 2)),
        "sharpness": laplacian.std((1, 2)),
    }


def terciles(values: NDArray[np.floating]) -> tuple[NDArray[np.int64], list[float]]:
    """Part values in three groups of about equal size: lowest, middle, highest third.

    Returns
    -------
    group : (N,) int64
        0, 1 or 2; equal values are in one group.
    edges : list of 2 floats
        Values above an edge are in the next group.
    """
    edges = np.quantile(values, (1 / 3, 2 / 3))
    return np.searchsorted(edges, values, side="left"), [float(edge) for edge in edges]
