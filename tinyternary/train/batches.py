"""Batches in an order that seed and step decide (lesson 03).

The order of an epoch is drawn from (seed, 1, epoch), the changes to a batch's
images from (seed, 2, step): nothing has to be remembered to go on from a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import Preprocessing, Task
from tinyternary.data import Dataset, balanced_order, mixup, targets
from tinyternary.data.augment.augmentation import augmentation
from tinyternary.errors import ConfigError
from tinyternary.train.recipe import Recipe

_ORDER, _CHANGE = 1, 2  # purposes of random streams; `loop` uses 3, `pretraining` 4


FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Batch:
    """One step's images.

    Attributes
    ----------
    images : (B, C, H, W) float32
        Augmented and preprocessed.
    goal : (B, C) float32
        Target probabilities, blended by mixup.
    indices : (B,) int
        Which training images they are.
    step : int
        Optimiser step that they are for, counted from 0.
    """

    images: FloatArray
    goal: FloatArray
    indices: NDArray[np.int64]
    step: int


class Batches:
    """Training images, shuffled, augmented and preprocessed.

    Parameters
    ----------
    data : Dataset
    preprocessing : Preprocessing
    recipe : Recipe
    seed : int

    Raises
    ------
    ConfigError
        If a batch is larger than the data.
    """

    def __init__(
        self, data: Dataset, preprocessing: Preprocessing, recipe: Recipe, seed: int
    ) -> None:
        if recipe.batch_size > len(data):
            raise ConfigError(
                f"batch_size {recipe.batch_size} is larger than the {len(data)} images of "
                f"{data.name!r}; use at most {len(data)}"
            )
        self.data, self.preprocessing, self.recipe, self.seed = data, preprocessing, recipe, seed
        # the few images left over change from epoch to epoch: all batches are full
        self.per_epoch = len(data) // recipe.batch_size
        self.goal = targets(data.labels, data.task, data.num_classes, recipe.loss.ordinal_width)
        self.change = augmentation(recipe.augmentation.kind, mirror=data.mirror_safe)
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Give the indices of the training images in the order of an epoch (from 0)."""
        if epoch != self._epoch:
            rng = np.random.default_rng([self.seed, _ORDER, epoch])
            balanced = self.recipe.augmentation.balanced and self.data.task is not Task.MULTI_LABEL
            draw = balanced_order(self.data.labels, rng) if balanced else None
            self._order = rng.permutation(len(self.data)) if draw is None else draw
            self._epoch = epoch
        return self._order

    def batch(self, step: int) -> Batch:
        """Batch of optimiser step `step`, counted from 0."""
        epoch, place = divmod(step, self.per_epoch)
        size = self.recipe.batch_size
        indices = self.order(epoch)[place * size : (place + 1) * size]
        rng = np.random.default_rng([self.seed, _CHANGE, step])
        images = self.preprocessing(self.change(self.data.images[indices], rng))
        goal = self.goal[indices]
        if self.recipe.augmentation.mixup > 0:
            images, goal = mixup(images, goal, self.recipe.augmentation.mixup, rng)
        return Batch(images, goal, indices, step)
