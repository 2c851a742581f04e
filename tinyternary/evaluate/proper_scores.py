"""Scores that honesty serves best: log-loss and Brier score, image by image (lesson 11).

Who has to announce a probability and pays one of these does best, on average, by announcing what
they believe (Gneiting and Raftery, JASA 2007). Accuracy, AUC and the ECE are not like that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.config import Task
from tinyternary.evaluate.judged import Judged


def log_losses(logits: ArrayLike, goal: NDArray[Any], task: Task) -> NDArray[np.float64]:
    """Return -log p of what is true, in nats: (N,); if multi-label the mean over labels.

    Parameters
    ----------
    logits : (N, C)
        Logarithms of probabilities come from the logits themselves: a probability may round to 0
        or 1. What is out of the question may be -inf.
    goal : (N, C)
        1 for the true class, or for each label that an image has, else 0.
    task : Task
    """
    x = np.asarray(logits, np.float64)
    if task is Task.MULTI_LABEL:
        return np.asarray((goal * np.logaddexp(0, -x) + (1.0 - goal) * np.logaddexp(0, x)).mean(1))
    right = (goal * np.where(goal == 0, 0.0, x)).sum(1)
    return np.asarray(np.logaddexp.reduce(x, axis=1) - right)


def brier_scores(judged: Judged) -> NDArray[np.float64]:
    """Return the squared distance of the scores from the truth: (N,).

    Brier (Monthly Weather Review 1950) sums over classes: 0 to 2. Of two classes only class 1
    counts, and of several labels the mean: 0 to 1, as in scikit-learn's ``brier_score_loss``.
    """
    squares = (judged.scores - judged.one_hot) ** 2
    if judged.task is Task.BINARY:
        return np.asarray(squares[:, 1])
    return np.asarray(squares.mean(1) if judged.task is Task.MULTI_LABEL else squares.sum(1))
