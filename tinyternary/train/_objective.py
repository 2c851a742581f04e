"""From logits and labels to the number that training makes small (lesson 03).

One task, one loss: cross-entropy for binary and multi-class tasks, cross-entropy
against labels that spread to neighbouring grades for ordinal ones, and binary
cross-entropy per label for multi-label ones.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd import Tensor, bce_with_logits, cross_entropy
from tinyternary.config import Task
from tinyternary.data import Batch, Dataset, targets
from tinyternary.nn import Module
from tinyternary.train.recipe import Recipe

FloatArray: TypeAlias = NDArray[np.float32]


def prior_logits(goal: FloatArray, task: Task) -> FloatArray:
    """Logits (C,) of a network that has seen the training labels and no image.

    The logarithm of each class's share; for multi-label tasks the log-odds of each label.
    A class without an image counts as half an image.

    Parameters
    ----------
    goal : (N, C) float32
        All training labels, from `targets`.
    task : Task
    """
    count = len(goal)
    share = np.clip(goal.mean(0, dtype=np.float64), 0.5 / count, 1 - 0.5 / count)
    logs = np.log(share)
    return np.asarray(logs - np.log1p(-share) if task is Task.MULTI_LABEL else logs, np.float32)


def logit_offset(data: Dataset, recipe: Recipe) -> FloatArray | None:
    """Give what a recipe's `logit_adjustment` adds to logits (C,) in the loss; None is nothing."""
    if not recipe.loss.logit_adjustment:
        return None
    goal = targets(data.labels, data.task, data.num_classes, recipe.loss.ordinal_width)
    return prior_logits(goal, data.task) * np.float32(recipe.loss.logit_adjustment)


def task_loss(
    logits: Tensor,
    goal: FloatArray,
    task: Task,
    label_smoothing: float = 0.0,
    offset: FloatArray | None = None,
) -> Tensor:
    """Mean loss over a batch.

    Parameters
    ----------
    logits : (B, C) Tensor
    goal : (B, C) float32
        From `targets`, perhaps blended by mixup.
    task : Task
    label_smoothing : float
        Share of each target that is spread evenly (towards 1/2 per label for
        multi-label tasks).
    offset : (C,) float32, optional
        Added to the logits in the loss only, see `prior_logits`: what the offset says,
        the network need not, and its own logits are those of classes equally common
        (logit adjustment; Menon et al., "Long-tail learning via logit adjustment",
        ICLR 2021, equation 10).
    """
    if offset is not None:
        logits = logits + offset
    if task is Task.MULTI_LABEL:
        soft = goal * np.float32(1 - label_smoothing) + np.float32(0.5 * label_smoothing)
        return bce_with_logits(logits, soft)
    return cross_entropy(logits, goal, label_smoothing=label_smoothing)


class Supervised:
    """Loss of a model against the labels alone."""

    def __init__(self, model: Module, data: Dataset, recipe: Recipe) -> None:
        self.model, self.task, self.smoothing = model, data.task, recipe.loss.label_smoothing
        self.offset = logit_offset(data, recipe)

    def parameters(self) -> dict[str, Tensor]:
        """None of its own."""
        return {}

    def __call__(self, batch: Batch) -> Tensor:
        """Mean loss over a batch."""
        logits = self.model(batch.images)
        return task_loss(logits, batch.goal, self.task, self.smoothing, self.offset)
