"""Activations to small integers, row by row, as plain arithmetic on arrays (lesson 06).

A row is one token: whatever else is in the batch, its codes stay the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.config.grid import FLOOR, MOST, TERNARY_LEVEL, TERNARY_THRESHOLD
from tinyternary.errors import ConfigError
from tinyternary.quant.quantized import Floats, finite


def absmax(x: ArrayLike, bits: int = 8) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Quantise each row to 8, 7 or 4 bits by its largest magnitude.

    scale = max(max |x|, 1e-5) / (2^(bits-1) - 1), q = clip(round_half_even(x / scale)).

    Parameters
    ----------
    x : (..., K) float
    bits : {8, 7, 4}
        7 is what the kernels of table lookups take: codes of -63 to 63.

    Returns
    -------
    codes : (..., K) int8
        -127 to 127 (-128 is in range but rounding never reaches it).
    scale : (..., 1) float32
        ``codes * scale`` is about `x`.

    Raises
    ------
    ConfigError
        If `bits` is not 8, 7 or 4.
    NonFiniteError
        If an entry is NaN or infinite.

    Notes
    -----
    BitNet, arXiv 2310.11453, equations 4 and 5 with Q_b = 127.
    """
    if bits not in (8, 7, 4):
        raise ConfigError(f"bits: expected 8, 7 or 4, got {bits!r}")
    array = finite(x, "activations")
    most = MOST[f"int{bits}"]
    largest = np.abs(array).max(axis=-1, keepdims=True, initial=0)
    scale = np.maximum(largest, FLOOR).astype(np.float32) / np.float32(most)
    codes = np.clip(np.rint(array / scale), -most - 1, most).astype(np.int8)
    return codes, scale


def ternary(
    x: ArrayLike,
    threshold: float | Floats = TERNARY_THRESHOLD,
    scale: float | Floats = TERNARY_LEVEL,
    *,
    per: str = "token",
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Quantise activations to trits.

    Parameters
    ----------
    x : (..., K) float
    threshold, scale : float
        For ``per="token"`` in units of the row's mean |x|, for ``per="tensor"``
        in the units of x, the same for all rows.
    per : {"token", "tensor"}
        A per-tensor rule takes its two numbers from training and looks at nothing
        else: statistics of the whole batch would make one image's answer depend
        on its neighbours.

    Returns
    -------
    codes : (..., K) int8
        Trits.
    scale : (..., 1) float32
    """
    if per not in ("token", "tensor"):
        raise ConfigError(f"per: expected 'token' or 'tensor', got {per!r}")
    array = finite(x, "activations")
    if per == "token":
        unit = np.abs(array).mean(axis=-1, keepdims=True, dtype=np.float64).astype(array.dtype)
    else:
        unit = np.ones((*array.shape[:-1], 1), array.dtype)
    beta = np.maximum(np.asarray(threshold, array.dtype), 0) * unit
    level = np.maximum(np.asarray(scale, array.dtype) * unit, FLOOR)
    codes = (np.sign(array) * (np.abs(array) > beta)).astype(np.int8)
    return codes, level.astype(np.float32)
