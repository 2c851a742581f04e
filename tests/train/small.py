"""A learnable data set and a network that trains in a blink."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyternary.config import Task, ViTConfig
from tinyternary.data import Dataset, Splits
from tinyternary.models import ViT
from tinyternary.quant import ternarize


def dataset(
    count: int = 96, seed: int = 0, task: Task = Task.MULTI_CLASS, split: str = "train"
) -> Dataset:
    """8 x 8 images whose bright quarter is the class."""
    rng = np.random.default_rng([seed, len(split)])
    labels = np.arange(count) % 4
    images = rng.integers(0, 120, (count, 8, 8, 1), dtype=np.uint8)
    for image, label in zip(images, labels):
        y, x = 4 * (label // 2), 4 * (label % 2)
        image[y : y + 4, x : x + 4] += 110
    names: tuple[str, ...] = ("a", "b", "c", "d")
    kept: Any = labels
    if task is Task.MULTI_LABEL:
        kept = np.stack([labels // 2, labels % 2, labels == 3], 1)
        names = ("low", "right", "corner")
    if task is Task.BINARY:
        kept, names = labels // 2, ("high", "low")
    return Dataset(images, kept.astype(np.int64), task, names, "quarters", split, True)


def splits(count: int = 96, seed: int = 0, task: Task = Task.MULTI_CLASS) -> Splits:
    return Splits(
        dataset(count, seed, task, "train"),
        dataset(40, seed, task, "val"),
        dataset(40, seed, task, "test"),
    )


def model(policy: str | None = None, seed: int = 0, **changes: Any) -> ViT:
    fields: dict[str, Any] = {
        "image_size": 8, "channels": 1, "patch_size": 4, "width": 16, "depth": 2, "heads": 2,
        "mlp_width": 32, "num_classes": 4, "dropout": 0.1, "drop_path": 0.1,
    }  # fmt: skip
    vit = ViT(ViTConfig(**{**fields, **changes}), seed=seed)
    return ternarize(vit, policy) if policy else vit


def no_images(data: Dataset) -> Dataset:
    return data.subset(np.arange(0))
