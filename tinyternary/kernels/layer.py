"""`TernaryLinear`: a packed layer made ready once and called often (lesson 08).

``layer(x)`` quantises each row of x to int8, multiplies by the trits, rescales, adds the
bias and applies the activation. On the vector paths all of that is one compiled call in which
the int32 matrix never reaches memory; on any other backend it is the same arithmetic in NumPy
around the integer product, with the same bits.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.errors import ConfigError, ShapeError
from tinyternary.kernels import dispatch, reference
from tinyternary.kernels.packed import PackedTernary
from tinyternary.kernels.threads import WORTH_SHARING, get_threads, share

ACTIVATIONS = (None, "gelu", "relu")
ROWS = 4  # height of a tile: threads take rows in multiples of it


class TernaryLinear:
    """A packed ternary layer: y = activation(scale * (x W^T) + bias).

    Parameters
    ----------
    packed : PackedTernary
        W (N, K).
    scale : float, (N,), (N, 1) or (N, G) float32
        The weights' scale: per tensor, per output channel, or per group of K / G inputs.
    bias : (N,) float32, optional
    activation : {None, "gelu", "relu"}
        GELU is the exact one, x Phi(x).
    backend : str
        A name of `backends()`, or "auto".

    Raises
    ------
    ShapeError
        If shapes or dtypes do not fit.
    ConfigError
        If the backend or the activation does not exist.
    """

    def __init__(
        self,
        packed: PackedTernary,
        scale: ArrayLike,
        bias: NDArray[np.float32] | None = None,
        activation: str | None = None,
        backend: str = "auto",
    ) -> None:
        if not isinstance(packed, PackedTernary):
            raise ShapeError(f"packed must be a PackedTernary, got {type(packed).__name__}")
        if activation not in ACTIVATIONS:
            raise ConfigError(f"activation must be None, 'gelu' or 'relu', got {activation!r}")
        self.packed = packed
        self.activation = activation
        self.n, self.k = packed.shape
        self.backend = dispatch.choose(backend)
        rung: Any = self.backend.load()
        self._rung = rung
        self.scale = np.broadcast_to(_column_scale(scale, self.n), self.n)
        self.bias = np.zeros(self.n, dtype=np.float32)
        if bias is not None:
            if not isinstance(bias, np.ndarray) or bias.shape != (self.n,):
                raise ShapeError(f"bias must be ({self.n},), got shape {np.shape(bias)}")
            self.bias[:] = bias
        self._run: Any = None
        if self.backend.simd and self.n > 0 and self.k > 0:
            from tinyternary.kernels.simd.rung import ACTIVATION_NUMBERS

            layout = packed.layout(self.backend.name, rung.prepare)
            columns = rung.columns(self.scale, self.bias, layout.shape[0])
            number = ACTIVATION_NUMBERS[activation]
            self._rows_to_share = WORTH_SHARING // (self.k * self.n) + 1
            self._shared = functools.partial(
                rung.linear_kernel, layout, columns, self.k, self.n, number
            )
            self._run = functools.partial(self._shared, 0)

    def __call__(
        self,
        x: NDArray[np.float32],
        out: NDArray[np.float32] | None = None,
        threads: int | None = None,
    ) -> NDArray[np.float32]:
        """Return the layer's output (M, N) float32 for x (M, K) float32.

        ``out``, if given, must be C-contiguous and is filled and returned. ``threads`` defaults
        to `get_threads()`, or to one where there is too little to do; bits do not depend on it.
        """
        if out is not None and self._run is not None:
            # a small layer takes less time than Python takes to look at its arrays: let the
            # compiled code check them, and look closer only if it refuses
            try:
                if len(x) < self._rows_to_share and not self._run(x, out):
                    return out
            except TypeError:
                pass
        self._check_input(x)
        m = x.shape[0]
        if out is None:
            out = np.empty((m, self.n), dtype=np.float32)
        else:
            check_out(out, (m, self.n), np.float32)
        if self._run is None or out.size == 0:
            return self._composed(x, out)
        if threads is None:
            threads = get_threads() if m >= self._rows_to_share else 1
        x = np.ascontiguousarray(x)
        share(lambda tickets: self._shared(tickets, x, out), m, threads, ROWS)
        return out

    def _check_input(self, x: Any) -> None:
        if not isinstance(x, np.ndarray) or x.dtype != np.float32:
            got = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
            raise ShapeError(f"x must be a float32 array, got {got}")
        if x.ndim != 2 or x.shape[1] != self.k:
            raise ShapeError(f"x must be (M, {self.k}), got shape {x.shape}")

    def _composed(self, x: NDArray[np.float32], out: NDArray[np.float32]) -> NDArray[np.float32]:
        """Quantise, multiply, rescale and activate one after the other in NumPy."""
        codes, rows = reference.quantise(x)
        sums = np.zeros(out.shape, dtype=np.int32)
        if sums.size and self.k:
            layout = self.packed.layout(self.backend.name, self._rung.prepare)
            self._rung.matmul(codes, layout, sums)
        np.multiply(sums.astype(np.float32), rows[:, None] * self.scale, out=out)
        out += self.bias
        if self.activation == "relu":
            np.maximum(out, 0, out=out)
        elif self.activation == "gelu":
            out[...] = reference.gelu(out)
        return out


def _column_scale(scale: ArrayLike, n: int) -> NDArray[np.float32]:
    """Scale as (N,) float32, or a scalar array, from a number, (1, 1), (N,) or (N, 1)."""
    array = np.asarray(scale, dtype=np.float32)
    if array.size == 1:
        return array.reshape(())
    if array.shape in {(n,), (n, 1)}:
        return array.reshape(n)
    raise ShapeError(f"scale must be a number or ({n},), got shape {array.shape}")


def check_out(out: Any, shape: tuple[int, int], dtype: type[np.generic]) -> None:
    """Raise `ShapeError` unless ``out`` is a C-contiguous, writeable array as described."""
    if not isinstance(out, np.ndarray) or out.dtype != dtype or out.shape != shape:
        got = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ShapeError(f"out must be {np.dtype(dtype)} {shape}, got {got}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise ShapeError("out must be C-contiguous and writeable")
