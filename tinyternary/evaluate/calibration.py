"""Whether a score of 0.8 is right eight times in ten (lesson 11)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import Task
from tinyternary.evaluate.judged import Judged

ECE_BINS = 15
"""Bins of equal width over [0, 1]."""


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
    return which, judged.right - confidence


def expected_calibration_error(judged: Judged, bins: int = ECE_BINS) -> float:
    """Return the ECE (Guo et al., ICML 2017): mean distance of confidence from accuracy by bin."""
    which, gap = calibration(judged, bins)
    return float(np.abs(np.bincount(which.ravel(), gap.ravel(), bins)).sum() / gap.size)


def reliability(judged: Judged, bins: int = ECE_BINS) -> dict[str, list[Any]]:
    """Confidence and accuracy by bin, as a reliability diagram draws them.

    Returns
    -------
    dict of lists, one entry per bin
        ``images`` (decisions, if multi-label); ``confidence`` and ``accuracy``: means, None
        in an empty bin. The ECE is the mean of |accuracy - confidence| weighted by images.
    """
    which, gap = calibration(judged, bins)
    right = judged.right.astype(np.float64)
    counts = np.bincount(which.ravel(), minlength=bins)
    hits, gaps = (np.bincount(which.ravel(), x.ravel(), bins) for x in (right, gap))
    full = [(n, h / n, g / n) if n else None for n, h, g in zip(counts, hits, gaps)]
    return {
        "images": [int(n) for n in counts],
        "confidence": [None if row is None else float(row[1] - row[2]) for row in full],
        "accuracy": [None if row is None else float(row[1]) for row in full],
    }
