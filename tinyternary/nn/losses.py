"""Losses as functions and as modules that carry their options (lesson 03)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd import (
    Tensor,
    bce_with_logits as bce_with_logits,
    cross_entropy as cross_entropy,
    kl_divergence as kl_divergence,
    mse as mse,
)
from tinyternary.nn.module import Module


class CrossEntropyLoss(Module):
    """`cross_entropy` with label smoothing and class weights.

    Parameters
    ----------
    label_smoothing : float
    weight : (C,) floats, optional
    """

    def __init__(
        self, label_smoothing: float = 0.0, weight: NDArray[np.float32] | None = None
    ) -> None:
        self.label_smoothing, self.weight = label_smoothing, weight

    def forward(self, logits: Any, targets: Any) -> Tensor:
        """Logits (B, C), targets (B,) class numbers or (B, C) probabilities."""
        return cross_entropy(logits, targets, self.label_smoothing, self.weight)


class BCEWithLogitsLoss(Module):
    """`bce_with_logits` with weights, for multi-label data."""

    def __init__(self, weight: NDArray[np.float32] | None = None) -> None:
        self.weight = weight

    def forward(self, logits: Any, targets: Any) -> Tensor:
        """Logits and 0/1 targets, both (B, L)."""
        return bce_with_logits(logits, targets, self.weight)


class KLDivergenceLoss(Module):
    """`kl_divergence` from a teacher at a temperature."""

    def __init__(self, temperature: float = 1.0) -> None:
        self.temperature = temperature

    def forward(self, student_logits: Any, teacher_logits: Any) -> Tensor:
        """Both logits (B, C)."""
        return kl_divergence(student_logits, teacher_logits, self.temperature)
