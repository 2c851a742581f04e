"""All data sets by name: the embedded phantoms and the MedMNIST files."""

from __future__ import annotations

import os

from tinyternary.data.dataset import Splits
from tinyternary.data.medmnist.archives import medmnist
from tinyternary.data.medmnist.catalog import MEDMNIST
from tinyternary.data.phantoms.smear import phantoms
from tinyternary.errors import ConfigError

NAMES: tuple[str, ...] = ("phantoms", *MEDMNIST)
"""Names that `load` knows."""


def load(
    name: str,
    root: str | os.PathLike[str] | None = None,
    seed: int = 0,
    size: int | None = None,
) -> Splits:
    """Return the train, val and test split of a data set.

    Parameters
    ----------
    name : str
        ``"phantoms"`` or one of the twelve 2D MedMNIST sets, also with a size
        (``"breastmnist_64"``).
    root : path, optional
        Folder of the MedMNIST files; see `medmnist`.
    seed : int
        Which phantoms to draw; MedMNIST files are what they are.
    size : int, optional
        Image size in pixels: 28, 64, 128 or 224 for MedMNIST; by default what the name says,
        else 28. Phantoms are 28.

    Raises
    ------
    ConfigError
        If the name or size is unknown.
    DataFileError
        If the file is missing or damaged.

    Examples
    --------
    >>> splits = tt.data.load("phantoms")
    >>> [len(part) for part in splits]
    [6000, 1000, 1000]
    """
    if name == "phantoms":
        if size not in (None, 28):
            raise ConfigError(f"size: phantoms are drawn at 28 pixels, not {size}")
        return Splits(phantoms("train", seed), phantoms("val", seed), phantoms("test", seed))
    return Splits(
        medmnist(name, "train", root, size),
        medmnist(name, "val", root, size),
        medmnist(name, "test", root, size),
    )
