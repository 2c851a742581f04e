"""Choose the score above which the answer is yes, on validation images only (lesson 11)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.config import Task, is_threshold
from tinyternary.errors import ConfigError, unknown_name
from tinyternary.evaluate.judged import judge

Threshold = float | NDArray[np.float64]


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
        the one nearest 0.5, and all in [0, 1]: nothing says yes to a score of exactly 0.
        A label without both yes and no keeps 0.5.

    Raises
    ------
    ConfigError
        If the task has no threshold, the goal is unknown, or scores are no probabilities.
    """
    task = Task(task)
    if task not in (Task.BINARY, Task.MULTI_LABEL):
        raise ConfigError(f"threshold: a {task.value} task decides by the largest score")
    if goal not in ("balanced_accuracy", "accuracy", "f1"):
        raise unknown_name("goal", goal, ("balanced_accuracy", "accuracy", "f1"))
    judged = judge(labels, scores, task)
    low, high = judged.scores.min(), judged.scores.max()
    if not (is_threshold(low) and is_threshold(high)):
        raise ConfigError(f"scores: expected probabilities in [0, 1], got {low:g} to {high:g}")
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
    between = (values[1:] + values[:-1]) / 2
    # between neighbouring floats there is no room: the lower one separates them
    between = np.where(between < values[1:], between, values[:-1])
    cuts = np.concatenate(([values[0] / 2], between, [(values[-1] + 1) / 2]))
    if values[0] == 0:  # no threshold is below 0
        cuts, merit = cuts[1:], merit[1:]
    best = np.flatnonzero(merit >= merit.max() - 1e-12)
    return float(cuts[best[np.abs(cuts[best] - 0.5).argmin()]])
