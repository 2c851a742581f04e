"""How far the engine's answers are from the model that was packed (lesson 10)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import Preprocessing


@dataclass(frozen=True)
class Agreement:
    """Answers of two ways of computing one network, compared.

    Attributes
    ----------
    images : int
        How many were compared.
    largest_difference : float
        Largest absolute difference of two logits.
    mean_difference : float
        Mean absolute difference.
    logit_spread : float
        Standard deviation of the model's logits: what the differences compare with.
    equal_predictions : float
        Share of images on which both give the same labels, 0 to 1.
    """

    images: int
    largest_difference: float
    mean_difference: float
    logit_spread: float
    equal_predictions: float

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain JSON types."""
        return dict(vars(self))


def agreement(
    model: Any, engine: Any, images: NDArray[np.uint8], *, batch_size: int = 64
) -> Agreement:
    """Compare a fake-quantised model with the engine that runs its packed file.

    Parameters
    ----------
    model : ViT
        The model that was packed; it is put into evaluation mode.
    engine : Engine
        What `load` returned.
    images : (B, H, W, C) uint8
        Of the network's own size and channels; at least one.
    batch_size : int
        Images per forward pass of the model.
    """
    from tinyternary.autograd import no_grad

    preprocessing: Preprocessing = engine.header.preprocessing
    model.eval()
    parts = []
    with no_grad():
        for start in range(0, len(images), batch_size):
            batch = images[start : start + batch_size]
            batch = batch if batch.ndim == 4 else batch[..., None]
            parts.append(np.asarray(model(preprocessing(batch)).data, np.float32))
    return compare_logits(np.concatenate(parts), engine(images), lambda x: engine.decide(x).labels)


def compare_logits(
    expected: NDArray[np.float32],
    found: NDArray[np.float32],
    labels: Callable[[NDArray[np.float32]], NDArray[np.int64]],
) -> Agreement:
    """Compare two arrays of logits (B, classes); `labels` turns logits into decisions."""
    difference = np.abs(expected - found)
    equal = labels(expected) == labels(found)
    return Agreement(
        images=len(expected),
        largest_difference=float(difference.max()),
        mean_difference=float(difference.mean()),
        logit_spread=float(expected.std()),
        equal_predictions=float(equal.reshape(len(expected), -1).all(axis=1).mean()),
    )
