"""The AdamW update (lesson 03). Loshchilov and Hutter, ICLR 2019, algorithm 2."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled._arrays import compiled

Array = NDArray[Any]


def adamw_step_numpy(
    weight: Array,
    grad: Array,
    mean: Array,
    square: Array,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    decay: float,
    step: int,
) -> None:
    """Update in place, in plain NumPy."""
    kind = weight.dtype.type
    weight *= kind(1.0 - lr * decay)
    mean += kind(1.0 - beta1) * (grad - mean)
    square += kind(1.0 - beta2) * (grad * grad - square)
    root = np.sqrt(square)
    root *= kind((1.0 - beta2**step) ** -0.5)
    root += kind(eps)
    weight -= kind(lr / (1.0 - beta1**step)) * (mean / root)


def adamw_step(
    weight: Array,
    grad: Array,
    mean: Array,
    square: Array,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    decay: float,
    step: int,
) -> None:
    """Update weights by AdamW, in place, in one pass over memory.

    Parameters
    ----------
    weight, grad, mean, square : float arrays of one shape
        `weight`, `mean` (of gradients) and `square` (of squared gradients) change.
    lr, beta1, beta2, eps, decay : float
        The decay per step is ``lr * decay``.
    step : int
        Number of this update, from 1.
    """
    flat = all(a.flags.c_contiguous for a in (weight, grad, mean, square))
    if not flat or not compiled(weight, grad, mean, square):
        adamw_step_numpy(weight, grad, mean, square, lr, beta1, beta2, eps, decay, step)
        return
    from tinyternary.compiled import _row_loops, threads

    threads.crew.run(
        _row_loops.adamw, weight.size, 1 << 12, 0.3e-9,
        weight.reshape(-1), grad.reshape(-1), mean.reshape(-1), square.reshape(-1),
        1.0 - lr * decay, lr / (1.0 - beta1**step), 1.0 - beta1, 1.0 - beta2,
        (1.0 - beta2**step) ** -0.5, eps,
    )  # fmt: skip
