"""Sets of classes that hold the true one as often as was promised, and answers held back.

A score of 0.9 promises nothing: the network may be too sure. Images with known labels, which the
network did not learn from, turn scores into a promise (split conformal prediction; Vovk et al.,
2005). Give every class of every image a number for how odd it would be there (`nonconformity`),
and look at the n numbers of the true classes. A new image, exchangeable with these n, takes each
of the n + 1 places in their order equally often, so that its own number is among the k smallest
with probability k / (n + 1) or more. Hence

    k = ceil((n + 1) coverage)
    limit = the k-th smallest of the n numbers
    set = all classes whose number is at most the limit

That the new image is like the n ones is all that is asked, and it is much: images of another
hospital are not, nor are the test images of some data sets, and images that chose the epoch are
a little too easy. `judge_sets` on test images shows what is left of the promise.

The n images are one draw, and so is the coverage that they lead to: `coverage_interval`. With
few images it can be far from what was asked on average, and for a coverage above n / (n + 1) no
limit is high enough: the set is then always all classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Context
from fractions import Fraction
from math import ceil, inf
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.config import SetLimits, Task
from tinyternary.config.set_limits import COVERAGES
from tinyternary.errors import ConfigError, unknown_name
from tinyternary.evaluate.intervals import wilson_interval
from tinyternary.evaluate.judged import judge

Rule = Literal["lac", "aps"]
RULES: tuple[Rule, ...] = ("lac", "aps")
F64 = NDArray[np.float64]


def nonconformity(probabilities: ArrayLike, rule: Rule = "lac") -> F64:
    """Say how odd each class would be for each image.

    Parameters
    ----------
    probabilities : (N, C)
    rule : {"lac", "aps"}
        "lac" (least ambiguous set-valued classifier; Sadinle et al., 2019): minus the class's
        probability. The papers' 1 - p has the same order, and rounds. The smallest sets on
        average. They can be empty: of a network that is right more often than was asked, the
        least sure answers get no class.
        "aps" (adaptive prediction sets; Romano et al., 2020, their random number at its upper
        end): the sum of all probabilities that are larger than the class's. Sets that hold the
        likeliest class always, and more where the network is torn; larger on average.

    Returns
    -------
    (N, C) float64

    Raises
    ------
    ConfigError
        If there is no such rule.

    Examples
    --------
    >>> tt.evaluate.nonconformity([[0.5, 0.125, 0.375]], "aps").tolist()
    [[0.0, 0.875, 0.5]]
    """
    p = np.asarray(probabilities, np.float64)
    if rule == "lac":
        return -p
    if rule != "aps":
        raise unknown_name("rule", rule, RULES)
    larger = p[:, None, :] > p[:, :, None]  # (N, class, every class)
    return np.asarray(np.where(larger, p[:, None, :], 0.0).sum(-1))


def conformal_rank(images: int, coverage: float) -> int:
    """Return k = ceil((n + 1) coverage), of the coverage as it is written in decimals.

    Raises
    ------
    ConfigError
        If the coverage is not in (0, 1).

    Examples
    --------
    >>> tt.evaluate.conformal_rank(19, 0.9)  # of 20 places 18
    18
    """
    if not 0 < coverage < 1:
        raise ConfigError(f"coverage: expected a share in (0, 1), got {coverage}")
    # 0.55 is a little more in binary, and 20 x 0.55 would be 12 places instead of 11
    return ceil((images + 1) * Fraction(str(float(coverage))))


def conformal_limit(scores: ArrayLike, coverage: float) -> float:
    """Return the k-th smallest of n numbers, k = ceil((n + 1) coverage); infinity if k > n.

    Parameters
    ----------
    scores : (n,)
        `nonconformity` of the true classes of images that the network did not learn from.
    coverage : float
        Share of sets that are to hold the true class.

    Examples
    --------
    >>> tt.evaluate.conformal_limit([0.25, 0.75, 0.5], coverage=0.5)
    0.5
    """
    ordered = np.sort(np.asarray(scores, np.float64))
    rank = conformal_rank(len(ordered), coverage)
    return float(ordered[rank - 1]) if rank <= len(ordered) else inf


def class_limits(
    labels: ArrayLike,
    probabilities: ArrayLike,
    task: Task,
    coverage: float,
    rule: Rule = "lac",
    *,
    by_class: bool = True,
) -> F64:
    """Find the limit of each class on (validation) images.

    Parameters
    ----------
    labels, probabilities, task
        As in `judge`; one label an image.
    coverage : float
    rule : {"lac", "aps"}
        As in `nonconformity`.
    by_class : bool
        Each class by its own images (Mondrian; Vovk et al., 2005): the coverage then holds among
        the images of each class, rare ones too, and each needs images of its own. False: one
        limit for all, and the coverage holds over all images alone.

    Returns
    -------
    (C,) float64
        Infinity where there are too few images: `conformal_sets` has this class in every set.

    Raises
    ------
    ConfigError
        If the task has several labels an image, or as in `conformal_rank`.
    """
    judged = judge(labels, probabilities, task)
    if judged.task is Task.MULTI_LABEL:
        raise ConfigError("prediction sets: for tasks with one label an image, not multi-label")
    truth = judged.truth
    own = nonconformity(judged.scores, rule)[np.arange(len(truth)), truth]
    if not by_class:
        return np.full(judged.classes, conformal_limit(own, coverage))
    return np.array([conformal_limit(own[truth == c], coverage) for c in range(judged.classes)])


def conformal_sets(
    probabilities: ArrayLike, limits: ArrayLike, rule: Rule = "lac"
) -> NDArray[np.bool_]:
    """Return which classes are in the set of each image: (N, C).

    Parameters
    ----------
    probabilities : (N, C)
    limits : (C,)
        What `class_limits` found with the same rule.
    rule : {"lac", "aps"}

    Examples
    --------
    >>> probabilities = [[0.5, 0.5], [0.25, 0.75], [0.875, 0.125], [0.25, 0.75]]
    >>> limits = tt.evaluate.class_limits(
    ...     [0, 1, 0, 1], probabilities, "binary-class", 0.6, by_class=False
    ... )
    >>> tt.evaluate.conformal_sets([[0.9, 0.1], [0.6, 0.4]], limits).tolist()
    [[True, False], [False, False]]
    """
    return np.asarray(nonconformity(probabilities, rule) <= np.asarray(limits, np.float64))


def set_limits(
    labels: ArrayLike,
    probabilities: ArrayLike,
    task: Task,
    coverages: Sequence[float] = COVERAGES,
) -> SetLimits:
    """Find what a packed file keeps, so that its engine can answer with sets or "not sure".

    Each class gets limits of its own where each has images enough for a coverage of 0.9 (nine),
    and all get one where one has not.

    Parameters
    ----------
    labels, probabilities, task
        As in `judge`: of validation images, with the probabilities that the file's engine
        states; one label an image.
    coverages : sequence of float
        Rising.

    Returns
    -------
    SetLimits
        For `tinyternary.deploy.pack`; rounded to five digits, down, so that no set loses a class.

    Raises
    ------
    ConfigError
        As in `class_limits`.

    Examples
    --------
    >>> probabilities = np.linspace([0.9, 0.1], [0.1, 0.9], 19)
    >>> kept = tt.evaluate.set_limits([0] * 19, probabilities, "binary-class", [0.5, 0.9])
    >>> kept.images, [round(row[0], 3) for row in kept.limits]
    ((19,), [0.5, 0.144])
    """
    judged = judge(labels, probabilities, task)
    counts = judged.one_hot.sum(0)
    by_class = all(conformal_rank(int(n), 0.9) <= n for n in counts)
    rows = [
        class_limits(labels, probabilities, task, coverage, by_class=by_class)
        for coverage in coverages
    ]
    return SetLimits(
        coverages=tuple(float(coverage) for coverage in coverages),
        images=tuple(int(n) for n in counts) if by_class else (len(judged.truth),),
        limits=tuple(
            tuple(_rounded_down(-limit) for limit in (row if by_class else row[:1])) for row in rows
        ),
    )


def _rounded_down(probability: float) -> float:
    """Return at most this probability, with five digits; 0 where any is enough."""
    if probability <= 0:
        return 0.0
    return float(Context(prec=5, rounding=ROUND_FLOOR).create_decimal(probability))


def judge_sets(
    labels: ArrayLike, sets: ArrayLike, images: ArrayLike | None = None, coverage: float = 0.9
) -> dict[str, Any]:
    """Say what prediction sets are worth on images with known labels.

    Parameters
    ----------
    labels : (N,) or (N, 1) int
    sets : (N, C) bool
        As `conformal_sets` returns them.
    images : int or (C,), optional
        How many images the limits were found with, in all or by class.
    coverage : float
        What was asked for; read with `images` alone.

    Returns
    -------
    dict of plain JSON types
        ``images``; ``coverage``: the share of sets that hold the true class, and
        ``coverage_interval`` (Wilson, 95 %); ``mean_size``; ``sizes``: images with 0, 1, ... C
        classes; ``singletons``: the share of sets of exactly one class, where the answer is
        sure, and ``singleton_accuracy``; ``empty``; ``per_class``: ``images``, ``coverage`` and
        ``mean_size`` of the images of each class. With `images`, ``expected``: the interval (or
        one for each class) that this coverage lies in, see `coverage_interval`. What is
        undefined is None.
    """
    chosen = np.asarray(sets, np.bool_)
    truth = np.asarray(labels).reshape(len(chosen))
    held = chosen[np.arange(len(truth)), truth]
    size = chosen.sum(1)
    single = size == 1
    classes = chosen.shape[1]
    mine = [truth == c for c in range(classes)]
    found: dict[str, Any] = {
        "images": len(truth),
        "coverage": float(held.mean()),
        "coverage_interval": wilson_interval(int(held.sum()), len(truth)),
        "mean_size": float(size.mean()),
        "sizes": np.bincount(size, minlength=classes + 1).tolist(),
        "singletons": float(single.mean()),
        "singleton_accuracy": _mean(held[single]),
        "empty": float((size == 0).mean()),
        "per_class": {
            "images": [int(rows.sum()) for rows in mine],
            "coverage": [_mean(held[rows]) for rows in mine],
            "mean_size": [_mean(size[rows]) for rows in mine],
        },
    }
    if images is not None:
        given = np.asarray(images)
        tested = found["per_class"]["images"] if given.ndim else [len(truth)]
        expected = [
            coverage_interval(int(n), coverage, test_images=m) if m else None
            for n, m in zip(given.reshape(-1), tested)
        ]
        found["expected"] = expected if given.ndim else expected[0]
    return found


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None


def coverage_interval(
    images: int, coverage: float, *, test_images: int | None = None, level: float = 0.95
) -> list[float]:
    """Say where the coverage lies that n validation images lead to.

    If no two scores are equal, the coverage over endlessly many new images is a draw from
    Beta(k, n + 1 - k), k = ceil((n + 1) coverage) (Vovk, 2012): that of the k-th smallest of n
    uniform numbers. Over m new images it is a beta-binomial draw over m.

    Parameters
    ----------
    images : int
        n; of a class-wise limit those of the class.
    coverage : float
    test_images : int, optional
        m; endlessly many if left out.
    level : float
        Probability that the coverage lies inside.

    Returns
    -------
    [low, high]
        [1, 1] if k > n, where every set holds all classes.

    Examples
    --------
    >>> [round(end, 2) for end in tt.evaluate.coverage_interval(78, 0.9)]
    [0.84, 0.96]
    """
    from scipy import stats

    rank = conformal_rank(images, coverage)
    if rank > images:
        return [1.0, 1.0]
    tail = (1 - level) / 2
    if test_images is None:
        found = stats.beta.ppf((tail, 1 - tail), rank, images + 1 - rank)
    else:
        counts = np.arange(test_images + 1)
        below = np.cumsum(stats.betabinom.pmf(counts, test_images, rank, images + 1 - rank))
        # a sum may stop short of 1, or of a share that it reaches, by rounding
        found = np.searchsorted(below, np.array((tail, 1 - tail)) - 1e-9) / test_images
    return [float(end) for end in found]


def risk_coverage(right: ArrayLike, confidence: ArrayLike) -> dict[str, Any]:
    """Follow the share of wrong answers while fewer and fewer images are answered.

    Images are answered from the surest to the least sure (selective prediction; El-Yaniv and
    Wiener, 2010). Which of equally sure images come first is left to chance, and the risk is
    the mean over all their orders.

    Parameters
    ----------
    right : (N,) bool
        Whether each answer is right.
    confidence : (N,)
        Higher is surer, for example the largest probability.

    Returns
    -------
    dict
        ``coverage`` and ``risk``, both (N,) float64: the share that is answered, k / N, and the
        share of wrong answers among these k images; ``area``: the mean risk (AURC; Geifman and
        El-Yaniv, 2017), and ``best_area``: that of a confidence which puts every wrong
        answer last.

    Examples
    --------
    >>> curve = tt.evaluate.risk_coverage([True, False, True, True], [0.9, 0.6, 0.8, 0.6])
    >>> curve["risk"].tolist()  # the third and the fourth are equally sure
    [0.0, 0.0, 0.16666666666666666, 0.25]
    """
    wrong = ~np.asarray(right, np.bool_)
    sure = np.asarray(confidence, np.float64)
    _, group, count = np.unique(-sure, return_inverse=True, return_counts=True)
    share = np.bincount(group, wrong) / count  # of each group's answers, the surest group first
    answered = np.arange(1, len(wrong) + 1)
    risk = np.cumsum(np.repeat(share, count)) / answered
    best = np.cumsum(np.sort(wrong)) / answered
    return {
        "coverage": answered / len(wrong),
        "risk": risk,
        "area": float(risk.mean()),
        "best_area": float(best.mean()),
    }
