"""Read the official MedMNIST v2 files as they are, and say where they differ from them.

Lessons 03 and 12 use a real set where its file is at hand.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import Task
from tinyternary.data.dataset import Dataset, Split, check_split
from tinyternary.data.medmnist._archive import LIMIT_BYTES, Archive, open_archive
from tinyternary.data.medmnist.catalog import MEDMNIST, MedMNISTSet, flag_and_size
from tinyternary.errors import DataFileError
from tinyternary.places import expanded

SPLITS: tuple[Split, ...] = get_args(Split)


class DataFileWarning(UserWarning):
    """A data file that can be used, but is not the official one."""


def data_root(root: str | os.PathLike[str] | None = None) -> Path:
    """Folder in which data files are looked for.

    `root` if given, else the environment's ``TINYTERNARY_DATA``, else ``~/.medmnist``,
    where the official package keeps its files.
    """
    if root is None:
        root = os.environ.get("TINYTERNARY_DATA") or "~/.medmnist"
    return expanded(root)


def medmnist(
    name: str,
    split: Split = "train",
    root: str | os.PathLike[str] | None = None,
    size: int | None = None,
) -> Dataset:
    """Read one split of an official MedMNIST v2 file.

    Parameters
    ----------
    name : str
        One of the twelve 2D sets: ``"breastmnist"``, ``"BreastMNIST"``, or with its size,
        ``"breastmnist_64"``.
    split : {"train", "val", "test"}
    root : path, optional
        Folder that holds ``<name>.npz``; see `data_root`.
    size : {28, 64, 128, 224}, optional
        Height and width in pixels; by default what the name says, else 28. Other sizes than 28
        are in ``<name>_<size>.npz``, and the data set is called so.

    Returns
    -------
    Dataset
        Images (N, size, size, C) uint8; labels (N,), or (N, L) if multi-label.

    Raises
    ------
    ConfigError
        If there is no such set, split or size.
    DataFileError
        If the file is missing or damaged, or its arrays are not what they should be.

    Warns
    -----
    DataFileWarning
        If the file can be used but its MD5 sum or split size is not the official one.

    Examples
    --------
    >>> images = tt.data.medmnist("breastmnist", "test").images
    >>> images.shape, images.dtype
    ((156, 28, 28, 1), dtype('uint8'))
    """
    flag, size = flag_and_size(name, size)
    facts = MEDMNIST[flag]
    check_split(split)
    path = data_file(flag, root, size)
    with open_archive(path) as archive:
        images, labels = _read_split(archive, facts, split, size)
        dataset = _checked(images, labels, facts, path.stem, split, size, path)
    _compare_with_official(path, facts, size, split, len(dataset))
    return dataset


def data_file(
    name: str, root: str | os.PathLike[str] | None = None, size: int | None = None
) -> Path:
    """Give the file that `medmnist` reads.

    Raises
    ------
    ConfigError
        If there is no such set or size.
    DataFileError
        If the file is missing.
    """
    flag, size = flag_and_size(name, size)
    path = data_root(root) / MEDMNIST[flag].file_name(flag, size)
    if not path.exists():
        raise DataFileError(f"{path}: not found; {how_to_get(flag, path, size)}")
    return path


def how_to_get(name: str, path: Path, size: int = 28) -> str:
    """Return the half sentence that tells a user how to get an official file."""
    url = MEDMNIST[name].url(name, size)
    return f"get it from {url} and save it as {path}, or install the package medmnist and download"


def _read_split(
    archive: Archive, facts: MedMNISTSet, split: Split, size: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    official = facts.samples[SPLITS.index(split)] * size * size * facts.channels
    images = archive.read(f"{split}_images", max(LIMIT_BYTES, official))
    return images, archive.read(f"{split}_labels")


def _checked(
    images: NDArray[Any], labels: NDArray[Any], facts: MedMNISTSet, name: str, split: Split,
    size: int, path: Path,
) -> Dataset:  # fmt: skip
    """Give the arrays of a file their common form, or say what is wrong with them."""
    if images.dtype != np.uint8:
        raise DataFileError(f"{path}: {split}_images: expected uint8, got {images.dtype}")
    shape = (size, size) if facts.channels == 1 else (size, size, 3)
    if images.ndim != len(shape) + 1 or images.shape[1:] != shape:
        raise DataFileError(
            f"{path}: {split}_images: expected shape (N, {', '.join(map(str, shape))}), "
            f"got {images.shape}"
        )
    if not len(images):
        raise DataFileError(f"{path}: {split}_images: the split is empty")
    if labels.dtype.kind not in "iub":
        raise DataFileError(f"{path}: {split}_labels: expected integers, got {labels.dtype}")
    columns = len(facts.class_names) if facts.task is Task.MULTI_LABEL else 1
    if labels.shape != (len(images), columns):
        raise DataFileError(
            f"{path}: {split}_labels: expected shape ({len(images)}, {columns}), got {labels.shape}"
        )
    top = 1 if facts.task is Task.MULTI_LABEL else len(facts.class_names) - 1
    if labels.min() < 0 or labels.max() > top:
        raise DataFileError(
            f"{path}: {split}_labels: expected values from 0 to {top}, "
            f"got {labels.min()} to {labels.max()}"
        )
    return Dataset(
        images=images if images.ndim == 4 else images[..., None],
        labels=(labels if facts.task is Task.MULTI_LABEL else labels[:, 0]).astype(np.int64),
        task=facts.task,
        class_names=facts.class_names,
        name=name,
        split=split,
    )


def _compare_with_official(
    path: Path, facts: MedMNISTSet, size: int, split: Split, found: int
) -> None:
    """Warn where a usable file is not the official one."""
    md5 = md5_of(path)
    if md5 == facts.md5[size]:
        return
    official = facts.samples[SPLITS.index(split)]
    count = f" and its {split} split has {found} images, not {official}" * (found != official)
    warnings.warn(
        f"{path}: MD5 {md5} differs from the official {facts.md5[size]}{count}: results are not "
        "comparable with published ones",
        DataFileWarning,
        stacklevel=3,
    )


def md5_of(path: Path) -> str:
    """MD5 sum of a file, read once as long as it does not change."""
    stat = path.stat()
    return _md5(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=32)
def _md5(path: Path, size: int, modified: int) -> str:
    """MD5 of a file; size and time of change are part of the cache's key."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
