"""Labels as the probabilities that a network should answer with (lesson 03)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import Task


def targets(
    labels: NDArray[np.int64], task: Task, classes: int, ordinal_width: float = 0.5
) -> NDArray[np.float32]:
    """Labels as one row of class probabilities each.

    Parameters
    ----------
    labels : (B,) int, or (B, L) of 0 and 1 for multi-label tasks
    task : Task
    classes : int
        C, or L for multi-label tasks.
    ordinal_width : float
        Width of the spread over neighbouring grades of ordinal tasks; 0 is none.

    Returns
    -------
    (B, C) float32
        Rows sum to 1, except for multi-label tasks.
    """
    if task is Task.MULTI_LABEL:
        return np.asarray(labels, np.float32)
    if task is Task.ORDINAL and ordinal_width > 0:
        distance = np.abs(np.arange(classes)[:, None] - np.arange(classes)[None, :])
        soft = np.exp(-distance / ordinal_width)
        return np.asarray(soft / soft.sum(1, keepdims=True), np.float32)[labels]
    return np.eye(classes, dtype=np.float32)[labels]
