"""From the bytes of an image, or a row of numbers, to a network's input: trained and deployed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.errors import ShapeError


@dataclass(frozen=True)
class Preprocessing:
    """Scale bytes to [0, 1], subtract a mean and divide by a deviation, per channel.

    Attributes
    ----------
    image_size : int
        Height and width in pixels that the network expects.
    mean, std : tuple of float
        One entry per channel, on the [0, 1] scale.
    """

    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def channels(self) -> int:
        """Number of colour channels (1 or 3)."""
        return len(self.mean)

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn images into the network's input.

        Parameters
        ----------
        images : (B, H, W, C) uint8

        Returns
        -------
        (B, C, H, W) float32

        Raises
        ------
        ShapeError
            If the images are not bytes of this size and number of channels.
        """
        expected = (self.image_size, self.image_size, self.channels)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != expected:
            raise ShapeError(
                f"images: expected uint8 of shape (B, {', '.join(map(str, expected))}), "
                f"got {images.dtype} {images.shape}"
            )
        # x / 255, minus mean, over std, in one multiply and one subtraction
        gain = np.float32(1.0 / 255.0) / np.asarray(self.std, np.float32)
        offset = np.asarray(self.mean, np.float32) / np.asarray(self.std, np.float32)
        out = np.empty((images.shape[0], self.channels, *images.shape[1:3]), np.float32)
        for channel in range(self.channels):
            np.multiply(images[..., channel], gain[channel], out=out[:, channel])
            out[:, channel] -= offset[channel]
        return out

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, read back by `from_dict`."""
        return {"image_size": self.image_size, "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Preprocessing:
        """Rebuild from what `to_dict` gave."""
        return cls(int(fields["image_size"]), tuple(fields["mean"]), tuple(fields["std"]))


@dataclass(frozen=True)
class Standardization:
    """Subtract a mean and divide by a deviation, per column of rows of numbers.

    Attributes
    ----------
    mean, std : tuple of float
        One entry per column.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, rows: NDArray[np.floating]) -> NDArray[np.float32]:
        """Turn rows (B, D) into the network's input (B, D) float32.

        Raises
        ------
        ShapeError
            If they are not rows of so many numbers.
        """
        if rows.ndim != 2 or rows.shape[1] != len(self.mean):
            raise ShapeError(f"rows: expected shape (B, {len(self.mean)}), got {rows.shape}")
        return np.asarray((rows - np.array(self.mean)) / np.array(self.std), np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, read back by `read_preprocessing`."""
        return {"mean": list(self.mean), "std": list(self.std)}


def read_preprocessing(fields: dict[str, Any]) -> Preprocessing | Standardization:
    """Rebuild from what `to_dict` gave: a `Preprocessing` has an image size."""
    if "image_size" in fields:
        return Preprocessing.from_dict(fields)
    return Standardization(tuple(fields["mean"]), tuple(fields["std"]))


def recolor(images: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Repeat grey (B, H, W, 1) as RGB, or weigh RGB into grey (ITU-R 601 luma).

    Images that have so many `channels` come back as they are.
    """
    if images.shape[3] == channels:
        return images
    if images.shape[3] == 1:
        return np.repeat(images, channels, axis=3)
    # integer weights over 65536, as Pillow's convert("L")
    weights = np.array([19595, 38470, 7471], np.uint32)
    gray = (images.astype(np.uint32) @ weights + 0x8000) >> 16
    return gray[..., None].astype(np.uint8)
