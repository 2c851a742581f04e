"""`matmul` and `linear`: checks, then the chosen kernel (lesson 08_packing_and_kernels)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.compiled.threads import (
    WORTH_SHARING,
    get_threads as get_threads,
    set_threads as set_threads,
    share_rows,
)
from tinyternary.errors import ShapeError
from tinyternary.kernels import dispatch
from tinyternary.kernels.layer import TernaryLinear, check_out
from tinyternary.kernels.packed_ternary import PackedTernary


def matmul(
    x: NDArray[np.int8],
    packed: PackedTernary,
    backend: str = "auto",
    out: NDArray[np.int32] | None = None,
    threads: int | None = None,
) -> NDArray[np.int32]:
    """Multiply int8 activations by packed ternary weights, exactly.

    Parameters
    ----------
    x : (M, K) int8
    packed : PackedTernary
        W (N, K).
    backend : str
        A name of `backends()`, or "auto".
    out : (M, N) int32, optional
        Where the result goes; must be C-contiguous.
    threads : int, optional
        Defaults to `get_threads()`, or to one where there is too little to do.
        Only the vector paths share work out.

    Returns
    -------
    (M, N) int32
        x W^T: the same bits whatever the backend.

    Raises
    ------
    ShapeError
        If shapes or dtypes do not fit.
    ConfigError
        If the backend does not exist or cannot run here.

    Examples
    --------
    >>> packed = tt.kernels.pack(np.array([[1, 0, -1, 1]], np.int8))
    >>> tt.kernels.matmul(np.array([[10, 20, 30, 40]], np.int8), packed)
    array([[20]], dtype=int32)
    """
    if not isinstance(packed, PackedTernary):
        raise ShapeError(f"packed must be a PackedTernary, got {type(packed).__name__}")
    if not isinstance(x, np.ndarray) or x.dtype != np.int8:
        got = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
        raise ShapeError(f"x must be an int8 array, got {got}")
    n, k = packed.shape
    if x.ndim != 2 or x.shape[1] != k:
        raise ShapeError(f"x must be (M, {k}), got shape {x.shape}")
    if out is None:
        out = np.empty((x.shape[0], n), dtype=np.int32)
    else:
        check_out(out, (x.shape[0], n), np.int32)
    chosen = dispatch.choose(backend)
    if k == 0:
        out[...] = 0
    elif out.size:
        run = packed.ready(chosen.name, functools.partial(_product, packed, chosen))
        if not x.flags.c_contiguous:
            x = np.ascontiguousarray(x)
        if threads is None:
            threads = get_threads() if x.shape[0] * n * k >= WORTH_SHARING else 1
        run(x, out, threads)
    return out


def _product(
    packed: PackedTernary, chosen: dispatch.Backend
) -> Callable[[NDArray[np.int8], NDArray[np.int32], int], None]:
    """Return ``run(x, out, threads)``: the product on a backend, made ready."""
    rung: Any = chosen.load()
    if not chosen.fused:
        layout = packed.layout(chosen.layout, rung.prepare)
        return lambda x, out, threads: rung.matmul(x, layout, out)
    product = rung.product(packed)

    def run(x: NDArray[np.int8], out: NDArray[np.int32], threads: int) -> None:
        if threads <= 1:
            product(0, x, out)
        else:
            share_rows(lambda counters: product(counters, x, out), len(x), threads, rung.rows)

    return run


def linear(
    x: NDArray[np.float32],
    packed: PackedTernary,
    scale: ArrayLike,
    bias: NDArray[np.float32] | None = None,
    activation: str | None = None,
    out: NDArray[np.float32] | None = None,
    backend: str = "auto",
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Apply a packed ternary layer: absmax int8, integer product, rescale, bias, activation.

    What `TernaryLinear` does. The layer is kept with the weights, so that the next call with the
    same scale and bias finds it ready; with a `TernaryLinear` of your own and ``out=`` a small
    layer saves the microseconds that looking at the arguments takes.

    Parameters
    ----------
    x : (M, K) float32
    packed : PackedTernary
        W (N, K).
    scale : float, (N,), (N, 1) or (N, G) float32
        The weights' scale: per tensor, per output channel, or per group of K / G inputs.
    bias : (N,) float32, optional
    activation : {None, "gelu", "relu"}
        GELU is the exact one, x Phi(x).
    out : (M, N) float32, optional
        Where the result goes; must be C-contiguous.
    backend : str
        A name of `backends()`, or "auto".
    threads : int, optional
        Defaults to `get_threads()`, or to one where there is too little to do.

    Returns
    -------
    (M, N) float32

    Raises
    ------
    ShapeError
        If shapes or dtypes do not fit.
    ConfigError
        If the backend or the activation does not exist.

    Examples
    --------
    >>> packed = tt.kernels.pack(np.array([[1, 0, -1, 1]], np.int8))
    >>> x = np.array([[0.1, 0.2, 0.3, 0.4]], np.float32)
    >>> tt.kernels.linear(x, packed, scale=0.5).round(2)
    array([[0.1]], dtype=float32)
    """
    try:
        name = dispatch.choose(backend).name
        scales, biases = _content(scale), _content(bias)
        kept = packed.ready
    except (AttributeError, TypeError, ValueError):  # the layer says what is wrong
        return TernaryLinear(packed, scale, bias, activation, backend)(x, out, threads)

    def make() -> tuple[Any, Any, TernaryLinear]:
        return scales, biases, TernaryLinear(packed, scale, bias, activation, backend)

    # found by the first numbers, and compared whole: thousands take longer to hash than to compare
    key = (name, activation, scales[1][:_FIRST], biases[1][:_FIRST])
    layer: TernaryLinear
    old_scales, old_biases, layer = kept(key, make)
    if old_scales != scales or old_biases != biases:
        _, _, layer = packed.renew(key, make)
    return layer(x, out, threads)


_NOTHING = (None, b"")
_FIRST = 64
"""Bytes of scales and biases that a kept layer is found by."""


def _content(values: ArrayLike | None) -> tuple[Any, bytes]:
    """Return what tells numbers from others, bit for bit: an array may be changed in place."""
    if values is None:
        return _NOTHING
    array = np.asarray(values, dtype=np.float32)
    return array.shape, array.tobytes()
