"""From logits to an answer: THE decision rule, which engine, judge and reports call (lesson 03).

    several labels   yes to each label whose probability is above its threshold
    two classes      class 1 if its probability is above the threshold, else class 0
    more classes     the largest probability; of equal ones the first

A threshold that nobody chose is one half; all are in [0, 1], where probabilities are. At 0 the
answer is yes to everything but a probability of exactly 0, at 1 it is no to all. Everything is
float64, so that a probability and a threshold are compared as they are, whatever type they came in.

Logits may be divided by a temperature first (`tinyternary.evaluate.fit_temperature`). A threshold
is one of probabilities at that temperature, and has to be chosen on them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.config.task import Task
from tinyternary.errors import ConfigError, NonFiniteError, ShapeError

HALF = 0.5
"""The threshold where none was chosen."""


LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.01, 100.0
"""Between these a temperature lies; 1 leaves probabilities as they are."""


def scores(logits: ArrayLike, task: Task, temperature: float = 1.0) -> NDArray[np.float64]:
    """Logits (N, C) as probabilities (N, C): softmax, or a sigmoid per label if multi-label.

    Parameters
    ----------
    logits : (N, C)
    task : Task
    temperature : float
        Divides the logits; see `is_temperature`.

    Raises
    ------
    ConfigError
        If the temperature is none.
    NonFiniteError
        If a logit is NaN or infinite: such an answer stands for no class.
    """
    if not is_temperature(temperature):
        raise ConfigError(
            f"temperature: expected a number from {LEAST_TEMPERATURE:g} to {MOST_TEMPERATURE:g}, "
            f"got {temperature}"
        )
    x = np.asarray(logits, np.float64) / temperature
    bad = np.flatnonzero(~np.isfinite(x).all(axis=1))
    if len(bad):
        raise NonFiniteError(
            f"logits: NaN or infinity for {len(bad)} of {len(x)} images (the first: {bad[0]}); the "
            "network's weights are damaged, or too large for float32"
        )
    if task is Task.MULTI_LABEL:
        return np.asarray(np.exp(-np.logaddexp(0.0, -x)))  # 1 / (1 + e^-x), small ones too
    e = np.exp(x - x.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))


def is_temperature(value: float) -> bool:
    """Say whether logits can be divided by a number: whether it is far from 0 and infinity."""
    return LEAST_TEMPERATURE <= value <= MOST_TEMPERATURE


def is_threshold(value: float) -> bool:
    """Say whether a number can be a threshold: whether it is in [0, 1]."""
    return 0 <= value <= 1


def logit_limits(
    task: Task, threshold: tuple[float, ...] | None, classes: int, temperature: float = 1.0
) -> tuple[float, ...]:
    """Thresholds as limits of logits, for who decides without probabilities.

    A label is true where its logit is above its limit, and of two classes the second where its
    logit exceeds the first's by more than the limit: sigmoid and softmax rise with these. A
    temperature scales the limits, since thresholds are of probabilities at it.

    Returns
    -------
    tuple of float
        One for each label of a multi-label task, else one.
    """
    given = threshold or (HALF,)
    several = task is Task.MULTI_LABEL and len(given) == 1
    return tuple(temperature * _logit(p) for p in (given * classes if several else given))


def _logit(probability: float) -> float:
    """Return where the sigmoid has this value."""
    if probability in (0.0, 1.0):
        return math.copysign(math.inf, probability - HALF)
    return math.log(probability / (1 - probability))


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
