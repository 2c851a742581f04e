"""Bootstrap intervals: how far a figure could move with other test images (lesson 11).

Images are drawn with replacement (Efron and Tibshirani, 1993, percentile
interval). All resamples share one sorting of the scores: a resample is a vector
of counts, and every metric a sum over images weighted by counts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import Task
from tinyternary.errors import ConfigError
from tinyternary.evaluate.calibration import ECE_BINS, calibration
from tinyternary.evaluate.confusion import summary
from tinyternary.evaluate.judged import Judged

_CELLS = 1_000_000  # entries of the largest temporary array


def bootstrap_intervals(
    judged: Judged, seed: int = 0, resamples: int = 1000, level: float = 0.95
) -> dict[str, list[float]]:
    """Return the percentile interval of each metric.

    Parameters
    ----------
    judged : Judged
    seed : int
    resamples : int
    level : float
        Coverage, for example 0.95.

    Returns
    -------
    dict
        Metric to [low, high]; metrics that are undefined in every resample are absent.

    Raises
    ------
    ConfigError
        If `resamples` or `level` is impossible.
    """
    if resamples < 1 or not 0 < level < 1:
        raise ConfigError(
            f"bootstrap: expected resamples >= 1 and a level in (0, 1), got {resamples} and {level}"
        )
    drawn = bootstrap(judged, seed, resamples)
    tail = (1 - level) / 2
    found = {}
    for name, values in drawn.items():
        known = values[np.isfinite(values)]
        if known.size:
            found[name] = [float(v) for v in np.quantile(known, (tail, 1 - tail))]
    return found


def bootstrap(judged: Judged, seed: int, resamples: int) -> dict[str, NDArray[np.float64]]:
    """Return each metric (R,) of so many resamples; NaN where one is undefined."""
    rng = np.random.default_rng(seed)
    images = len(judged.truth)
    features = _count_features(judged)
    gaps, ranking = _gaps(judged), _Ranking(judged)
    rows = max(1, _CELLS // images)
    parts: list[dict[str, NDArray[np.float64]]] = []
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        picks = rng.integers(0, images, (count, images)) + images * np.arange(count)[:, None]
        weights = np.bincount(picks.ravel(), minlength=count * images).astype(np.int32)
        weights = weights.reshape(count, images)
        # whole numbers below 2^24: exact in float32, in any order
        sums = (weights.astype(np.float32) @ features).astype(np.float64)
        by_bin = weights.astype(np.float64) @ gaps
        parts.append(_metrics(judged, sums, by_bin, ranking(weights)))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _count_features(judged: Judged) -> NDArray[np.float32]:
    """One column per cell of the confusion counts: (N, cells)."""
    classes = judged.classes
    if judged.task is Task.MULTI_LABEL:
        cell = 2 * judged.truth + judged.decided  # (N, L)
        marks = (cell[:, :, None] == np.arange(4)).reshape(len(cell), -1)
    else:
        marks = (classes * judged.truth + judged.decided)[:, None] == np.arange(classes**2)
    table: NDArray[np.float32] = marks.astype(np.float32)
    return table


def _gaps(judged: Judged) -> NDArray[np.float64]:
    """Calibration gap of each image in the column of its bin: (N, ECE_BINS)."""
    which, gap = calibration(judged)
    if which.ndim == 1:
        which, gap = which[:, None], gap[:, None]
    table = np.zeros((len(which), ECE_BINS))
    np.add.at(table, (np.arange(len(which))[:, None], which), gap / which.shape[1])
    return table


def _metrics(
    judged: Judged, sums: NDArray[np.float64], gaps: NDArray[np.float64], auc: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Metrics (R,) of resamples from their confusion counts, bin gaps and AUCs."""
    classes, images = judged.classes, len(judged.truth)
    if judged.task is Task.MULTI_LABEL:
        counts: NDArray[np.float64] = sums.reshape(-1, classes, 2, 2)
        right = counts[..., 0, 0].sum(1) + counts[..., 1, 1].sum(1)
        right = right / classes
    else:
        counts = sums.reshape(-1, classes, classes)
        right = np.trace(counts, axis1=1, axis2=2)
    return {
        "acc": right / images,
        "auc": auc,
        **summary(counts, judged.task),
        "ece": np.abs(gaps).sum(1) / images,
    }


class _Ranking:
    """AUC under weights: share of (yes, no) pairs in the right order, ties counting half."""

    def __init__(self, judged: Judged) -> None:
        # a binary task has one AUC, that of class 1
        columns = [1] if judged.task is Task.BINARY else range(judged.classes)
        self._columns = []
        for column in columns:
            score, belongs = judged.scores[:, column], judged.one_hot[:, column]
            yes, no = np.flatnonzero(belongs), np.flatnonzero(~belongs)
            no = no[np.argsort(score[no], kind="stable")]
            # how many of "no" score less than each "yes", and how many at most as much
            below = [np.searchsorted(score[no], score[yes], side) for side in ("left", "right")]
            self._columns.append((yes, no, *below))

    def __call__(self, weights: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the (mean) AUC (R,) of resamples with these counts (R, N)."""
        found = np.full((len(self._columns), len(weights)), np.nan)
        for row, (yes, no, less, at_most) in enumerate(self._columns):
            drawn = np.zeros((len(weights), len(no) + 1))
            np.cumsum(weights[:, no], axis=1, out=drawn[:, 1:])
            chosen = weights[:, yes]
            ordered = (chosen * (drawn[:, less] + drawn[:, at_most])).sum(1) / 2
            pairs = chosen.sum(1) * drawn[:, -1]
            np.divide(ordered, pairs, out=found[row], where=pairs > 0)
        known = np.isfinite(found)
        with np.errstate(invalid="ignore"):
            mean: NDArray[np.float64] = np.where(known, found, 0).sum(0) / known.sum(0)
        return mean
