"""Choose the score above which the answer is yes, on validation images only (lesson 11)."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, inf
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.config import Task, is_threshold
from tinyternary.errors import ConfigError, unknown_name
from tinyternary.evaluate.judged import judge
from tinyternary.text import quoted

Threshold = float | NDArray[np.float64]
Goal = Literal["balanced_accuracy", "accuracy", "f1", "sensitivity", "specificity", "cost"]
GOALS: tuple[Goal, ...] = get_args(Goal)


def choose_threshold(
    labels: ArrayLike,
    scores: ArrayLike,
    task: Task,
    goal: Goal = "balanced_accuracy",
    value: float | None = None,
) -> Threshold:
    """Find the threshold that serves a goal best on these (validation) images.

    Parameters
    ----------
    labels, scores, task
        As in `judge`; binary or multi-label.
    goal : {"balanced_accuracy", "accuracy", "f1", "sensitivity", "specificity", "cost"}
        "balanced_accuracy" is Youden's: sensitivity + specificity - 1 is largest at the same
        threshold. "sensitivity": at least `value`, and of such thresholds the highest
        specificity; "specificity": the other way round. "cost": the least sum of false alarms
        and misses, where one miss costs as much as `value` false alarms.
    value : float, optional
        For the last three goals: a share in (0, 1], or a ratio above 0.

    Returns
    -------
    float, or (L,) if multi-label
        Halfway between the scores that it separates; of equally good thresholds
        the one nearest 0.5, and all in [0, 1]: nothing says yes to a score of exactly 0.
        A label without both yes and no keeps 0.5.

    Raises
    ------
    ConfigError
        If the task has no threshold, the goal is unknown or its value is impossible, or scores
        are no probabilities.

    Examples
    --------
    >>> labels, scores = [0, 0, 0, 1, 1], [0.1, 0.2, 0.6, 0.3, 0.8]
    >>> tt.evaluate.choose_threshold(labels, scores, "binary-class", "sensitivity", 1.0)
    0.25
    """
    task = Task(task)
    if task not in (Task.BINARY, Task.MULTI_LABEL):
        raise ConfigError(f"threshold: a {task.value} task decides by the largest score")
    _check_goal(goal, value)
    judged = judge(labels, scores, task)
    low, high = judged.scores.min(), judged.scores.max()
    if not (is_threshold(low) and is_threshold(high)):
        raise ConfigError(f"scores: expected probabilities in [0, 1], got {low:g} to {high:g}")
    if task is Task.BINARY:
        return _best_cut(judged.truth == 1, judged.scores[:, 1], goal, value)
    return np.array(
        [_best_cut(judged.truth[:, i] == 1, judged.scores[:, i], goal, value)
         for i in range(judged.classes)]
    )  # fmt: skip


def read_goal(text: str) -> tuple[Goal, float | None]:
    """Read a goal as a command line has it: ``"f1"``, ``"sensitivity=0.95"``.

    Raises
    ------
    ConfigError
        If it is none, or its value is impossible.

    Examples
    --------
    >>> from tinyternary.evaluate.thresholds import read_goal
    >>> read_goal("cost=5")
    ('cost', 5.0)
    """
    name, equals, value = text.partition("=")
    goal = next((known for known in GOALS if known == name), None)
    if goal is None:
        raise unknown_name("goal", name, GOALS)
    try:
        number = float(value) if equals else None
    except ValueError:
        raise ConfigError(f"goal {goal}: {quoted(value)}, expected a number") from None
    _check_goal(goal, number)
    return goal, number


def _check_goal(goal: str, value: float | None) -> None:
    if goal not in GOALS:
        raise unknown_name("goal", goal, GOALS)
    if goal in ("sensitivity", "specificity"):
        fits, expected = value is not None and 0 < value <= 1, "a share in (0, 1]"
    elif goal == "cost":
        fits = value is not None and 0 < value < inf
        expected = "false alarms that one miss is worth, above 0"
    else:
        fits, expected = value is None, "no value"
    if not fits:
        raise ConfigError(f"goal {goal}: {value}, expected {expected}")


def _best_cut(
    positive: NDArray[np.bool_], score: NDArray[np.float64], goal: Goal, value: float | None
) -> float:
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
    elif goal == "cost":
        merit = value * hit - false
    elif goal in ("sensitivity", "specificity"):
        wanted, other = (hit, -false) if goal == "sensitivity" else (no.sum() - false, hit)
        # what is wanted, in whole images, comes before anything that the other could add
        enough = ceil(Fraction(str(value)) * int(wanted.max()))
        merit = np.minimum(wanted, enough) * (len(score) + 1) + other
    else:
        merit = 2 * hit / (hit + false + yes.sum())
    between = (values[1:] + values[:-1]) / 2
    # between neighbouring floats there is no room: the lower one separates them
    between = np.where(between < values[1:], between, values[:-1])
    cuts = np.concatenate(([values[0] / 2], between, [(values[-1] + 1) / 2]))
    if values[0] == 0:  # no threshold is below 0
        cuts, merit = cuts[1:], merit[1:]
    best = np.flatnonzero(merit >= merit.max() - 1e-12)
    return float(cuts[best[np.abs(cuts[best] - 0.5).argmin()]])
