"""Labels and scores of any task in one checked form, with the decisions they lead to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.brief import Brief
from tinyternary.config import Task, decide as decide, scores as scores
from tinyternary.errors import ConfigError, ShapeError, TrainingError


@dataclass(frozen=True, repr=False)
class Judged(Brief):
    """Labels, scores and decisions in one form for all tasks.

    Attributes
    ----------
    truth, decided : (N,) int64, or (N, L) int64 of 0 and 1 if multi-label
    scores : (N, C) float64
        One column per class or label; two columns if binary.
    task : Task
    """

    truth: NDArray[np.int64]
    decided: NDArray[np.int64]
    scores: NDArray[np.float64]
    task: Task

    @property
    def classes(self) -> int:
        """Number of classes, or of labels."""
        return int(self.scores.shape[1])

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which decisions are true: (N,), or (N, L) if multi-label."""
        return np.asarray(self.truth == self.decided)

    @property
    def one_hot(self) -> NDArray[np.bool_]:
        """Which class (or labels) each image has: (N, C)."""
        if self.task is Task.MULTI_LABEL:
            return np.equal(self.truth, 1)
        return np.equal(self.truth[:, None], np.arange(self.classes))


def judge(
    labels: ArrayLike, scores: ArrayLike, task: Task, threshold: ArrayLike | None = None
) -> Judged:
    """Check labels and scores, and `decide`.

    Parameters
    ----------
    labels : (N,) or (N, 1) int; (N, L) of 0 and 1 if multi-label
    scores : (N, C) float
        Probabilities; for a binary task also (N,), of class 1.
    task : Task
    threshold : float, or (L,) if multi-label, optional
        As in `tinyternary.evaluate.decide`: a score above it means yes.

    Raises
    ------
    ShapeError
        If the arrays do not fit each other or the task.
    TrainingError
        If a score is not finite.
    ConfigError
        If a label has no column of scores.
    """
    task = Task(task)
    truth, values = np.asarray(labels), np.asarray(scores, np.float64)
    if task is not Task.MULTI_LABEL and truth.ndim == 2 and truth.shape[1] == 1:
        truth = truth[:, 0]
    if task is Task.BINARY and values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if task is Task.BINARY and values.ndim == 1:
        values = np.stack((1 - values, values), 1)
    wide = 2 if task is Task.MULTI_LABEL else 1
    fits = values.ndim == 2 and truth.ndim == wide and len(truth) == len(values) and len(truth)
    if fits and task is Task.MULTI_LABEL:
        fits = truth.shape == values.shape
    if fits and task is Task.BINARY:
        fits = values.shape[1] == 2
    if not fits:
        raise ShapeError(
            f"labels {truth.shape} and scores {values.shape} do not fit each other in a "
            f"{task.value} task"
        )
    if not np.isfinite(values).all():
        raise TrainingError(f"scores: {int((~np.isfinite(values)).sum())} values are not finite")
    top = 1 if task is Task.MULTI_LABEL else values.shape[1] - 1
    if truth.min() < 0 or truth.max() > top:
        raise ConfigError(f"labels: expected 0 to {top}, got {truth.min()} to {truth.max()}")
    return Judged(truth.astype(np.int64), decide(values, task, threshold), values, task)
