"""Images with labels: one split (`Dataset`), and the three that belong together (`Splits`).

Lesson 03 trains on them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import Task, ViTConfig
from tinyternary.errors import ConfigError, DataFileError

Split = Literal["train", "val", "test"]
"""The three parts of a data set."""


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """One split of a data set, in memory.

    Attributes
    ----------
    images : (N, H, W, C) uint8
        C is 1 (grey) or 3 (RGB).
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

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    task: Task
    class_names: tuple[str, ...]
    name: str = "unnamed"
    split: str = "train"
    synthetic: bool = False

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        title = f"data set {self.name!r}, split {self.split!r}"
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
            raise DataFileError(
                f"{title}: expected images as uint8 of shape (N, H, W, 1 or 3), "
                f"got {images.dtype} {images.shape}"
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
        return (
            f"Dataset({self.name!r}, {self.split!r}: {len(self)} images of "
            f"{'x'.join(map(str, self.images.shape[1:]))}, {self.num_classes} classes, "
            f"{self.task.value}{kind})"
        )

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
        if len(self) == 0:
            raise DataFileError(f"{title} has no images")
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
            for field in ("task", "class_names", "channels", "image_size"):
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
        if split not in get_args(Split):
            raise ConfigError(f"split: expected 'train', 'val' or 'test', got {split!r}")
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
