"""Confusion counts, and the rates that follow from them, of one sample or of many at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import Task
from tinyternary.evaluate.judged import Judged


def confusion(judged: Judged) -> NDArray[np.int64]:
    """Count truth (rows) against decision (columns): (C, C), or (L, 2, 2) if multi-label."""
    if judged.task is Task.MULTI_LABEL:
        cell = 2 * judged.truth + judged.decided + 4 * np.arange(judged.classes)
        shape: tuple[int, ...] = (judged.classes, 2, 2)
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
        balanced = mean_of_defined(rates["sensitivity"])
    else:
        found = {
            name: mean_of_defined(rates[name]) for name in ("sensitivity", "specificity", "f1")
        }
        balanced = found["sensitivity"]
        if task is Task.MULTI_LABEL:
            balanced = (found["sensitivity"] + found["specificity"]) / 2
    if task is Task.ORDINAL:
        found["kappa"] = quadratic_kappa(counts)
    return {"balanced_accuracy": balanced, **found}


def mean_of_defined(values: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    """Mean along an axis of what is defined; NaN if nothing is."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        mean: NDArray[np.float64] = np.where(known, values, 0).sum(axis) / known.sum(axis)
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
