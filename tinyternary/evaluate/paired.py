"""Two networks asked about the same images: their difference is paired (lesson 11).

Images that are hard for one are hard for the other. Intervals of each alone overlap long after
the difference, image by image, is clear.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.errors import ShapeError
from tinyternary.evaluate.intervals import bootstrap, percentile_intervals, wilson_interval
from tinyternary.evaluate.judged import Judged


def paired_intervals(
    first: Judged, second: Judged, seed: int = 0, resamples: int = 1000, level: float = 0.95
) -> dict[str, list[float]]:
    """Return the percentile bootstrap interval of each metric's difference, second less first.

    Each resample draws the same images for both.

    Parameters
    ----------
    first, second : Judged
        Answers about the same images in the same order.
    seed, resamples, level
        As in `tinyternary.evaluate.intervals.bootstrap_intervals`.

    Raises
    ------
    ShapeError
        If the labels are not the same.
    """
    if first.task != second.task or not np.array_equal(first.truth, second.truth):
        raise ShapeError("paired: expected answers about the same images in the same order")
    one, two = (bootstrap(each, seed, resamples) for each in (first, second))
    return percentile_intervals({name: two[name] - one[name] for name in one}, level)


def share_difference(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> list[float]:
    """Return Newcombe's interval of a paired difference of shares, second less first.

    Method 10 of Newcombe (Statistics in Medicine 17, 1998): Wilson's intervals of both shares,
    joined by their correlation. It has a width also where no image tells the two apart, where
    a bootstrap has none.

    Parameters
    ----------
    first, second : (N,) bool
        What is counted, for the same images.

    Examples
    --------
    >>> from tinyternary.evaluate.paired import share_difference
    >>> [round(end, 2) for end in share_difference([True] * 20, [True] * 20)]
    [-0.16, 0.16]
    """
    a, b = np.asarray(first, bool), np.asarray(second, bool)
    n = len(a)
    both, neither = int((a & b).sum()), int((~a & ~b).sum())
    only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
    share: list[NDArray[np.float64]] = []
    for hits in (both + only_a, both + only_b):
        low, high = wilson_interval(hits, n, level) or (0.0, 1.0)
        share.append(np.array([hits / n - low, high - hits / n]))  # how far down, how far up
    (down_a, up_a), (down_b, up_b) = share
    margins = np.prod(
        [both + only_a, only_b + neither, both + only_b, only_a + neither], dtype=float
    )
    cross: float = both * neither - only_a * only_b
    # the continuity correction is for positive correlation only
    cross = max(cross - n / 2, 0) if cross > 0 else cross
    correlation = cross / np.sqrt(margins) if margins else 0.0
    difference = (only_b - only_a) / n

    def joined(x: float, y: float) -> float:
        return float(np.sqrt(max(x * x - 2 * correlation * x * y + y * y, 0.0)))

    return [
        max(-1.0, difference - joined(down_b, up_a)),
        min(1.0, difference + joined(up_b, down_a)),
    ]
