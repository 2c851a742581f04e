"""What predictions are worth: ACC and AUC as MedMNIST defines them, and what they hide.

Built in lesson 03, doubted in lesson 11. ACC and AUC give the same numbers as
``getACC`` and ``getAUC`` of the official ``medmnist`` package (its
``evaluator.py``, version 3.0.2); where one of its AUCs is undefined because a
class has no image, the mean runs over the classes that have one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.errors import ConfigError, ShapeError, TrainingError
from tinyternary.spec import Task

Threshold = float | NDArray[np.float64]
ECE_BINS = 15


@dataclass(frozen=True)
class Judged:
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
        return self.scores.shape[1]

    @property
    def one_hot(self) -> NDArray[np.bool_]:
        """Which class (or labels) each image has: (N, C)."""
        if self.task is Task.MULTI_LABEL:
            return self.truth == 1
        return self.truth[:, None] == np.arange(self.classes)


def judge(labels: ArrayLike, scores: ArrayLike, task: Task, threshold: ArrayLike = 0.5) -> Judged:
    """Check labels and scores and decide: above the threshold, or the largest score.

    Parameters
    ----------
    labels : (N,) or (N, 1) int; (N, L) of 0 and 1 if multi-label
    scores : (N, C) float
        Probabilities; for a binary task also (N,), of class 1.
    task : Task
    threshold : float, or (L,) if multi-label
        Binary and multi-label tasks: a score above it means yes.

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
    limit = np.asarray(threshold, np.float64)
    if limit.ndim and limit.shape != (values.shape[1],):
        raise ShapeError(f"threshold: expected a number or {values.shape[1]}, got {limit.shape}")
    if task is Task.MULTI_LABEL:
        decided = values > limit
    elif task is Task.BINARY:
        decided = values[:, 1] > limit
    else:
        decided = values.argmax(1)
    return Judged(truth.astype(np.int64), decided.astype(np.int64), values, task)


def accuracy(labels: ArrayLike, scores: ArrayLike, task: Task, threshold: ArrayLike = 0.5) -> float:
    """Return MedMNIST's ACC, 0 to 1; if multi-label, the mean of the labels' accuracies.

    Arguments and errors as in `judge`.
    """
    judged = judge(labels, scores, task, threshold)
    return float((judged.truth == judged.decided).mean())


def auc(labels: ArrayLike, scores: ArrayLike, task: Task) -> float:
    """Return MedMNIST's AUC, 0 to 1: class 1 if binary, else the mean of one against the rest.

    Arguments and errors as in `judge`; NaN if no class has images both in and out of it.
    """
    each = class_auc(judge(labels, scores, task))
    if Task(task) is Task.BINARY:
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


def confusion(judged: Judged) -> NDArray[np.int64]:
    """Count truth (rows) against decision (columns): (C, C), or (L, 2, 2) if multi-label."""
    if judged.task is Task.MULTI_LABEL:
        cell = 2 * judged.truth + judged.decided + 4 * np.arange(judged.classes)
        shape = (judged.classes, 2, 2)
    else:
        cell = judged.classes * judged.truth + judged.decided
        shape = (judged.classes, judged.classes)
    return np.bincount(cell.ravel(), minlength=int(np.prod(shape))).reshape(shape)


def one_against_rest(counts: NDArray[Any], task: Task) -> NDArray[np.float64]:
    """Per class true and false positives, false and true negatives: (..., C, 4).

    Parameters
    ----------
    counts : (..., C, C), or (..., L, 2, 2) if multi-label
        Confusion counts of one or many samples.
    """
    counts = np.asarray(counts, np.float64)
    if task is Task.MULTI_LABEL:
        order = (counts[..., 1, 1], counts[..., 0, 1], counts[..., 1, 0], counts[..., 0, 0])
        return np.stack(order, -1)
    hit = np.diagonal(counts, axis1=-2, axis2=-1)
    false_positive, false_negative = counts.sum(-2) - hit, counts.sum(-1) - hit
    rest = counts.sum((-2, -1))[..., None] - hit - false_positive - false_negative
    return np.stack((hit, false_positive, false_negative, rest), -1)


def class_rates(counts: NDArray[Any], task: Task) -> dict[str, NDArray[np.float64]]:
    """Sensitivity, specificity, precision and F1 of each class (..., C); NaN where 0 / 0."""
    hit, false_positive, false_negative, rest = np.moveaxis(one_against_rest(counts, task), -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "sensitivity": hit / (hit + false_negative),
            "specificity": rest / (rest + false_positive),
            "precision": hit / (hit + false_positive),
            "f1": 2 * hit / (2 * hit + false_positive + false_negative),
        }


def summary(counts: NDArray[Any], task: Task) -> dict[str, NDArray[np.float64]]:
    """Reduce confusion counts (..., C, C) to one number each (...).

    Binary tasks: sensitivity, specificity and F1 of class 1. Otherwise the mean over
    classes (or labels) for which the number is defined. Balanced accuracy is the mean
    sensitivity over classes; if multi-label, over presence and absence of each label.
    """
    rates = class_rates(counts, task)
    if task is Task.BINARY:
        found = {name: rates[name][..., 1] for name in ("sensitivity", "specificity", "f1")}
        balanced = _mean(rates["sensitivity"])
    else:
        found = {name: _mean(rates[name]) for name in ("sensitivity", "specificity", "f1")}
        balanced = found["sensitivity"]
        if task is Task.MULTI_LABEL:
            balanced = (found["sensitivity"] + found["specificity"]) / 2
    if task is Task.ORDINAL:
        found["kappa"] = quadratic_kappa(counts)
    return {"balanced_accuracy": balanced, **found}


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the last axis of what is defined; NaN if nothing is."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        mean: NDArray[np.float64] = np.where(known, values, 0).sum(-1) / known.sum(-1)
    return mean


def quadratic_kappa(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Cohen's kappa with squared distances as weights (Cohen, 1968), for ordered classes."""
    counts = np.asarray(counts, np.float64)
    grade = np.arange(counts.shape[-1], dtype=np.float64)
    weight = (grade[:, None] - grade) ** 2
    chance = counts.sum(-1)[..., :, None] * counts.sum(-2)[..., None, :]
    chance /= counts.sum((-2, -1))[..., None, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa: NDArray[np.float64] = 1 - (weight * counts).sum((-2, -1)) / (weight * chance).sum(
            (-2, -1)
        )
    return kappa


def calibration(judged: Judged, bins: int = ECE_BINS) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Bin of each decision by its confidence, and how far right it was minus the confidence.

    Returns
    -------
    bin : (N,) or (N, L) int64
        Of equal widths over [0, 1].
    gap : same shape, float64
        1 or 0 for right or wrong, minus the score of what was decided.
    """
    if judged.task is Task.MULTI_LABEL:
        confidence = np.where(judged.decided == 1, judged.scores, 1 - judged.scores)
    else:
        confidence = np.take_along_axis(judged.scores, judged.decided[:, None], 1)[:, 0]
    which = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return which, (judged.truth == judged.decided) - confidence


def expected_calibration_error(judged: Judged, bins: int = ECE_BINS) -> float:
    """Return the ECE (Guo et al., ICML 2017): mean distance of confidence from accuracy by bin."""
    which, gap = calibration(judged, bins)
    return float(np.abs(np.bincount(which.ravel(), gap.ravel(), bins)).sum() / gap.size)


def evaluate_scores(
    labels: ArrayLike,
    scores: ArrayLike,
    task: Task,
    seed: int = 0,
    *,
    threshold: ArrayLike = 0.5,
    resamples: int = 1000,
    level: float = 0.95,
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

    Returns
    -------
    dict of plain JSON types
        ``acc``, ``auc`` (MedMNIST's), ``balanced_accuracy``, ``sensitivity``,
        ``specificity``, ``f1``, ``ece``, for ordinal tasks ``kappa``; ``intervals``:
        name to [low, high]; ``per_class``: lists by class; ``confusion`` and
        ``threshold``. What is undefined is None.

    Raises
    ------
    ShapeError, TrainingError, ConfigError
        As in `judge`; also if `level` or `resamples` is impossible.
    """
    from tinyternary.train.intervals import bootstrap_intervals

    task = Task(task)
    judged = judge(labels, scores, task, threshold)
    counts = confusion(judged)
    result: dict[str, Any] = {
        "acc": accuracy(labels, scores, task, threshold),
        "auc": auc(labels, scores, task),
        **{name: float(value) for name, value in summary(counts, task).items()},
        "ece": expected_calibration_error(judged),
    }
    result = {name: _plain(value) for name, value in result.items()}
    if resamples or not 0 < level < 1:
        result["intervals"] = bootstrap_intervals(judged, seed, resamples, level)
    per_class = {"auc": class_auc(judged), **class_rates(counts, task)}
    result["per_class"] = {name: [_plain(v) for v in each] for name, each in per_class.items()}
    result["per_class"]["images"] = [int(n) for n in judged.one_hot.sum(0)]
    result["confusion"] = counts.tolist()
    if task in (Task.BINARY, Task.MULTI_LABEL):
        result["threshold"] = np.asarray(threshold, np.float64).tolist()
    return result


def _plain(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def choose_threshold(
    labels: ArrayLike,
    scores: ArrayLike,
    task: Task,
    goal: Literal["balanced_accuracy", "accuracy", "f1"] = "balanced_accuracy",
) -> Threshold:
    """Find the threshold that serves a goal best on these (validation) images.

    Parameters
    ----------
    labels, scores, task
        As in `judge`; binary or multi-label.
    goal : {"balanced_accuracy", "accuracy", "f1"}

    Returns
    -------
    float, or (L,) if multi-label
        Halfway between the scores that it separates; of equally good thresholds
        the one nearest 0.5. A label without both yes and no keeps 0.5.

    Raises
    ------
    ConfigError
        If the task has no threshold or the goal is unknown.
    """
    from tinyternary.errors import unknown_name

    task = Task(task)
    if task not in (Task.BINARY, Task.MULTI_LABEL):
        raise ConfigError(f"threshold: a {task.value} task decides by the largest score")
    if goal not in ("balanced_accuracy", "accuracy", "f1"):
        raise unknown_name("goal", goal, ("balanced_accuracy", "accuracy", "f1"))
    judged = judge(labels, scores, task)
    if task is Task.BINARY:
        return _best_cut(judged.truth == 1, judged.scores[:, 1], goal)
    return np.array(
        [_best_cut(judged.truth[:, i] == 1, judged.scores[:, i], goal)
         for i in range(judged.classes)]
    )  # fmt: skip


def _best_cut(positive: NDArray[np.bool_], score: NDArray[np.float64], goal: str) -> float:
    if positive.all() or not positive.any():
        return 0.5
    values, place = np.unique(score, return_inverse=True)
    # cut i says yes to all scores from the i-th distinct value on; the last says yes to none
    yes = np.bincount(place, positive, len(values))
    no = np.bincount(place, ~positive, len(values))
    hit = np.append(np.cumsum(yes[::-1])[::-1], 0)
    false = np.append(np.cumsum(no[::-1])[::-1], 0)
    if goal == "balanced_accuracy":
        merit = hit / yes.sum() - false / no.sum()
    elif goal == "accuracy":
        merit = hit - false
    else:
        merit = 2 * hit / (hit + false + yes.sum())
    cuts = np.concatenate(
        ([min(values[0] / 2, values[0])], (values[1:] + values[:-1]) / 2,
         [(values[-1] + max(values[-1], 1.0)) / 2])
    )  # fmt: skip
    best = np.flatnonzero(merit >= merit.max() - 1e-12)
    return float(cuts[best[np.abs(cuts[best] - 0.5).argmin()]])
