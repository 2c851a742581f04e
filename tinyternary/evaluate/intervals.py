"""Intervals: how far a figure could move with other test images (lesson 11).

A share can have Wilson's, without a draw; metrics have the bootstrap's: images are drawn with
replacement (Efron and Tibshirani, 1993, percentile interval). All resamples share one sorting of
the scores: a resample is a vector of counts, and every metric a sum over images weighted by counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import Task
from tinyternary.errors import ConfigError
from tinyternary.evaluate.calibration import (
    ECE_BINS,
    calibration,
    confidences,
    equal_mass_bins,
)
from tinyternary.evaluate.confusion import mean_of_defined, summary
from tinyternary.evaluate.judged import Judged

_CELLS = 1_000_000  # entries of the largest temporary array


def bootstrap_intervals(
    judged: Judged,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
    means: Mapping[str, NDArray[np.float64]] | None = None,
) -> dict[str, list[float]]:
    """Return the percentile interval of each metric.

    Parameters
    ----------
    judged : Judged
    seed : int
    resamples : int
    level : float
        Coverage, for example 0.95.
    means : mapping, optional
        Further metrics that are means over images: name to a number of each image (N,).

    Returns
    -------
    dict
        Metric to [low, high]; metrics that are undefined in every resample are absent.

    Raises
    ------
    ConfigError
        If `resamples` or `level` is impossible.
    """
    _check(resamples, level)
    return percentile_intervals(bootstrap(judged, seed, resamples, means), level)


def percentile_intervals(
    drawn: Mapping[str, NDArray[np.float64]], level: float
) -> dict[str, list[float]]:
    """Return `percentile_interval` of each figure; those that no resample defines are absent."""
    found = {name: percentile_interval(values, level) for name, values in drawn.items()}
    return {name: ends for name, ends in found.items() if ends is not None}


def percentile_interval(values: NDArray[np.float64], level: float) -> list[float] | None:
    """Return [low, high] that hold the middle of a figure's resamples (R,).

    Where it is not finite a resample does not define it, and does not count; None if none does.
    """
    known = values[np.isfinite(values)]
    return _ends(known, level) if known.size else None


def _ends(values: NDArray[np.float64], level: float) -> list[float]:
    tail = (1 - level) / 2
    low, high = np.quantile(values, (tail, 1 - tail)).tolist()
    return [low, high]


def wilson_interval(hits: int, images: int, level: float = 0.95) -> list[float] | None:
    """Return Wilson's interval (1927) of a share of images; None of no images.

    All shares p whose distance from the share that was seen is at most z standard errors at
    p: the roots of (seen - p)^2 = z^2 p (1 - p) / n.

    Examples
    --------
    >>> [round(end, 3) for end in tt.evaluate.wilson_interval(20, 20)]
    [0.839, 1.0]
    """
    if images == 0:
        return None
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    middle = (hits + z2 / 2) / (images + z2)
    half = math.sqrt(z2 * (hits * (images - hits) / images + z2 / 4)) / (images + z2)
    # at the ends a root is 0 or 1, and rounding must not leave the share outside
    low = 0.0 if hits == 0 else middle - half
    high = 1.0 if hits == images else middle + half
    return [low, high]


def bootstrap(
    judged: Judged,
    seed: int,
    resamples: int,
    means: Mapping[str, NDArray[np.float64]] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Return each metric (R,) of so many resamples; NaN where one is undefined."""
    images, features = len(judged.truth), _count_features(judged)
    gaps, ranking, equal_mass = _in_any_order(_gaps(judged)), _Ranking(judged), _EqualMass(judged)
    means = {name: _in_any_order(values) for name, values in (means or {}).items()}
    parts: list[dict[str, NDArray[np.float64]]] = []
    for weights in resampled(images, seed, resamples):
        # whole numbers below 2^24: exact in float32, in any order
        sums = (weights.astype(np.float32) @ features).astype(np.float64)
        by_bin = weights.astype(np.float64) @ gaps
        found = _metrics(judged, sums, by_bin, ranking(weights))
        found["ece_equal_mass"] = equal_mass(weights)
        found |= {name: weights @ values / images for name, values in means.items()}
        parts.append(found)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def resampled(images: int, seed: int, resamples: int) -> Iterator[NDArray[np.int32]]:
    """Draw resamples, a block at a time: how often each image is in each, (rows, N)."""
    rng = np.random.default_rng(seed)
    rows = max(1, _CELLS // images)
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        picks = rng.integers(0, images, (count, images)) + images * np.arange(count)[:, None]
        weights = np.bincount(picks.ravel(), minlength=count * images).astype(np.int32)
        yield weights.reshape(count, images)


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


def _in_any_order(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round numbers of N images so that every sum of N of them is exact.

    BLAS adds in an order that depends on the number of threads; multiples of one power of two
    whose sums stay below 2^53 of it give the same bits in all. An entry moves by at most N 2^-53
    of the largest.
    """
    largest = np.abs(values).max(initial=0.0) * len(values)
    if not 0 < largest < math.inf:
        return values
    unit = 2.0 ** (math.frexp(largest)[1] - 53)
    rounded: NDArray[np.float64] = np.rint(values / unit) * unit
    return rounded


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
        return mean_of_defined(found, 0)


class _EqualMass:
    """ECE of resamples, each with its own bins of equally many decisions."""

    def __init__(self, judged: Judged) -> None:
        _, gap = calibration(judged)
        confidence = confidences(judged)
        order = np.argsort(confidence, axis=None, kind="stable")
        ranked = confidence.ravel()[order]
        self._image = order // (confidence.size // len(confidence))
        self._gap = gap.ravel()[order]
        self._first = np.searchsorted(ranked, ranked)  # of those that are as confident

    def __call__(self, weights: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the ECE (R,) of resamples with these counts (R, N)."""
        count = len(self._image)
        rows = max(1, _CELLS // count)
        return np.concatenate(
            [self._errors(weights[start : start + rows], count)
             for start in range(0, len(weights), rows)]
        )  # fmt: skip

    def _errors(self, weights: NDArray[np.int32], count: int) -> NDArray[np.float64]:
        drawn = weights[:, self._image]
        below = np.zeros((len(drawn), count + 1), np.int64)
        np.cumsum(drawn, axis=1, out=below[:, 1:])
        which = equal_mass_bins(below[:, self._first], count, ECE_BINS)
        # what comes after the last drawn decision is not drawn, and weighs nothing
        cell = np.minimum(which, ECE_BINS - 1) + ECE_BINS * np.arange(len(drawn))[:, None]
        sums = np.bincount(cell.ravel(), (drawn * self._gap).ravel(), ECE_BINS * len(drawn))
        return np.asarray(np.abs(sums.reshape(-1, ECE_BINS)).sum(1) / count)


def mean_interval(
    values: NDArray[np.floating], seed: int = 0, resamples: int = 1000, level: float = 0.95
) -> list[float]:
    """Return the percentile interval of the mean of one number per image.

    The mean of paired differences too: draw images, and both numbers come with each.

    Parameters
    ----------
    values : (N,)
    seed, resamples, level
        As in `bootstrap_intervals`.

    Returns
    -------
    list of two floats
        Low and high.
    """
    _check(resamples, level)
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(values), (resamples, len(values)))
    return _ends(values[picks].mean(axis=1), level)


def _check(resamples: int, level: float) -> None:
    if resamples < 1 or not 0 < level < 1:
        raise ConfigError(
            f"bootstrap: expected resamples >= 1 and a level in (0, 1), got {resamples} and {level}"
        )
