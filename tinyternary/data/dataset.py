"""Images, or rows of numbers, with labels: one split (`Dataset`), and three (`Splits`).

Lesson 03 trains on them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.config import Task, ViTConfig
from tinyternary.errors import ConfigError, DataFileError

Split = Literal["train", "val", "test"]


def check_split(split: object) -> None:
    """Raise a `ConfigError` for what is no name of a split."""
    if split not in get_args(Split):
        raise ConfigError(f"split: expected 'train', 'val' or 'test', got {split!r}")


"""The three parts of a data set."""


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """One split of a data set, in memory.

    Attributes
    ----------
    images : (N, H, W, C) uint8, or (N, D) float32
        C is 1 (grey) or 3 (RGB). Rows of D numbers are for networks that read no images,
        see `table`; nothing augments them.
    labels : (N,) int64, or (N, L) int64 of 0 and 1 if `task` is multi-label
    task : Task
        What the labels mean.
    class_names : tuple of str
        One name per class (or per label).
    name, split : str
        For titles and errors: ``"bloodmnist"``, ``"test"``.
    synthetic : bool
        True if the images were drawn by a program: every figure has to say so.

    Raises
    ------
    DataFileError
        If images and labels do not fit each other or the task.
    """

    images: NDArray[Any]
    labels: NDArray[np.int64]
    task: Task
    class_names: tuple[str, ...]
    name: str = "unnamed"
    split: str = "train"
    synthetic: bool = False

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        title = f"data set {self.name!r}, split {self.split!r}"
        if self.rows:
            object.__setattr__(self, "images", _finite_rows(images, title))
        elif images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
            raise DataFileError(
                f"{title}: expected images as uint8 of shape (N, H, W, 1 or 3), "
                f"or rows of floats (N, D), got {images.dtype} {images.shape}"
            )
        if self.num_classes < 2 and self.task is not Task.MULTI_LABEL:
            raise DataFileError(f"{title}: expected two class names or more: {self.class_names}")
        expected: tuple[int, ...] = (len(images),)
        if self.task is Task.MULTI_LABEL:
            expected = (len(images), self.num_classes)
        if labels.dtype.kind not in "iu" or labels.shape != expected:
            raise DataFileError(
                f"{title}: expected integer labels of shape {expected} ({self.task.value}), "
                f"got {labels.dtype} {labels.shape}"
            )
        top = 1 if self.task is Task.MULTI_LABEL else self.num_classes - 1
        if labels.size and (labels.min() < 0 or labels.max() > top):
            raise DataFileError(
                f"{title}: expected labels between 0 and {top}, "
                f"got {labels.min()} to {labels.max()}"
            )
        object.__setattr__(self, "labels", np.ascontiguousarray(labels, np.int64))

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        kind = ", synthetic" if self.synthetic else ""
        what = "rows" if self.rows else "images"
        return (
            f"Dataset({self.name!r}, {self.split!r}: {len(self)} {what} of "
            f"{'x'.join(map(str, self.images.shape[1:]))}, {self.num_classes} classes, "
            f"{self.task.value}{kind})"
        )

    @property
    def rows(self) -> bool:
        """Whether these are rows of numbers and no images."""
        return self.images.ndim == 2 and self.images.dtype.kind == "f"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image (H, W, C) or row (D,)."""
        return self.images.shape[1:]

    @property
    def num_classes(self) -> int:
        """Number of classes, or of labels if multi-label."""
        return len(self.class_names)

    @property
    def channels(self) -> int:
        """Colour channels: 1 or 3."""
        return int(self.images.shape[3])

    @property
    def image_size(self) -> int:
        """Height of an image in pixels (MedMNIST images are square)."""
        return int(self.images.shape[1])

    @property
    def mirror_safe(self) -> bool:
        """Whether mirroring keeps the label: no class is another's left or right."""
        return not any(re.search(r"\b(left|right)\b", name) for name in self.class_names)

    def subset(self, indices: Sequence[int] | NDArray[np.integer] | slice) -> Dataset:
        """Return the images at `indices` (integers, a slice or a boolean mask), in that order.

        Raises
        ------
        ConfigError
            If an index lies outside the data set.
        """
        chosen = indices if isinstance(indices, slice) else np.atleast_1d(indices)
        if isinstance(chosen, np.ndarray) and chosen.size == 0:
            chosen = chosen.astype(np.int64)
        part = copy(self)  # what has been checked is not checked again
        try:
            object.__setattr__(part, "images", self.images[chosen])
            object.__setattr__(part, "labels", np.ascontiguousarray(self.labels[chosen]))
        except IndexError as error:
            raise ConfigError(f"indices: {error} ({self.name!r}, {len(self)} images)") from None
        return part

    def divide(self, val: float = 0.15, test: float = 0.15, seed: int = 0) -> Splits:
        """Deal the images out at random to a training, a validation and a test split.

        Parameters
        ----------
        val, test : float
            Shares of the images that the two get, rounded; training gets the rest.
        seed : int

        Raises
        ------
        ConfigError
            If a share is negative, or nothing is left to train on.
        """
        counts = [round(share * len(self)) for share in (val, test)]
        if val < 0 or test < 0 or sum(counts) >= len(self):
            raise ConfigError(
                f"val and test: expected shares of {len(self)} that leave some to train on, "
                f"got {val} and {test}"
            )
        order = np.random.default_rng(seed).permutation(len(self))
        parts = np.split(order, np.cumsum(counts))
        chosen = {"val": parts[0], "test": parts[1], "train": parts[2]}
        named = {n: replace(self.subset(indices), split=n) for n, indices in chosen.items()}
        return Splits(**named)

    def check_not_empty(self, what: str | None = None) -> None:
        """Raise `DataFileError` if there are no images; `what` names the data, else the split."""
        if len(self) == 0:
            raise DataFileError(f"{what or self.split} data {self.name!r} has no images")

    def check_fits(self, config: ViTConfig, what: str | None = None, who: str = "model") -> None:
        """Refuse images that a network cannot be trained or evaluated on.

        Parameters
        ----------
        config : ViTConfig
        what, who : str, optional
            Which data (by default the split) and which network, for the message.

        Raises
        ------
        DataFileError
            If there are no images.
        ConfigError
            If outputs, channels or image size of the network are not those of the data.
        """
        title = f"{what or self.split} data {self.name!r}"
        self.check_not_empty(what)
        if self.rows:
            raise ConfigError(
                f"{title} is rows of numbers, the {who} is a ViT and reads images; train another "
                "network on them, as tt.nn.Sequential(tt.nn.Linear(...), ...)"
            )
        for kind, ours, theirs in (
            ("classes", self.num_classes, config.num_classes),
            ("channels", self.channels, config.channels),
            ("pixels a side", self.image_size, config.image_size),
        ):
            if ours != theirs:
                raise ConfigError(f"{title} has {ours} {kind}, the {who} expects {theirs}")

    def with_images(self, images: NDArray[np.uint8]) -> Dataset:
        """Return the same labels with other images, one per label (CLAHE, a corruption)."""
        return replace(self, images=images)


def _finite_rows(rows: NDArray[np.floating], title: str) -> NDArray[np.float32]:
    if not np.isfinite(rows).all():
        bad = int(np.flatnonzero(~np.isfinite(rows).all(1))[0])
        raise DataFileError(f"{title}: row {bad} has a number that is not finite; leave it out")
    return np.ascontiguousarray(rows, np.float32)


def table(
    rows: ArrayLike,
    labels: ArrayLike,
    split: Split = "train",
    *,
    class_names: Sequence[str] | None = None,
    name: str = "table",
) -> Dataset:
    """Make a data set of rows of numbers, for networks that read no images.

    Parameters
    ----------
    rows : (N, D) float
    labels : (N,) int
    split : {"train", "val", "test"}
    class_names : sequence of str, optional
        By default the labels' numbers from 0 to the largest.
    name : str
        For titles and errors.

    Returns
    -------
    Dataset
        Two classes or more, of which one is right; ``.divide()`` makes `Splits` of it.

    Raises
    ------
    ConfigError
        If there is no such split.
    DataFileError
        If the rows are no floats (N, D), a number is not finite, or the labels are no
        integers that fit them.

    Examples
    --------
    >>> data = tt.data.table([[0.1, 2.0], [0.3, 1.0], [0.2, 3.0], [0.5, 0.0]], [0, 1, 0, 1])
    >>> data
    Dataset('table', 'train': 4 rows of 2, 2 classes, multi-class)
    >>> [len(part) for part in data.divide(val=0.25, test=0.25)]
    [2, 1, 1]
    """
    check_split(split)
    numbers, kinds = np.asarray(rows), np.asarray(labels)
    if numbers.ndim != 2 or numbers.dtype.kind != "f":
        raise DataFileError(
            f"table {name!r}: expected rows of floats (N, D), got {numbers.dtype} "
            f"{numbers.shape}; as in rows.reshape(len(rows), -1).astype('float32')"
        )
    if class_names is None:
        top = int(kinds.max()) if kinds.size and kinds.dtype.kind in "iu" else 1
        class_names = [str(label) for label in range(max(top, 1) + 1)]
    return Dataset(numbers, kinds, Task.MULTI_CLASS, tuple(class_names), name, split)


@dataclass(frozen=True, eq=False)
class Splits:
    """Training, validation and test images of one data set.

    Raises
    ------
    DataFileError
        If the three do not agree in task, classes or image shape.
    """

    train: Dataset
    val: Dataset
    test: Dataset

    def __post_init__(self) -> None:
        first = self.train
        for other in (self.val, self.test):
            for field in ("task", "class_names", "shape"):
                ours, theirs = getattr(first, field), getattr(other, field)
                if ours != theirs:
                    raise DataFileError(
                        f"data set {first.name!r}: split {other.split!r} has {field} {theirs!r}, "
                        f"but {first.split!r} has {ours!r}"
                    )

    def __iter__(self) -> Iterator[Dataset]:
        return iter((self.train, self.val, self.test))

    def __getitem__(self, split: str) -> Dataset:
        """Return a split by its name: ``"train"``, ``"val"`` or ``"test"``."""
        check_split(split)
        found: Dataset = getattr(self, split)
        return found

    @property
    def name(self) -> str:
        """Name of the data set."""
        return self.train.name

    @property
    def task(self) -> Task:
        """What the labels mean."""
        return self.train.task

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name per class."""
        return self.train.class_names

    @property
    def num_classes(self) -> int:
        """Number of classes, or of labels if multi-label."""
        return self.train.num_classes

    @property
    def channels(self) -> int:
        """Colour channels: 1 or 3."""
        return self.train.channels

    @property
    def image_size(self) -> int:
        """Height of an image in pixels."""
        return self.train.image_size

    @property
    def synthetic(self) -> bool:
        """Whether any image was drawn by a program."""
        return any(part.synthetic for part in self)
