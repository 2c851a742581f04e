"""What predictions are worth: ACC and AUC as MedMNIST defines them, and what they hide.

Built in lesson 03, doubted in lesson 11. ACC and AUC give the same numbers as
``getACC`` and ``getAUC`` of the official ``medmnist`` package (its
``evaluator.py``, version 3.0.2); where one of its AUCs is undefined because a
class has no image, the mean runs over the classes that have one.

A number that is undefined (0 / 0, the AUC of a single class) is NaN as long as something is
computed with it, as in `auc`, and None in every result: see `defined`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.config import Task
from tinyternary.config.decision import HALF
from tinyternary.evaluate.calibration import expected_calibration_error
from tinyternary.evaluate.confusion import class_rates, confusion, summary
from tinyternary.evaluate.intervals import bootstrap_intervals
from tinyternary.evaluate.judged import Judged, judge
from tinyternary.evaluate.proper_scores import brier_scores


def accuracy(
    labels: ArrayLike, scores: ArrayLike, task: Task, threshold: ArrayLike | None = None
) -> float:
    """Return MedMNIST's ACC, 0 to 1; if multi-label, the mean of the labels' accuracies.

    Arguments and errors as in `judge`.
    """
    return float(judge(labels, scores, task, threshold).right.mean())


def auc(labels: ArrayLike, scores: ArrayLike, task: Task) -> float:
    """Return MedMNIST's AUC, 0 to 1: class 1 if binary, else the mean of one against the rest.

    Arguments and errors as in `judge`; NaN if no class has images both in and out of it.
    """
    return mean_auc(judge(labels, scores, task))


def mean_auc(judged: Judged) -> float:
    """Return MedMNIST's AUC of what has been judged already, see `auc`."""
    each = class_auc(judged)
    if judged.task is Task.BINARY:
        return float(each[1])
    return float(np.nanmean(each)) if np.isfinite(each).any() else float("nan")


def class_auc(judged: Judged) -> NDArray[np.float64]:
    """Return each class's AUC against the rest (C,); NaN where all or none belong to it."""
    from sklearn.metrics import roc_auc_score

    belongs, found = judged.one_hot, np.full(judged.classes, np.nan)
    for column in range(judged.classes):
        if 0 < belongs[:, column].sum() < len(belongs):
            found[column] = roc_auc_score(belongs[:, column], judged.scores[:, column])
    return found


def defined(value: Any) -> float | None:
    """Give a number as results have it: a float, or None if it is not finite."""
    return float(value) if np.isfinite(value) else None


def evaluate_scores(
    labels: ArrayLike,
    scores: ArrayLike,
    task: Task,
    seed: int = 0,
    *,
    threshold: ArrayLike | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    means: Mapping[str, NDArray[np.float64]] | None = None,
) -> dict[str, Any]:
    """Judge scores against labels, with bootstrap intervals.

    Parameters
    ----------
    labels, scores, task, threshold
        As in `judge`. Choose a threshold on validation data: `choose_threshold`.
    seed : int
        Of the bootstrap.
    resamples : int
        Bootstrap samples of the images; 0 leaves the intervals out.
    level : float
        Coverage of the (percentile) intervals.
    means : mapping, optional
        Further metrics that are means over images: name to a number of each image (N,).

    Returns
    -------
    dict of plain JSON types
        ``acc``, ``auc`` (MedMNIST's), ``balanced_accuracy``, ``sensitivity``,
        ``specificity``, ``f1``, for ordinal tasks ``kappa``; ``ece``, ``ece_equal_mass``
        and ``brier`` (see `tinyternary.evaluate.calibration` and `proper_scores`);
        ``intervals``: name to [low, high]; ``per_class``: lists by class; ``confusion`` and
        ``threshold``. What is undefined is None.

    Raises
    ------
    ShapeError, TrainingError, ConfigError
        As in `judge`; also if `level` or `resamples` is impossible.
    """
    judged = judge(labels, scores, task, threshold)
    task = judged.task
    counts = confusion(judged)
    means = {"brier": brier_scores(judged), **(means or {})}
    result: dict[str, Any] = {
        "acc": float(judged.right.mean()),
        "auc": mean_auc(judged),
        **{name: float(value) for name, value in summary(counts, task).items()},
        "ece": expected_calibration_error(judged),
        "ece_equal_mass": expected_calibration_error(judged, equal_mass=True),
        **{name: float(values.mean()) for name, values in means.items()},
    }
    result = {name: defined(value) for name, value in result.items()}
    if resamples or not 0 < level < 1:
        result["intervals"] = bootstrap_intervals(judged, seed, resamples, level, means)
    per_class = {"auc": class_auc(judged), **class_rates(counts, task)}
    result["per_class"] = {name: [defined(v) for v in each] for name, each in per_class.items()}
    result["per_class"]["images"] = [int(n) for n in judged.one_hot.sum(0)]
    result["confusion"] = counts.tolist()
    if task is Task.MULTI_LABEL or judged.classes == 2:
        used = np.asarray(HALF if threshold is None else threshold, np.float64)
        result["threshold"] = used.item() if used.size == 1 else used.tolist()
    return result
