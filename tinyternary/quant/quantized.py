"""What a quantiser returns: small integers and the scales that turn them back (lesson 01)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.brief import Brief
from tinyternary.errors import ConfigError, NonFiniteError, ShapeError

Granularity = Literal["tensor", "channel"] | int
Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False, repr=False)
class Quantized(Brief):
    """A weight matrix as trits and scales: W is about ``scale * trits``.

    Attributes
    ----------
    trits : (N, K) int8
        Entries -1, 0 and +1. (Any shape where the scale is one number.)
    scale : float32
        ``()`` for one scale per tensor, ``(N, 1)`` per output channel, ``(N, G)``
        for G groups of K / G inputs each.
    scale_negative : float32, optional
        Same shape as `scale`: the magnitude that -1 stands for where it differs
        from that of +1 (trained ternary quantisation). ``None``: the same.
    threshold : float32, optional
        Same shape as `scale`: the delta that cut the weights. Only training and the
        microscope need it; a packed file leaves it out.

    Examples
    --------
    >>> q = tt.quant.absmean([[1.0, -1.0, 0.0]], granularity="channel")
    >>> q.dequantize().round(3)
    array([[ 0.667, -0.667,  0.   ]], dtype=float32)
    """

    trits: NDArray[np.int8]
    scale: NDArray[np.float32]
    scale_negative: NDArray[np.float32] | None = None
    threshold: NDArray[np.float32] | None = None

    @property
    def granularity(self) -> Granularity:
        """``"tensor"``, ``"channel"`` or the number of inputs in a group."""
        return _granularity(self.trits, self.scale)

    def dequantize(self) -> NDArray[np.float32]:
        """Return the float matrix (N, K) float32 that the integers stand for."""
        positive = spread(self.scale, self.trits.shape)
        if self.scale_negative is None:
            return positive * self.trits
        negative = spread(self.scale_negative, self.trits.shape)
        return np.where(self.trits < 0, -negative, positive * self.trits)


Quantised = Quantized
"""The same by its older name, which lessons and scripts may use."""


@dataclass(frozen=True, eq=False, repr=False)
class QuantizedInt(Brief):
    """A weight matrix as int8 or int4 numbers and scales: W is about ``scale * values``.

    Attributes
    ----------
    values : (N, K) int8
        Between -(2^(bits-1) - 1) and 2^(bits-1) - 1: symmetric, so that -W
        quantises to the negated values.
    scale : float32
        As in `Quantized`.
    bits : {8, 4}
    """

    values: NDArray[np.int8]
    scale: NDArray[np.float32]
    bits: int

    @property
    def granularity(self) -> Granularity:
        """``"tensor"``, ``"channel"`` or the number of inputs in a group."""
        return _granularity(self.values, self.scale)

    def dequantize(self) -> NDArray[np.float32]:
        """Return the float matrix (N, K) float32 that the integers stand for."""
        return spread(self.scale, self.values.shape) * self.values


def _granularity(codes: NDArray[np.int8], scale: NDArray[np.float32]) -> Granularity:
    if scale.ndim == 0:
        return "tensor"
    groups = scale.shape[1]
    return "channel" if groups == 1 else codes.shape[1] // groups


def finite(weights: ArrayLike, name: str = "weights") -> Floats:
    """Return the weights as a float array, or refuse NaN and infinity.

    Raises
    ------
    NonFiniteError
        If an entry is not finite; the message names the array.
    """
    array = np.asarray(weights)
    if not np.issubdtype(array.dtype, np.floating):
        array = array.astype(np.float32)
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    if bad:
        raise NonFiniteError(f"{name}: {bad} of {array.size} entries are NaN or infinite")
    return array


def grouped(array: Floats, granularity: Granularity) -> Floats:
    """View a matrix so that each scale's weights lie along the last axis.

    Parameters
    ----------
    array : (N, K)
        Any shape for ``"tensor"``.
    granularity : {"tensor", "channel"} or int

    Returns
    -------
    ndarray
        ``(1, size)`` for "tensor", ``(N, 1, K)`` for "channel", ``(N, G, K / G)``
        for groups; `as_scale` lays out what a reduction over it leaves.

    Raises
    ------
    ConfigError
        If the granularity is unknown or does not divide K.
    ShapeError
        If a channel or group is asked of something that is no matrix.
    """
    if granularity == "tensor":
        return array.reshape(1, -1)
    if array.ndim != 2:
        raise ShapeError(
            f"weights: granularity {granularity!r} needs a matrix (N, K), got shape {array.shape}"
        )
    rows, inputs = array.shape
    if granularity == "channel":
        return array.reshape(rows, 1, inputs)
    if isinstance(granularity, bool) or not isinstance(granularity, int) or granularity < 1:
        raise ConfigError(
            f"granularity: expected 'tensor', 'channel' or a group size, got {granularity!r}"
        )
    if inputs % granularity:
        raise ConfigError(f"granularity: groups of {granularity} do not divide {inputs} inputs")
    return array.reshape(rows, inputs // granularity, granularity)


def as_scale(values: Floats, granularity: Granularity) -> NDArray[np.float32]:
    """Turn one value per group, ``(..., 1)`` as reductions leave it, into a scale's layout."""
    flat = np.asarray(values, np.float32)
    return flat.reshape(()) if granularity == "tensor" else flat.reshape(flat.shape[:2])


def spread(scale: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Repeat scales, ``()``, (N, 1) or (N, G), so that they broadcast against (N, K)."""
    if scale.ndim == 0 or scale.shape[1] == 1:
        return scale
    return np.repeat(scale, shape[1] // scale.shape[1], axis=1)
