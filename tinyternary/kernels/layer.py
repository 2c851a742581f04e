"""`TernaryLinear`: a packed layer made ready once and called often (lesson 08).

``layer(x)`` quantises each row of x to int8, multiplies by the trits, rescales, adds the
bias and applies the activation. On the vector paths all of that is one compiled call in which
the int32 matrix never reaches memory, with ternary activations and scales per group as well; on
any other backend it is the same arithmetic in NumPy around the integer product, with the same
bits. Scales per group make y = sum over groups of float(integers) * (row scale * scale), added in
float32 from the first group to the last, plus bias.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.compiled.threads import BY_ONE, WORTH_SHARING, get_threads, share_rows
from tinyternary.config.grid import MOST
from tinyternary.errors import ConfigError, ShapeError
from tinyternary.kernels import dispatch, reference
from tinyternary.kernels.packed_ternary import PackedTernary

ACTIVATIONS = (None, "gelu", "relu")


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
    inputs : {"int8", "int7", "ternary"}
        What activations are quantised to: int8; 7 bits, for table lookups past the speed of the
        int8 instructions; or trits, for counting bits. "auto" picks the backend to match.

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
        inputs: str = "int8",
    ) -> None:
        if not isinstance(packed, PackedTernary):
            raise ShapeError(f"packed must be a PackedTernary, got {type(packed).__name__}")
        if activation not in ACTIVATIONS:
            raise ConfigError(f"activation must be None, 'gelu' or 'relu', got {activation!r}")
        if inputs not in _MATCHING:
            raise ConfigError(f"inputs must be 'int8', 'int7' or 'ternary', got {inputs!r}")
        self.packed, self.activation = packed, activation
        self.n, self.k = packed.shape
        self.scale, self.bias = _scales(scale, self.n, self.k), _bias(bias, self.n)
        if backend == "auto" and inputs != "int8":
            backend = dispatch.fastest_for(inputs)
        self.backend = dispatch.choose(backend)
        # a kernel for fewer bits says what its inputs are
        self.inputs = inputs if self.backend.activations == "int8" else self.backend.activations
        rung: Any = self.backend.load()
        self._rung = rung
        self._run: Any = None
        self._groups = 1 if self.scale.ndim == 1 else self.scale.shape[1]
        fused = self.backend.simd or (self.backend.fused and self._groups == 1)
        if fused and self.inputs == self.backend.activations and self.n > 0 and self.k > 0:
            alone = WORTH_SHARING // (self.k * self.n) + 1
            self._record = rung.record(packed, self.scale, self.bias, activation, alone)
            self._alone, self._rows = alone, rung.rows
            self._run = functools.partial(rung.layer_kernel(self._groups), self._record.address)

    def __repr__(self) -> str:
        after = "" if self.activation is None else f", {self.activation}"
        return (
            f"TernaryLinear({self.k} -> {self.n}{after}, {self.inputs} inputs, "
            f"{self.packed.nbytes:,} bytes of trits, backend {self.backend.name})"
        )

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
        # a small layer takes less time than Python takes to look at its arrays: let the
        # compiled code check them, and look closer only if it refuses
        if self._run is not None and (threads is None or threads == 1):
            filled = out
            if out is None and isinstance(x, np.ndarray) and x.ndim == 2:
                filled = np.empty((len(x), self.n), np.float32)
            try:
                if filled is not None and not self._run(
                    0 if threads is None else BY_ONE, x, filled
                ):
                    return filled
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
        x = np.ascontiguousarray(x)
        if threads is None:
            threads = get_threads() if m >= self._alone else 1
        share_rows(lambda counters: self._run(counters or BY_ONE, x, out), m, threads, self._rows)
        return out

    def _check_input(self, x: Any) -> None:
        if not isinstance(x, np.ndarray) or x.dtype != np.float32:
            got = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
            raise ShapeError(f"x must be a float32 array, got {got}")
        if x.ndim != 2 or x.shape[1] != self.k:
            raise ShapeError(f"x must be (M, {self.k}), got shape {x.shape}")

    def _composed(self, x: NDArray[np.float32], out: NDArray[np.float32]) -> NDArray[np.float32]:
        """Quantise, multiply, rescale and activate one after the other in NumPy."""
        codes, rows = _MATCHING[self.inputs](x)
        groups = self._groups
        out[...] = 0
        for group in range(groups):
            scale = self.scale if self.scale.ndim == 1 else self.scale[:, group]
            sums = self._product(codes, group, groups).astype(np.float32)
            # an empty sum or the first group: 0 + y is y, bit for bit, but for the sign of zero
            out += sums * (rows[:, None] * scale)
        out += self.bias
        if self.activation == "relu":
            np.maximum(out, 0, out=out)
        elif self.activation == "gelu":
            out[...] = reference.gelu(out)
        return out

    def _product(self, codes: NDArray[np.int8], group: int, groups: int) -> NDArray[np.int32]:
        """Integer product of one group of inputs with its part of the weights."""
        sums = np.zeros((codes.shape[0], self.n), dtype=np.int32)
        if sums.size == 0 or self.k == 0:
            return sums
        if groups == 1:
            layout = self.packed.layout(self.backend.layout, self._rung.prepare)
            self._rung.matmul(codes, layout, sums)
            return sums
        size = self.k // groups
        part = slice(group * size, (group + 1) * size)
        layout = self.packed.layout(
            f"{self.backend.layout}, inputs {part.start} to {part.stop}",
            lambda trits: self._rung.prepare(np.ascontiguousarray(trits[:, part])),
        )
        self._rung.matmul(np.ascontiguousarray(codes[:, part]), layout, sums)
        return sums


_MATCHING: dict[str, Any] = {
    "int8": reference.quantize,
    "int7": functools.partial(reference.quantize, most=MOST["int7"]),
    "ternary": reference.quantize_ternary,
}
"""How each kind of inputs is quantised."""


def _scales(scale: ArrayLike, n: int, k: int) -> NDArray[np.float32]:
    """Scale as (N,) float32, or (N, groups) where there are several groups of inputs."""
    try:
        array = np.asarray(scale, dtype=np.float32)
    except (TypeError, ValueError):
        raise ShapeError(f"scale must be a number or float32 array, got {scale!r}") from None
    if not np.isfinite(array).all():  # NumPy takes None for one that is not
        raise ShapeError("scale must be a number or float32 array, got one that is not finite")
    if array.size == 1:
        return np.full(n, array.reshape(()), dtype=np.float32)
    if array.shape in {(n,), (n, 1)}:
        return array.reshape(n)
    if array.ndim == 2 and array.shape[0] == n and array.shape[1] and k % array.shape[1] == 0:
        return array
    raise ShapeError(
        f"scale must be a number, ({n},) or ({n}, groups that divide {k}), got shape {array.shape}"
    )


def _bias(bias: NDArray[np.float32] | None, n: int) -> NDArray[np.float32]:
    """Bias as (N,) float32, zeros if there is none."""
    if bias is None:
        return np.zeros(n, dtype=np.float32)
    if not isinstance(bias, np.ndarray) or bias.shape != (n,):
        raise ShapeError(f"bias must be ({n},), got shape {np.shape(bias)}")
    return bias.astype(np.float32)


def check_out(out: Any, shape: tuple[int, int], dtype: type[np.generic]) -> None:
    """Raise `ShapeError` unless ``out`` is a C-contiguous, writeable array as described."""
    if not isinstance(out, np.ndarray) or out.dtype != dtype or out.shape != shape:
        got = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ShapeError(f"out must be {np.dtype(dtype)} {shape}, got {got}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise ShapeError("out must be C-contiguous and writeable")
