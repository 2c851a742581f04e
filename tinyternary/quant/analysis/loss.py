"""Loss and accuracy of a model on a few images: what sensitivity compares (lesson 06)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd import no_grad
from tinyternary.config import Preprocessing, Standardization, Task, decide, scores
from tinyternary.data import Dataset, Splits, fit_preprocessing
from tinyternary.errors import ConfigError, DataFileError
from tinyternary.nn import Module, bce_with_logits, cross_entropy


@dataclass(frozen=True)
class Score:
    """Mean loss and share of right answers."""

    loss: float
    accuracy: float


class Judge:
    """The images on which every variant of a model is judged: the same for all.

    Parameters
    ----------
    data : Splits or Dataset
        Of `Splits` the validation part counts: choosing on test would spoil it.
    preprocessing : Preprocessing, optional
        Needed for a `Dataset`; of `Splits` it can be fitted on the training part.
    limit : int
        At most that many images, evenly spaced through the set.
    batch_size : int
    """

    def __init__(
        self,
        data: Splits | Dataset,
        preprocessing: Preprocessing | Standardization | None = None,
        limit: int = 512,
        batch_size: int = 128,
    ) -> None:
        if isinstance(data, Splits):
            preprocessing = preprocessing or fit_preprocessing(data.train)
            data = data.val
        if preprocessing is None:
            raise ConfigError("preprocessing: one split alone needs it; or give Splits")
        if limit < 1 or batch_size < 1:
            raise ConfigError(
                f"limit and batch_size: expected 1 or more, got {limit}, {batch_size}"
            )
        if not len(data):
            raise DataFileError(f"data set {data.name!r}, split {data.split!r}: no images")
        chosen = np.unique(np.linspace(0, len(data) - 1, min(limit, len(data))).round().astype(int))
        self.images: NDArray[np.float32] = preprocessing(data.images[chosen])
        self.labels: NDArray[np.int64] = data.labels[chosen]
        self.task, self.num_classes, self.batch_size = data.task, data.num_classes, batch_size

    def __call__(self, model: Module) -> Score:
        """Mean loss and accuracy; of a multi-label task the share of right labels.

        Raises
        ------
        ConfigError
            If the model answers with another number of classes.
        """
        training = model.training
        model.eval()
        try:
            with no_grad():
                parts = [
                    model(self.images[i : i + self.batch_size]).data
                    for i in range(0, len(self.images), self.batch_size)
                ]
        finally:
            model.train(training)
        logits: NDArray[Any] = np.concatenate(parts)
        if logits.shape[1] != self.num_classes:
            raise ConfigError(
                f"the model has {logits.shape[1]} outputs, the data {self.num_classes} classes"
            )
        if self.task is Task.MULTI_LABEL:
            loss = bce_with_logits(logits, self.labels.astype(logits.dtype))
        else:
            loss = cross_entropy(logits, self.labels)
        right = decide(scores(logits, self.task), self.task) == self.labels
        return Score(float(loss.data), float(right.mean()))
