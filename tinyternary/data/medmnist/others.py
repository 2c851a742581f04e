"""Images of other sets whose files lie in the data folder: strangers to a network (lesson 11)."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tinyternary.brief import Brief
from tinyternary.config import recolor
from tinyternary.data.dataset import Dataset
from tinyternary.data.medmnist.archives import data_root, medmnist
from tinyternary.data.medmnist.catalog import MEDMNIST, SIZES, known_set


@dataclass(frozen=True, eq=False, repr=False)
class OtherSets(Brief):
    """What `other_sets` found, by the names of the sets.

    Attributes
    ----------
    images : dict of str to (N, H, W, C) uint8
        Test images, in the channels of the set that they are strangers to.
    left_out : dict of str to str
        Sets whose files are there too, and why they are no strangers.
    """

    images: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def other_sets(
    like: Dataset,
    root: str | os.PathLike[str] | None = None,
    *,
    count: int = 200,
    seed: int = 0,
    seen: Collection[str] = (),
) -> OtherSets:
    """Draw test images of every other set that lies in the data folder at the same image size.

    Parameters
    ----------
    like : Dataset
        The set that they are strangers to. Grey images are repeated as RGB for it, or RGB ones
        weighed into grey. Sets of its modality are left out: they may show its classes.
    root : path, optional
        Folder of the MedMNIST files; see `data_root`.
    count : int
        Images of each set, or all that it has.
    seed : int
        Which ones. What is drawn of a set does not depend on the others.
    seen : collection of str
        Sets that a network has learned from, without their labels: left out too.

    Returns
    -------
    OtherSets
        Empty where no file lies there, or none is made in this image size.

    Raises
    ------
    DataFileError
        If a file is damaged.

    Warns
    -----
    DataFileWarning
        If a file is not the official one; see `medmnist`.
    """
    height, width, channels = like.shape
    found = OtherSets()
    if height != width or height not in SIZES:
        return found
    own = known_set(like.name)
    for flag, facts in MEDMNIST.items():
        if facts is own or not (data_root(root) / facts.file_name(flag, height)).exists():
            continue
        if own is not None and facts.modality == own.modality:
            found.left_out[flag] = f"{facts.modality} too"
        elif {flag, facts.file_name(flag, height).removesuffix(".npz")} & set(seen):
            found.left_out[flag] = "seen in pretraining"
        else:
            images = medmnist(flag, "test", root, height).images
            order = np.random.default_rng(seed).permutation(len(images))[:count]
            found.images[flag] = recolor(images[np.sort(order)], channels)
    return found
