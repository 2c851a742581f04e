"""Whether a score of 0.8 is right eight times in ten (lesson 11)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import Task
from tinyternary.evaluate.judged import Judged

ECE_BINS = 15
"""Bins of confidence, of equal width over [0, 1] or of equally many decisions."""


def confidences(judged: Judged) -> NDArray[np.float64]:
    """Score of what was decided: (N,), or (N, L) if multi-label, where a no has 1 - score."""
    if judged.task is Task.MULTI_LABEL:
        return np.where(judged.decided == 1, judged.scores, 1 - judged.scores)
    return np.take_along_axis(judged.scores, judged.decided[:, None], 1)[:, 0]


def calibration(
    judged: Judged, bins: int = ECE_BINS, equal_mass: bool = False
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Bin of each decision by its confidence, and how far right it was minus the confidence.

    Parameters
    ----------
    judged : Judged
    bins : int
    equal_mass : bool
        Bins of equally many decisions (Nguyen and O'Connor, EMNLP 2015) in place of equally wide
        ones, the last of which holds most decisions of a good network. Equal confidences stay in
        one bin.

    Returns
    -------
    bin : (N,) or (N, L) int64
    gap : same shape, float64
        1 or 0 for right or wrong, minus the score of what was decided.
    """
    confidence = confidences(judged)
    if equal_mass:
        which = equal_mass_bins(np.searchsorted(np.sort(confidence, axis=None), confidence),
                                confidence.size, bins)  # fmt: skip
    else:
        which = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return which, judged.right - confidence


def equal_mass_bins(below: NDArray[np.int64], count: int, bins: int) -> NDArray[np.int64]:
    """Bin of a decision than which so many of all are less confident."""
    return np.asarray(below * bins // count)


def expected_calibration_error(
    judged: Judged, bins: int = ECE_BINS, equal_mass: bool = False
) -> float:
    """Return the ECE (Guo et al., ICML 2017): mean distance of confidence from accuracy by bin.

    Arguments as in `calibration`.
    """
    which, gap = calibration(judged, bins, equal_mass)
    return float(np.abs(np.bincount(which.ravel(), gap.ravel(), bins)).sum() / gap.size)


def calibration_by_chance(
    judged: Judged,
    bins: int = ECE_BINS,
    equal_mass: bool = False,
    *,
    seed: int = 0,
    draws: int = 1000,
) -> NDArray[np.float64]:
    """Draw the ECE that these confidences would show if they were calibrated.

    Every decision is right or wrong by a coin that is as good as its confidence
    (Broecker and Smith, Weather and Forecasting 2007). Few images make large gaps by chance: no
    ECE within these draws speaks against a network, and none below them can be asked for.

    Parameters
    ----------
    judged, bins, equal_mass
        As in `calibration`.
    seed, draws : int

    Returns
    -------
    (draws,) float64

    Examples
    --------
    >>> from tinyternary.evaluate.calibration import calibration_by_chance
    >>> judged = tt.evaluate.judge([0, 1] * 50, [0.2, 0.8] * 50, "binary-class")
    >>> chance = calibration_by_chance(judged)  # 100 coins of .8: .04 / sqrt(pi / 2) on average
    >>> bool(0.025 < chance.mean() < 0.04)
    True
    """
    which, _ = calibration(judged, bins, equal_mass)
    confidence, rng = confidences(judged).ravel(), np.random.default_rng(seed)
    found = np.empty(draws)
    for i in range(draws):
        gap = (rng.random(confidence.size) < confidence) - confidence
        found[i] = np.abs(np.bincount(which.ravel(), gap, bins)).sum() / confidence.size
    return found


def reliability(
    judged: Judged, bins: int = ECE_BINS, equal_mass: bool = False
) -> dict[str, list[Any]]:
    """Confidence and accuracy by bin, as a reliability diagram draws them.

    Arguments as in `calibration`.

    Returns
    -------
    dict of lists, one entry per bin
        ``images`` (decisions, if multi-label); ``confidence`` and ``accuracy``: means, None
        in an empty bin. The ECE is the mean distance of accuracy from confidence, weighted by
        images.
    """
    which, gap = calibration(judged, bins, equal_mass)
    right = judged.right.astype(np.float64)
    counts = np.bincount(which.ravel(), minlength=bins)
    hits, gaps = (np.bincount(which.ravel(), x.ravel(), bins) for x in (right, gap))
    full = [(n, h / n, g / n) if n else None for n, h, g in zip(counts, hits, gaps)]
    return {
        "images": [int(n) for n in counts],
        "confidence": [None if row is None else float(row[1] - row[2]) for row in full],
        "accuracy": [None if row is None else float(row[1]) for row in full],
    }
