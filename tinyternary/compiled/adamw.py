"""The update of AdamW in one pass over memory (lesson 08)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled._arrays import floats
from tinyternary.compiled._signatures import IN1, VEC, F, I, void
from tinyternary.compiled.switch import njit
from tinyternary.compiled.threads import share_pieces
from tinyternary.compiled.twins import register

Array = NDArray[Any]


@njit(
    signature_or_function=void(
        I, I, VEC, IN1, VEC, VEC, F, F, F, F, F, F
    ),
    fastmath={"contract"},
)  # fmt: skip
def _update(first, last, p, g, m, v, keep, step, rest1, rest2, root2, eps):
    """One AdamW update of entries: weights p, gradient g, averages m and v, all in one pass.

    keep = 1 - lr decay; step = lr / (1 - beta1^t); rest = 1 - beta; root2 = 1 / sqrt(1 - beta2^t).
    """
    weight, grad, mean, square = p[first:last], g[first:last], m[first:last], v[first:last]
    for i in range(weight.size):
        a = mean[i] + rest1 * (grad[i] - mean[i])
        b = square[i] + rest2 * (grad[i] * grad[i] - square[i])
        mean[i], square[i] = a, b
        weight[i] = weight[i] * keep - step * a / (np.sqrt(b) * root2 + eps)


@register("AdamW")
class AdamW:
    """One step, in place; there is no backward."""

    @staticmethod
    def fits(weight: Array, grad: Array, mean: Array, square: Array, *options: float) -> bool:
        return floats(weight, grad, mean, square) and all(
            a.flags.c_contiguous for a in (weight, grad, mean, square)
        )

    @staticmethod
    def forward(
        ctx: Any, weight: Array, grad: Array, mean: Array, square: Array,
        lr: float, beta1: float, beta2: float, eps: float, decay: float, step: int,
    ) -> None:  # fmt: skip
        share_pieces(
            _update, weight.size, 1 << 12, 0.3e-9,
            weight.reshape(-1), grad.reshape(-1), mean.reshape(-1), square.reshape(-1),
            1.0 - lr * decay, lr / (1.0 - beta1**step), 1.0 - beta1, 1.0 - beta2,
            (1.0 - beta2**step) ** -0.5, eps,
        )  # fmt: skip
