"""One number that makes probabilities mean what they say, from validation images (lesson 11).

Temperature scaling (Guo et al., ICML 2017) divides logits by T before they become
probabilities: above 1 all answers become less sure, below 1 surer. No decision at one half, or
for the likeliest class, changes, and two classes keep the order of their images.

With b = 1 / T the log-loss of an image is log sum_k exp(b m_k), where m_k is the logit of class k
less that of the true class: convex in b, with the slope sum_k p_k m_k. So the best b is where the
slope of the mean is zero, and there is one. A label that may be true or not is a case of two
classes with margins 0 and -x (or +x, if it is not true).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import softmax

from tinyternary.config import Task, scores
from tinyternary.errors import NonFiniteError, ShapeError
from tinyternary.evaluate.judged import judge

LEAST, MOST = 1 / 20, 20.0
"""Temperatures that are looked at. Few images can ask for any."""


def fit_temperature(labels: ArrayLike, logits: ArrayLike, task: Task) -> float:
    """Find the temperature with the least log-loss on these (validation) images.

    Parameters
    ----------
    labels : (N,) or (N, 1) int; (N, L) of 0 and 1 if multi-label
    logits : (N, C) float
        One pass of each image, as a packed file answers.
    task : Task

    Returns
    -------
    float
        From `LEAST` to `MOST`. Exactly 1 if no class (or label) has a larger logit than the
        true one on any image: such images ask for a temperature of 0, and cannot say where to
        stop.

    Raises
    ------
    ShapeError, ConfigError
        As in `judge`.
    NonFiniteError
        If a logit is NaN or infinite, or so large that differences are.

    Examples
    --------
    >>> logits = [[3.0, 0.0]] * 10  # each image p = .95, and 6 of 10 are right
    >>> labels = [0] * 6 + [1] * 4
    >>> round(tt.evaluate.fit_temperature(labels, logits, "binary-class"), 2)  # 3 / log(6 / 4)
    7.4
    """
    task, x = Task(task), np.asarray(logits, np.float64)
    if x.ndim != 2:
        raise ShapeError(f"logits: expected (images, classes), got {x.shape}")
    belongs = judge(labels, scores(x, task), task).one_hot
    if belongs.shape != x.shape:
        raise ShapeError(f"logits: expected {belongs.shape[1]} columns, got {x.shape}")
    margins = _margins(x, belongs, task)
    if (margins <= 0).all():
        return 1.0

    def slope(b: float) -> float:
        return float((softmax(b * margins, axis=1) * margins).sum(1).mean())

    if slope(1 / MOST) >= 0:
        return MOST
    if slope(1 / LEAST) <= 0:
        return LEAST
    return float(1 / brentq(slope, 1 / MOST, 1 / LEAST, xtol=1e-12))


def _margins(x: NDArray[np.float64], belongs: NDArray[np.bool_], task: Task) -> NDArray[np.float64]:
    """Logits less that of what is true: (N, C), or (N L, 2) if multi-label."""
    with np.errstate(over="ignore"):
        if task is Task.MULTI_LABEL:
            wrong = np.where(belongs, -x, x).ravel()
            margins = np.stack((np.zeros_like(wrong), wrong), 1)
        else:
            margins = x - x[belongs][:, None]
        if not np.isfinite(margins / LEAST).all():
            raise NonFiniteError("logits: too large for a temperature: their differences overflow")
    return margins
