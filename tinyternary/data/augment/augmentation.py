"""Random changes to small medical images that leave their label alone (lesson 03).

Bytes in, bytes out, so that training and deployment share one preprocessing.
Three ideas make it quick: any rotation, scaling, shift and flip is one affine
map; any change of single bytes (gain, offset, gamma, ...) is one table of 256;
and both are done for a whole batch in one pass (`tinyternary.compiled.warp`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled.warp import warp_bytes
from tinyternary.data.augment import random_maps as maps
from tinyternary.errors import ConfigError, ShapeError, unknown_name

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Augmentation:
    """A random change, drawn anew for every image: ``augmentation(images, rng)``.

    Attributes
    ----------
    rotation : float
        Largest angle, degrees.
    scale, shear : float
        Largest relative change of size; largest shear.
    shift : float
        Largest shift along each axis, as a share of the image.
    whole_pixels : bool
        Round shifts to whole pixels, which leaves them sharp.
    flip_horizontal, flip_vertical, transpose : float
        Probabilities; all three at 0.5 are the eight orientations of a square.
    gain, offset : float
        Brightness: x -> x (1 +- gain) +- 255 offset.
    gamma : float
        Tone: x -> x^(1 +- gamma) on [0, 1].
    tint : float
        A gain of its own for each channel of an RGB image.
    cutout : float
        Probability that a square gets the image's mean colour.
    cutout_size : float
        Largest side of that square, as a share of the image.
    choices : int
        So many random operations more, as in RandAugment (arXiv 1909.13719).
    magnitude : float
        Strength of those operations, 0 to 1.
    """

    rotation: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    shift: float = 0.0
    whole_pixels: bool = False
    flip_horizontal: float = 0.0
    flip_vertical: float = 0.0
    transpose: float = 0.0
    gain: float = 0.0
    offset: float = 0.0
    gamma: float = 0.0
    tint: float = 0.0
    cutout: float = 0.0
    cutout_size: float = 0.4
    choices: int = 0
    magnitude: float = 0.5

    def __post_init__(self) -> None:
        for name in ("flip_horizontal", "flip_vertical", "transpose", "cutout", "magnitude"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name}: expected a value in [0, 1], got {getattr(self, name)}")
        for name in ("scale", "shift", "gain", "offset", "gamma", "tint", "cutout_size", "shear"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name}: expected a value in [0, 1), got {getattr(self, name)}")
        if not 0 <= self.rotation <= 180:
            raise ConfigError(f"rotation: expected 0 to 180 degrees, got {self.rotation}")
        if self.choices < 0:
            raise ConfigError(f"choices: expected 0 or more, got {self.choices}")

    def __call__(self, images: Bytes, rng: np.random.Generator) -> Bytes:
        """Change a batch.

        Parameters
        ----------
        images : (B, H, W, C) uint8
            Left as they are.
        rng : Generator
            Decides everything; the same state gives the same bytes.

        Returns
        -------
        (B, H, W, C) uint8

        Raises
        ------
        ShapeError
            If the images are not bytes of this form.
        """
        if self == Augmentation():  # asks nothing of what it leaves alone
            return images
        if images.dtype != np.uint8 or images.ndim != 4:
            raise ShapeError(
                f"images: expected uint8 (B, H, W, C), got {images.dtype} {images.shape}"
            )
        if not len(images):
            return images
        matrices = self._geometry(images.shape, rng)
        tables = self._tones(images.shape, rng)
        if self.choices:
            more, other = maps.random_choices(images, self.choices, self.magnitude, rng)
            matrices = maps.compose(matrices, more)
            tables = np.take_along_axis(other, tables.astype(np.intp), 2)
        _, height, width, _ = images.shape
        changed = warp_bytes(images, maps.about_center(matrices, height, width), tables)
        return self._cut(changed, rng) if self.cutout else changed

    def _geometry(self, shape: tuple[int, ...], rng: np.random.Generator) -> maps.F32:
        count, height, width, _ = shape
        shift = rng.uniform(-self.shift, self.shift, (count, 2)) * (height, width)
        if self.whole_pixels:
            shift = np.rint(shift)
        flips = np.stack(
            [rng.random(count) < p for p in (self.flip_vertical, self.flip_horizontal)], 1
        )
        if height != width and self.transpose:
            raise ConfigError(f"transpose: images are {height}x{width}, not square")
        return maps.affine(
            angle=np.deg2rad(rng.uniform(-self.rotation, self.rotation, count)),
            size=np.exp(rng.uniform(-1, 1, (count, 2)) * np.log1p(self.scale)),
            shear=rng.uniform(-self.shear, self.shear, count),
            shift=shift,
            flips=flips,
            transpose=rng.random(count) < self.transpose,
        )

    def _tones(self, shape: tuple[int, ...], rng: np.random.Generator) -> Bytes:
        count, channels = shape[0], shape[3]
        gain = 1 + rng.uniform(-self.gain, self.gain, (count, 1))
        gain = gain * (1 + rng.uniform(-self.tint, self.tint, (count, channels)))
        offset = rng.uniform(-self.offset, self.offset, (count, 1)) + np.zeros((1, channels))
        power = np.exp(rng.uniform(-1, 1, (count, 1)) * np.log1p(self.gamma))
        return maps.tone_tables(gain, offset, power if self.gamma else None)

    def _cut(self, images: Bytes, rng: np.random.Generator) -> Bytes:
        count, height, width, _ = images.shape
        side = rng.uniform(0, self.cutout_size, (count, 1)) * (rng.random((count, 1)) < self.cutout)
        extent = np.rint(side * (height, width)).astype(np.int64)
        start = np.floor(rng.random((count, 2)) * ((height, width) - extent + 1)).astype(np.int64)
        inside = maps.boxes(start, extent, height, width)
        mean = images.sum((1, 2), keepdims=True, dtype=np.int64) // (height * width)
        return np.where(inside[..., None], mean.astype(np.uint8), images)


AUGMENTATIONS: dict[str, Augmentation] = {
    "none": Augmentation(),
    "light": Augmentation(shift=0.1, whole_pixels=True, flip_horizontal=0.5),
    # shapes and tones as they differ between patients and devices
    "medical": Augmentation(
        rotation=20, scale=0.15, shift=0.12, flip_horizontal=0.5,
        gain=0.15, offset=0.06, gamma=0.15, cutout=0.5,
    ),
    # cells and tissue have no upright
    "microscopy": Augmentation(
        rotation=45, scale=0.15, shift=0.1,
        flip_horizontal=0.5, flip_vertical=0.5, transpose=0.5,
        gain=0.12, offset=0.04, gamma=0.1, tint=0.06, cutout=0.5,
    ),
    # nothing here interpolates: the grain of cells and tissue stays as sharp as at test time
    "orientations": Augmentation(
        shift=0.12, whole_pixels=True, flip_horizontal=0.5, flip_vertical=0.5, transpose=0.5,
        gain=0.1, offset=0.03, tint=0.04,
    ),
    "random": Augmentation(
        shift=0.1, flip_horizontal=0.5, cutout=0.5, choices=2, magnitude=0.5
    ),
}  # fmt: skip
"""Augmentations with names."""


def augmentation(name: str, mirror: bool = True) -> Augmentation:
    """Return a named augmentation.

    Parameters
    ----------
    name : {"none", "light", "medical", "microscopy", "orientations", "random"}
    mirror : bool
        False leaves mirroring out, for data whose classes tell left from right
        (`Dataset.mirror_safe`).

    Raises
    ------
    ConfigError
        If the name is unknown.
    """
    if name not in AUGMENTATIONS:
        raise unknown_name("augmentation", name, AUGMENTATIONS)
    found = AUGMENTATIONS[name]
    return found if mirror else replace(found, flip_horizontal=0, flip_vertical=0, transpose=0)
