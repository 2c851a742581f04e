"""From logits to an answer: THE decision rule, which engine, judge and reports call (lesson 03).

    several labels   yes to each label whose probability is above its threshold
    two classes      class 1 if its probability is above the threshold, else class 0
    more classes     the largest probability; of equal ones the first

A threshold that nobody chose is one half; all are in [0, 1], where probabilities are. At 0 the
answer is yes to everything but a probability of exactly 0, at 1 it is no to all. Everything is
float64, so that a probability and a threshold are compared as they are, whatever type they came in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.config.task import Task
from tinyternary.errors import ConfigError, ShapeError

HALF = 0.5
"""The threshold where none was chosen."""


def scores(logits: ArrayLike, task: Task) -> NDArray[np.float64]:
    """Logits (N, C) as probabilities (N, C): softmax, or a sigmoid per label if multi-label."""
    x = np.asarray(logits, np.float64)
    if task is Task.MULTI_LABEL:
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))
    e = np.exp(x - x.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))


def is_threshold(value: float) -> bool:
    """Say whether a number can be a threshold: whether it is in [0, 1]."""
    return 0 <= value <= 1


def decide(
    probabilities: ArrayLike, task: Task, threshold: ArrayLike | None = None
) -> NDArray[np.int64]:
    """Turn probabilities into decisions.

    Parameters
    ----------
    probabilities : (N, C)
        As `scores` gives them.
    task : Task
    threshold : float, or (C,) if multi-label, optional
        Above it (not at it) the answer is yes; one half if it is left out. More than two
        classes have none: the largest probability decides.

    Returns
    -------
    (N,) int64, or (N, C) int64 of 0 and 1 if multi-label

    Raises
    ------
    ShapeError
        If the number of thresholds does not fit.
    ConfigError
        If one of them is not in [0, 1].

    Examples
    --------
    >>> decide([[0.5, 0.5], [0.2, 0.8]], Task.BINARY).tolist()
    [0, 1]
    >>> decide([[0.5, 0.5], [0.2, 0.8]], Task.BINARY, threshold=0.4).tolist()
    [1, 1]
    """
    p = np.asarray(probabilities, np.float64)
    limit = np.asarray(HALF if threshold is None else threshold, np.float64)
    count = p.shape[1] if task is Task.MULTI_LABEL else 1
    if limit.size != 1 and limit.shape != (count,):
        raise ShapeError(f"threshold: expected a number or {count}, got {limit.shape}")
    if not all(map(is_threshold, limit.flat)):
        raise ConfigError(f"threshold: expected values in [0, 1], got {limit.tolist()}")
    if task is Task.MULTI_LABEL:
        return (p > limit).astype(np.int64)
    if p.shape[1] == 2:
        return (p[:, 1] > limit.reshape(())).astype(np.int64)
    return np.asarray(p.argmax(1))
