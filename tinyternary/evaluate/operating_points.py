"""Where to say yes: what a threshold does to patients, and whether it helps them.

A network gives probabilities; a clinic needs a rule. Of one class against the rest, at one
threshold: sensitivity (of the ill, how many are found), specificity (of the healthy, how many are
left alone), and what an answer means where a share `prevalence` of people is ill (Bayes' rule):

    PPV = se prevalence / (se prevalence + (1 - sp) (1 - prevalence))
    NPV = sp (1 - prevalence) / (sp (1 - prevalence) + (1 - se) prevalence)

Data sets are collected with far more ill people than a ward or a screening sees, and PPV falls with
prevalence. Thresholds are chosen on validation images: `tinyternary.evaluate.choose_threshold`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.config import Task
from tinyternary.config.decision import HALF
from tinyternary.errors import ConfigError
from tinyternary.evaluate.intervals import percentile_interval, resampled, wilson_interval
from tinyternary.evaluate.judged import judge

THRESHOLDS = tuple(round(0.01 * i, 2) for i in range(1, 100))
"""Threshold probabilities of a decision curve."""


def operating_point(
    labels: ArrayLike,
    scores: ArrayLike,
    task: Task,
    threshold: float = HALF,
    *,
    positive: int = 1,
    prevalence: float | None = None,
    level: float = 0.95,
) -> dict[str, Any]:
    """Say what a threshold means for one class against the rest.

    Parameters
    ----------
    labels, scores, task
        As in `judge`.
    threshold : float
        Yes to a probability above it, as in `decide`.
    positive : int
        The class, or the label.
    prevalence : float, optional
        Share of people with this class where the network would be used; that of these
        images if left out.
    level : float
        Of the intervals.

    Returns
    -------
    dict of plain JSON types
        ``threshold``, ``prevalence``; ``counts``: ``tp fp fn tn``; ``sensitivity``,
        ``specificity``, ``ppv``, ``npv``; ``intervals``: name to [low, high]. Those of
        sensitivity and specificity are Wilson's, and those of PPV and NPV follow from them
        (Donner and Zou, 2012): no count of 0 makes one certain. The prevalence is taken as
        known. What is undefined is None.

    Raises
    ------
    ConfigError
        If the class, the prevalence or the threshold is impossible.

    Examples
    --------
    >>> point = tt.evaluate.operating_point(
    ...     [1, 1, 1, 1, 0, 0, 0, 0], [0.9, 0.8, 0.7, 0.1, 0.9, 0.2, 0.1, 0.0], "binary-class",
    ...     prevalence=0.01,
    ... )
    >>> point["sensitivity"], point["specificity"], round(point["ppv"], 3)
    (0.75, 0.75, 0.029)
    """
    truth, score = _one_class(labels, scores, task, positive)
    if not 0 <= threshold <= 1:
        raise ConfigError(f"threshold: expected a value in [0, 1], got {threshold}")
    said = score > threshold
    tp, fp = int((said & truth).sum()), int((said & ~truth).sum())
    fn, tn = int((~said & truth).sum()), int((~said & ~truth).sum())
    ill = _share(tp + fn, tp + fp + fn + tn) if prevalence is None else float(prevalence)
    if ill is None or not 0 <= ill <= 1:
        raise ConfigError(f"prevalence: expected a share in [0, 1], got {prevalence}")
    sensitivity, specificity = _share(tp, tp + fn), _share(tn, tn + fp)
    ppv = npv = None
    intervals = {
        "sensitivity": wilson_interval(tp, tp + fn, level),
        "specificity": wilson_interval(tn, tn + fp, level),
    }
    if sensitivity is not None and specificity is not None:
        ppv = _share(sensitivity * ill, sensitivity * ill + (1 - specificity) * (1 - ill))
        npv = _share(specificity * (1 - ill), specificity * (1 - ill) + (1 - sensitivity) * ill)
        intervals["ppv"] = _predictive_interval((tp, tp + fn), (fp, fp + tn), ill, level, ppv)
        # the other class is what a no predicts: the same formula with the roles exchanged
        intervals["npv"] = _predictive_interval((tn, tn + fp), (fn, fn + tp), 1 - ill, level, npv)
    return {
        "threshold": float(threshold), "prevalence": ill,
        "counts": {"tp": tp, "fp": fp, "fn": fn, "tn": tn},
        "sensitivity": sensitivity, "specificity": specificity, "ppv": ppv, "npv": npv,
        "intervals": intervals,
    }  # fmt: skip


def decision_curve(
    labels: ArrayLike,
    scores: ArrayLike,
    task: Task,
    thresholds: Sequence[float] = THRESHOLDS,
    *,
    positive: int = 1,
    prevalence: float | None = None,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> dict[str, Any]:
    """Say what deciding by the network is worth, beside treating all and treating none.

    Whoever treats from a probability t on holds one missed ill person as bad as (1 - t) / t
    healthy people treated. The net benefit counts in found ill people, per person (Vickers and
    Elkin, 2006):

        net benefit(t) = TP / N - FP / N t / (1 - t)

    Treating none is worth 0; treating all, prevalence - (1 - prevalence) t / (1 - t). A network
    is worth asking at the thresholds where its curve is above both.

    Parameters
    ----------
    labels, scores, task, positive, prevalence
        As in `operating_point`; with a prevalence TP / N is sensitivity times it, and FP / N
        the share of false alarms among the healthy times the rest.
    thresholds : sequence of float
        In (0, 1).
    seed, resamples, level
        Of the bootstrap; no resamples leave the intervals out.

    Returns
    -------
    dict of plain JSON types
        ``thresholds``, ``prevalence``, ``net_benefit``, ``treat_all``, ``treat_none``: lists, one
        entry a threshold; ``intervals``: of the net benefit, [low, high] each.

    Raises
    ------
    ConfigError
        If all images or none are of the class, or an argument is impossible.

    Examples
    --------
    >>> curve = tt.evaluate.decision_curve(
    ...     [1, 1, 0, 0], [0.9, 0.4, 0.6, 0.1], "binary-class", [0.2, 0.5], resamples=0
    ... )
    >>> curve["net_benefit"], curve["treat_all"]
    ([0.4375, 0.0], [0.375, 0.0])
    """
    truth, score = _one_class(labels, scores, task, positive)
    t = np.asarray(thresholds, np.float64)
    if not ((t > 0) & (t < 1)).all():
        raise ConfigError(f"thresholds: expected values in (0, 1), got {t.tolist()}")
    if truth.all() or not truth.any():
        raise ConfigError(f"decision curve: needs images in class {positive} and out of it")
    if prevalence is not None and not 0 <= prevalence <= 1:
        raise ConfigError(f"prevalence: expected a share in [0, 1], got {prevalence}")
    said = score[:, None] > t
    hit, alarm = said & truth[:, None], said & ~truth[:, None]  # (N, thresholds)
    odds = t / (1 - t)

    def benefit(weights: NDArray[Any]) -> NDArray[np.float64]:
        """Net benefit (rows, thresholds) with every image counted so often (rows, N)."""
        ill = (weights @ truth)[:, None]
        well = weights.sum(1)[:, None] - ill
        if prevalence is None:
            return np.asarray((weights @ hit - weights @ alarm * odds) / (ill + well))
        with np.errstate(invalid="ignore", divide="ignore"):  # a resample may lack a class
            found, false = weights @ hit / ill, weights @ alarm / well
        return np.asarray(found * prevalence - false * (1 - prevalence) * odds)

    share = float(truth.mean()) if prevalence is None else float(prevalence)
    result: dict[str, Any] = {
        "thresholds": t.tolist(),
        "prevalence": share,
        "net_benefit": benefit(np.ones((1, len(truth))))[0].tolist(),
        "treat_all": (share - (1 - share) * odds).tolist(),
        "treat_none": [0.0] * len(t),
    }
    if resamples:
        drawn = np.concatenate([benefit(w) for w in resampled(len(truth), seed, resamples)])
        result["intervals"] = [percentile_interval(each, level) for each in drawn.T]
    return result


def _one_class(
    labels: ArrayLike, scores: ArrayLike, task: Task, positive: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether each image is of the class, and its probability of it."""
    judged = judge(labels, scores, task)
    if not 0 <= positive < judged.classes:
        raise ConfigError(f"positive: expected a class from 0 to {judged.classes - 1}, "
                          f"got {positive}")  # fmt: skip
    return judged.one_hot[:, positive], judged.scores[:, positive]


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _predictive_interval(
    found: tuple[int, int],
    false: tuple[int, int],
    prevalence: float,
    level: float,
    value: float | None,
) -> list[float] | None:
    """Return the interval of a predictive value from (hits, images) of the class and of the rest.

    PPV = 1 / (1 + (1 - prevalence) / (prevalence r)) rises with the ratio r = se / (1 - sp), and
    r's interval follows from those of its two shares (Donner and Zou, 2012, equation 9; the
    lower end is multiplied out, so that 1 - sp may be 0).
    """
    if value is None or prevalence in (0.0, 1.0):
        return None if value is None else [value, value]
    (above, low_above, high_above), (below, low_below, high_below) = (
        (hits / images, *(wilson_interval(hits, images, level) or ()))
        for hits, images in (found, false)
    )
    product = above * below
    least = low_above * (2 * above - low_above)
    root = math.sqrt(product**2 - least * high_below * (2 * below - high_below))
    low = least / (product + root) if least else 0.0
    most, bottom = high_above * (2 * above - high_above), low_below * (2 * below - low_below)
    high = (product + math.sqrt(product**2 - most * bottom)) / bottom if bottom else math.inf
    odds = (1 - prevalence) / prevalence
    return [ratio / (ratio + odds) if ratio < math.inf else 1.0 for ratio in (low, high)]
