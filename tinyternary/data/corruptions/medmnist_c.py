"""MedMNIST-C: what goes wrong with each MedMNIST set's images, at five severities (lesson 11).

Di Salvo, Doerrich and Ledig, "MedMNIST-C", arXiv 2406.17536; amounts and formulas are those of
their package ``medmnistc`` 0.1.0. They are made for images of 224 pixels a side. On smaller ones
that package takes the same amounts, so lengths in pixels are large beside a 28 x 28 image, and it
fails where a mark does not fit. Here too every corruption works on the image as it is, but marks
of a size of their own (stain, bubbles, letters) are drawn on it enlarged to 224 pixels, and what
comes of it is averaged back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tinyternary.data.corruptions import blur, light, marks, noise, storage
from tinyternary.data.corruptions.as_grey import as_grey
from tinyternary.data.dataset import Dataset
from tinyternary.errors import ConfigError, unknown_name

Bytes = NDArray[np.uint8]
Damage = Callable[[Bytes, Any, np.random.Generator], Bytes]

SEVERITIES = (1, 2, 3, 4, 5)

DAMAGE: dict[str, Damage] = {
    "pixelate": storage.pixelate,
    "jpeg_compression": storage.jpeg_compression,
    "gaussian_noise": noise.gaussian_noise,
    "speckle_noise": noise.speckle_noise,
    "impulse_noise": noise.impulse_noise,
    "shot_noise": noise.shot_noise,
    "gaussian_blur": blur.gaussian_blur,
    "defocus_blur": blur.defocus_blur,
    "motion_blur": blur.motion_blur,
    "zoom_blur": blur.zoom_blur,
    "brightness_up": light.brightness,
    "brightness_down": light.brightness,
    "contrast_up": light.contrast,
    "contrast_down": light.contrast,
    "gamma_corr_up": light.gamma,
    "gamma_corr_down": light.gamma,
    "saturate": light.saturate,
    "stain_deposit": marks.stain_deposit,
    "bubble": marks.bubble,
    "black_corner": marks.black_corner,
    "characters": marks.characters,
}
"""What is done under each name."""

DRAWN_AT = 224
DRAWN = ("stain_deposit", "bubble", "characters")
"""Marks that are drawn at `DRAWN_AT` pixels a side."""

_ORGANS: dict[str, tuple[Any, ...]] = {
    "pixelate": (0.7, 0.6, 0.5, 0.4, 0.35),
    "jpeg_compression": (50, 30, 15, 10, 7),
    "gaussian_noise": (0.04, 0.08, 0.12, 0.16, 0.2),
    "speckle_noise": (0.05, 0.1, 0.2, 0.3, 0.4),
    "impulse_noise": (0.01, 0.02, 0.03, 0.05, 0.08),
    "shot_noise": (200, 100, 50, 25, 15),
    "gaussian_blur": (11, 13, 15, 17, 21),
    "brightness_up": (1.2, 1.3, 1.4, 1.5, 1.6),
    "brightness_down": (0.8, 0.75, 0.7, 0.65, 0.6),
    "contrast_up": (1.3, 1.4, 1.6, 1.7, 1.8),
    "contrast_down": (0.8, 0.7, 0.6, 0.55, 0.5),
    "gamma_corr_up": (1.3, 1.4, 1.6, 1.8, 2.0),
    "gamma_corr_down": (0.9, 0.8, 0.7, 0.6, 0.4),
}

MEDMNIST_C: dict[str, dict[str, tuple[Any, ...]]] = {
    "pathmnist": {
        "pixelate": (0.8, 0.6, 0.4, 0.3, 0.25),
        "jpeg_compression": (50, 30, 15, 10, 7),
        "defocus_blur": ((3, 0.1), (4, 0.1), (5, 0.2), (6, 0.2), (7, 0.3)),
        "motion_blur": ((5, 5), (10, 5), (15, 5), (15, 8), (15, 12)),
        "brightness_up": (1.1, 1.15, 1.2, 1.22, 1.25),
        "brightness_down": (0.85, 0.8, 0.75, 0.72, 0.7),
        "contrast_up": (1.1, 1.2, 1.3, 1.4, 1.6),
        "contrast_down": (0.8, 0.7, 0.6, 0.55, 0.5),
        "saturate": (0.05, 0.1, 0.15, 0.2, 0.25),
        "stain_deposit": ((1, 24), (2, 24), (3, 24), (4, 24), (5, 32)),
        "bubble": ((7, 15), (10, 15), (12, 15), (15, 20), (17, 25)),
    },
    "bloodmnist": {
        "pixelate": (0.6, 0.5, 0.4, 0.3, 0.25),
        "jpeg_compression": (50, 30, 15, 10, 7),
        "defocus_blur": ((2, 0.01), (3, 0.1), (4, 0.1), (5, 0.1), (6, 0.1)),
        "motion_blur": ((3, 3), (5, 5), (10, 5), (10, 7), (10, 9)),
        "brightness_up": (1.1, 1.2, 1.3, 1.35, 1.4),
        "brightness_down": (0.9, 0.8, 0.7, 0.6, 0.5),
        "contrast_up": (1.1, 1.15, 1.2, 1.25, 1.3),
        "contrast_down": (0.9, 0.8, 0.7, 0.6, 0.5),
        "saturate": (0.05, 0.1, 0.15, 0.17, 0.2),
        "stain_deposit": ((1, 24), (2, 24), (3, 24), (3, 24), (3, 32)),
        "bubble": ((5, 10), (7, 10), (10, 10), (12, 12), (15, 12)),
    },
    "dermamnist": {
        "pixelate": (0.7, 0.5, 0.4, 0.3, 0.25),
        "jpeg_compression": (30, 20, 15, 10, 7),
        "gaussian_noise": (0.04, 0.08, 0.12, 0.18, 0.26),
        "speckle_noise": (0.05, 0.15, 0.2, 0.35, 0.45),
        "impulse_noise": (0.01, 0.03, 0.06, 0.09, 0.17),
        "shot_noise": (60, 25, 18, 10, 5),
        "defocus_blur": ((4, 0.1), (5, 0.2), (6, 0.3), (7, 0.4), (8, 0.5)),
        "motion_blur": ((10, 5), (15, 5), (15, 8), (15, 12), (20, 15)),
        "zoom_blur": (
            np.arange(1, 1.11, 0.01),
            np.arange(1, 1.16, 0.01),
            np.arange(1, 1.21, 0.02),
            np.arange(1, 1.26, 0.02),
            np.arange(1, 1.31, 0.03),
        ),
        "brightness_up": (1.1, 1.2, 1.3, 1.4, 1.5),
        "brightness_down": (0.9, 0.8, 0.7, 0.6, 0.5),
        "contrast_up": (1.1, 1.2, 1.3, 1.4, 1.6),
        "contrast_down": (0.8, 0.7, 0.6, 0.5, 0.4),
        "black_corner": (1.1, 1.05, 1.0, 0.9, 0.95),
        "characters": ((1, 6, 0.14), (2, 7, 0.15), (3, 8, 0.16), (4, 9, 0.17), (6, 10, 0.18)),
    },
    "retinamnist": {
        "pixelate": (0.8, 0.6, 0.5, 0.4, 0.35),
        "jpeg_compression": (30, 25, 20, 10, 5),
        "gaussian_noise": (0.04, 0.08, 0.12, 0.16, 0.2),
        "speckle_noise": (0.1, 0.15, 0.2, 0.25, 0.3),
        "defocus_blur": ((4, 0.1), (5, 0.2), (6, 0.3), (7, 0.4), (8, 0.5)),
        "motion_blur": ((8, 5), (15, 5), (15, 8), (15, 12), (20, 15)),
        "brightness_down": (0.9, 0.8, 0.7, 0.6, 0.5),
        "contrast_down": (0.9, 0.8, 0.7, 0.6, 0.4),
    },
    "tissuemnist": {
        "pixelate": (0.4, 0.3, 0.2, 0.15, 0.1),
        "jpeg_compression": (25, 20, 15, 10, 7),
        "impulse_noise": (0.01, 0.015, 0.02, 0.025, 0.03),
        "gaussian_blur": (13, 15, 17, 21, 25),
        "brightness_up": (1.3, 1.4, 1.5, 1.6, 1.7),
        "brightness_down": (0.8, 0.7, 0.6, 0.5, 0.4),
        "contrast_up": (1.1, 1.2, 1.3, 1.4, 1.6),
        "contrast_down": (0.9, 0.8, 0.7, 0.6, 0.4),
    },
    "octmnist": {
        "pixelate": (0.3, 0.25, 0.2, 0.15, 0.1),
        "jpeg_compression": (30, 15, 10, 7, 5),
        "speckle_noise": (0.15, 0.3, 0.4, 0.5, 0.6),
        "defocus_blur": ((0.5, 0.6), (1, 0.5), (1.5, 0.1), (2.0, 0.5), (2.5, 0.1)),
        "motion_blur": ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
        "contrast_down": (0.6, 0.4, 0.3, 0.2, 0.15),
    },
    "breastmnist": {
        "pixelate": (0.3, 0.25, 0.2, 0.15, 0.1),
        "jpeg_compression": (50, 30, 15, 10, 7),
        "speckle_noise": (0.1, 0.15, 0.2, 0.25, 0.3),
        "motion_blur": ((5, 5), (9, 7), (9, 10), (13, 10), (17, 12)),
        "brightness_up": (1.4, 1.5, 1.6, 1.8, 2.0),
        "brightness_down": (0.55, 0.5, 0.45, 0.4, 0.3),
        "contrast_down": (0.9, 0.8, 0.7, 0.6, 0.4),
    },
    "chestmnist": {
        "pixelate": (0.3, 0.25, 0.2, 0.15, 0.1),
        "jpeg_compression": (50, 30, 15, 10, 7),
        "gaussian_noise": (0.04, 0.08, 0.12, 0.18, 0.26),
        "speckle_noise": (0.05, 0.15, 0.2, 0.35, 0.45),
        "impulse_noise": (0.01, 0.03, 0.06, 0.09, 0.17),
        "shot_noise": (60, 25, 18, 10, 5),
        "gaussian_blur": (3, 5, 7, 9, 11),
        "brightness_up": (1.1, 1.2, 1.3, 1.4, 1.5),
        "brightness_down": (0.9, 0.8, 0.7, 0.6, 0.5),
        "contrast_up": (1.1, 1.2, 1.3, 1.4, 1.6),
        "contrast_down": (0.9, 0.8, 0.7, 0.6, 0.4),
        "gamma_corr_up": (1.1, 1.2, 1.3, 1.4, 1.6),
        "gamma_corr_down": (0.9, 0.8, 0.7, 0.6, 0.4),
    },
    "pneumoniamnist": {
        "pixelate": (0.8, 0.7, 0.6, 0.5, 0.4),
        "jpeg_compression": (50, 30, 15, 10, 7),
        "gaussian_noise": (0.04, 0.05, 0.06, 0.07, 0.08),
        "speckle_noise": (0.05, 0.07, 0.1, 0.15, 0.2),
        "impulse_noise": (0.005, 0.01, 0.013, 0.017, 0.02),
        "shot_noise": (300, 200, 150, 100, 80),
        "gaussian_blur": (3, 5, 7, 9, 11),
        "brightness_up": (1.1, 1.2, 1.3, 1.4, 1.5),
        "brightness_down": (0.9, 0.8, 0.7, 0.6, 0.5),
        "contrast_up": (1.1, 1.2, 1.3, 1.4, 1.6),
        "contrast_down": (0.9, 0.8, 0.7, 0.6, 0.4),
        "gamma_corr_up": (1.1, 1.2, 1.3, 1.4, 1.6),
        "gamma_corr_down": (0.9, 0.8, 0.7, 0.6, 0.4),
    },
    "organamnist": _ORGANS,
    "organcmnist": _ORGANS,
    "organsmnist": _ORGANS,
}
"""The amounts of each corruption at severities 1 to 5, by data set."""


def medmnist_c(
    data: Dataset, corruption: str, severity: int, seed: int = 0, *, amounts_of: str | None = None
) -> Dataset:
    """Damage images as MedMNIST-C damages the test images of a set.

    Parameters
    ----------
    data : Dataset
    corruption : str
        One of those of the set, ``tt.data.MEDMNIST_C[data.name]``.
    severity : {1, 2, 3, 4, 5}
    seed : int
        The damage of an image depends on the seed and on its own pixels, not on other images.
    amounts_of : str, optional
        The MedMNIST set whose corruptions are meant; by default that of the data's name.

    Returns
    -------
    Dataset
        The same labels. Grey images are damaged as three equal channels, whose weighted mean
        (`ITU-R BT.601`) they are afterwards, as in ``medmnistc``.

    Raises
    ------
    ConfigError
        If there is no such set, corruption or severity, or these are not square images.

    Examples
    --------
    >>> data = tt.data.phantoms("test", seed=0)
    >>> dark = tt.data.medmnist_c(data, "brightness_down", 5, amounts_of="bloodmnist")
    >>> bool(np.abs(dark.images.mean() / data.images.mean() - 0.5) < 0.01)
    True
    """
    name = amounts_of or data.name
    if name not in MEDMNIST_C:
        raise unknown_name("MedMNIST-C set", name, MEDMNIST_C)
    if corruption not in MEDMNIST_C[name]:
        raise unknown_name(f"corruption of {name}", corruption, MEDMNIST_C[name])
    if severity not in SEVERITIES:
        raise ConfigError(f"severity: expected 1 to 5, got {severity!r}")
    if data.rows or data.images.shape[1] != data.images.shape[2]:
        raise ConfigError(f"corruptions are for square images, {data.name!r} has {data.shape}")
    amount = MEDMNIST_C[name][corruption][severity - 1]
    damaged = np.empty_like(data.images)
    for i, image in enumerate(data.images):
        entropy = [seed, crc32(corruption.encode()), severity, crc32(image.tobytes())]
        damaged[i] = damage(image, corruption, amount, np.random.default_rng(entropy))
    return data.with_images(damaged)


def damage(image: Bytes, corruption: str, amount: Any, rng: np.random.Generator) -> Bytes:
    """Damage one image (H, W, 1 or 3) by an amount, with random numbers from `rng`."""
    act = DAMAGE[corruption]
    colored = np.broadcast_to(image, (*image.shape[:2], 3))
    if corruption in DRAWN:
        found = _at(DRAWN_AT, colored, lambda x: act(x, amount, rng))
    else:
        found = act(colored, amount, rng)
    return found if image.shape[2] == 3 else as_grey(found)[..., None]


def _at(size: int, x: Bytes, change: Callable[[Bytes], Bytes]) -> Bytes:
    """Enlarge, change and reduce again by means: without a change, the same image."""
    if len(x) >= size:
        return change(x)
    large = Image.fromarray(x).resize((size, size), Image.Resampling.NEAREST)
    small = Image.fromarray(change(np.asarray(large))).resize(x.shape[:2], Image.Resampling.BOX)
    return np.asarray(small)
