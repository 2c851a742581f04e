"""What goes wrong with images in use: noise, blur, light, stain, at five severities (lesson 11).

Severities follow the idea of ImageNet-C (Hendrycks and Dietterich, ICLR 2019);
the kinds are those that cameras, slides and storage bring to medical images.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyternary.data.dataset import Dataset
from tinyternary.errors import ConfigError, ShapeError, unknown_name

Bytes = NDArray[np.uint8]
F32 = NDArray[np.float32]
Change = Callable[[F32, float, np.random.Generator], F32]

SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Corruption:
    """A kind of damage: what it does to images on [0, 1], and how much at each severity."""

    change: Change
    amounts: tuple[float, float, float, float, float]


def corrupt(images: Bytes, name: str, severity: int, seed: int = 0) -> Bytes:
    """Damage a batch of images.

    Parameters
    ----------
    images : (B, H, W, C) uint8
    name : str
        One of `CORRUPTIONS`.
    severity : {1, 2, 3, 4, 5}
    seed : int
        The same seed gives the same bytes.

    Returns
    -------
    (B, H, W, C) uint8

    Raises
    ------
    ConfigError
        If name or severity does not exist.
    ShapeError
        If the images are not bytes of this form.
    """
    if name not in CORRUPTIONS:
        raise unknown_name("corruption", name, CORRUPTIONS)
    if severity not in SEVERITIES:
        raise ConfigError(f"severity: expected 1 to 5, got {severity!r}")
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ShapeError(f"images: expected uint8 (B, H, W, C), got {images.dtype} {images.shape}")
    kind = CORRUPTIONS[name]
    rng = np.random.default_rng([seed, list(CORRUPTIONS).index(name), severity])
    changed = np.empty_like(images)
    for start in range(0, len(images), 256):
        part: F32 = images[start : start + 256].astype(np.float32)
        part /= np.float32(255)
        damaged = kind.change(part, kind.amounts[severity - 1], rng)
        changed[start : start + 256] = np.rint(np.clip(damaged, 0, 1) * 255).astype(np.uint8)
    return changed


def corrupt_dataset(data: Dataset, name: str, severity: int, seed: int = 0) -> Dataset:
    """Return a data set with damaged images and the same labels; errors as in `corrupt`."""
    return data.with_images(corrupt(data.images, name, severity, seed))


def _gaussian_noise(x: F32, amount: float, rng: np.random.Generator) -> F32:
    return x + np.float32(amount) * rng.standard_normal(x.shape, np.float32)


def _shot_noise(x: F32, amount: float, rng: np.random.Generator) -> F32:
    """Count `amount` photons at full brightness."""
    return (rng.poisson(x * amount) / amount).astype(np.float32)


def _impulse_noise(x: F32, amount: float, rng: np.random.Generator) -> F32:
    hit = rng.random(x.shape[:3], np.float32)[..., None]
    return np.where(hit < amount / 2, 0, np.where(hit > 1 - amount / 2, 1, x)).astype(np.float32)


def _defocus(x: F32, amount: float, rng: np.random.Generator) -> F32:
    from scipy.ndimage import gaussian_filter

    blurred: F32 = gaussian_filter(x, (0, amount, amount, 0), mode="reflect")
    return blurred


def _motion(x: F32, amount: float, rng: np.random.Generator) -> F32:
    """Smear along rows or columns, each image in a direction of its own, by `amount` pixels."""
    from scipy.ndimage import convolve1d

    reach = int(np.ceil((amount - 1) / 2))
    kernel = np.ones(2 * reach + 1, np.float32)
    kernel[[0, -1]] = (amount - (2 * reach - 1)) / 2
    along = rng.random(len(x)) < 0.5
    out = np.empty_like(x)
    for axis, chosen in ((1, along), (2, ~along)):
        out[chosen] = convolve1d(x[chosen], kernel / kernel.sum(), axis, mode="reflect")
    return out


def _pixelate(x: F32, amount: float, rng: np.random.Generator) -> F32:
    """Average over a coarser grid, `amount` of the original size."""
    for axis in (1, 2):
        length = x.shape[axis]
        coarse = max(1, round(length * amount))
        group = np.arange(length) * coarse // length
        starts = np.searchsorted(group, np.arange(coarse))
        sizes = np.diff(np.append(starts, length)).astype(np.float32)
        shape = [1] * 4
        shape[axis] = coarse
        means = np.add.reduceat(x, starts, axis) / sizes.reshape(shape)
        x = means.take(group, axis)
    return x


def _jpeg(x: F32, amount: float, rng: np.random.Generator) -> F32:
    """Store as JPEG at quality `amount` and read back."""
    from PIL import Image

    out = np.empty_like(x)
    for i, picture in enumerate(np.rint(x * 255).astype(np.uint8)):
        buffer = io.BytesIO()
        Image.fromarray(picture.squeeze()).save(buffer, "JPEG", quality=int(amount))
        decoded = np.asarray(Image.open(buffer), np.float32) / 255
        out[i] = decoded.reshape(x.shape[1:])
    return out


def _contrast(x: F32, amount: float, rng: np.random.Generator) -> F32:
    mean = x.mean((1, 2), keepdims=True)
    turned: F32 = (x - mean) * np.float32(amount) + mean
    return turned


def _brighter(x: F32, amount: float, rng: np.random.Generator) -> F32:
    return x + np.float32(amount)


def _darker(x: F32, amount: float, rng: np.random.Generator) -> F32:
    return x * np.float32(1 - amount)


def _uneven_light(x: F32, amount: float, rng: np.random.Generator) -> F32:
    """Light falls off along a random direction, to 1 - 2 `amount` at the far corner."""
    angle = rng.uniform(0, 2 * np.pi, len(x)).astype(np.float32)[:, None, None]
    rows, columns = (np.linspace(-1, 1, n, dtype=np.float32) for n in x.shape[1:3])
    slope = (np.sin(angle) * rows[:, None] + np.cos(angle) * columns) / np.float32(2**0.5)
    light: F32 = (1 - np.float32(amount) * (1 + slope)).astype(np.float32)
    return x * light[..., None]


def _stain(x: F32, amount: float, rng: np.random.Generator) -> F32:
    """Give each channel a gain of its own (a grey image: one gain)."""
    gain = 1 + np.float32(amount) * rng.choice([-1, 1], (len(x), 1, 1, x.shape[3]))
    return x * gain.astype(np.float32)


def _gamma(x: F32, amount: float, rng: np.random.Generator) -> F32:
    return x ** np.float32(amount)


CORRUPTIONS: dict[str, Corruption] = {
    "gaussian_noise": Corruption(_gaussian_noise, (0.04, 0.08, 0.12, 0.18, 0.26)),
    "shot_noise": Corruption(_shot_noise, (120, 60, 30, 15, 7)),
    "impulse_noise": Corruption(_impulse_noise, (0.01, 0.03, 0.06, 0.10, 0.17)),
    "defocus": Corruption(_defocus, (0.5, 0.8, 1.1, 1.5, 2.0)),
    "motion": Corruption(_motion, (2.0, 3.0, 4.0, 5.5, 7.0)),
    "pixelate": Corruption(_pixelate, (0.75, 0.6, 0.5, 0.36, 0.25)),
    "jpeg": Corruption(_jpeg, (60, 35, 20, 12, 6)),
    "contrast": Corruption(_contrast, (0.75, 0.6, 0.45, 0.3, 0.2)),
    "brighter": Corruption(_brighter, (0.06, 0.12, 0.18, 0.25, 0.33)),
    "darker": Corruption(_darker, (0.12, 0.24, 0.36, 0.48, 0.60)),
    "gamma": Corruption(_gamma, (1.3, 1.6, 2.0, 2.5, 3.2)),
    "uneven_light": Corruption(_uneven_light, (0.08, 0.15, 0.22, 0.30, 0.40)),
    "stain": Corruption(_stain, (0.05, 0.09, 0.14, 0.19, 0.25)),
}
"""Kinds of damage by name, with their amounts at severities 1 to 5."""
