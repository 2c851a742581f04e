"""A running mean of the weights, which is what gets evaluated and kept (lesson 03).

Averaging over the last steps removes the noise of single batches; on a few
hundred training images it is worth more than any single best epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd import Tensor
from tinyternary.errors import CheckpointError, ConfigError


class WeightAverage:
    """Exponential moving average (EMA) of parameters.

    Parameters
    ----------
    parameters : mapping of str to Tensor
        What is averaged; read again at each `update`.
    decay : float
        Share of the old average that is kept per step, in [0, 1). In the first
        steps it is lowered to (1 + step) / (10 + step), so that the random
        start is forgotten.
    """

    def __init__(self, parameters: Mapping[str, Tensor], decay: float) -> None:
        if not 0.0 <= decay < 1.0:
            raise ConfigError(f"ema: expected a decay in [0, 1), got {decay}")
        self.decay, self.steps = decay, 0
        self.parameters = dict(parameters)
        self.arrays = {name: p.data.copy() for name, p in self.parameters.items()}

    def update(self) -> None:
        """Move the average towards the present weights."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, parameter in self.parameters.items():
            average = self.arrays[name]
            average *= np.float32(decay)
            average += np.float32(1.0 - decay) * parameter.data

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Run a block with the averages in place of the weights, then put those back."""
        kept = {name: p.data.copy() for name, p in self.parameters.items()}
        try:
            for name, parameter in self.parameters.items():
                parameter.data[...] = self.arrays[name]
            yield
        finally:
            for name, parameter in self.parameters.items():
                parameter.data[...] = kept[name]

    def load_state_dict(self, arrays: Mapping[str, NDArray[Any]], steps: int) -> None:
        """Put a saved average back.

        Raises
        ------
        CheckpointError
            If names or shapes are not those of the parameters.
        """
        for name, average in self.arrays.items():
            if name not in arrays or arrays[name].shape != average.shape:
                raise CheckpointError(f"weight average {name!r} is missing or of another shape")
            average[...] = arrays[name]
        self.steps = int(steps)
