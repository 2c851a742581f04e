"""`matmul` and `linear`: checks, then the chosen kernel (lesson 08_packing_and_kernels)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.errors import ConfigError, ShapeError
from tinyternary.kernels import dispatch, reference
from tinyternary.kernels.packed import PackedTernary

ACTIVATIONS = (None, "gelu", "relu")


def _check_input(x: Any, packed: Any, dtype: type[np.generic]) -> None:
    if not isinstance(packed, PackedTernary):
        raise ShapeError(f"packed must be a PackedTernary, got {type(packed).__name__}")
    if not isinstance(x, np.ndarray):
        raise ShapeError(f"x must be a NumPy array, got {type(x).__name__}")
    if x.dtype != dtype:
        raise ShapeError(f"x must be {np.dtype(dtype)}, got {x.dtype}")
    if x.ndim != 2 or x.shape[1] != packed.shape[1]:
        raise ShapeError(f"x must be (M, {packed.shape[1]}) for {packed!r}, got shape {x.shape}")


def _check_out(out: Any, shape: tuple[int, int], dtype: type[np.generic]) -> None:
    if not isinstance(out, np.ndarray) or out.dtype != dtype or out.shape != shape:
        got = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ShapeError(f"out must be {np.dtype(dtype)} {shape}, got {got}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise ShapeError("out must be C-contiguous and writeable")


def matmul(
    x: NDArray[np.int8],
    packed: PackedTernary,
    backend: str = "auto",
    out: NDArray[np.int32] | None = None,
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
    """
    _check_input(x, packed, np.int8)
    shape = (x.shape[0], packed.shape[0])
    if out is None:
        out = np.empty(shape, dtype=np.int32)
    else:
        _check_out(out, shape, np.int32)
    chosen = dispatch.choose(backend)
    if out.size == 0:
        return out
    if packed.shape[1] == 0:
        out[...] = 0
        return out
    rung = chosen.load()
    rung.matmul(np.ascontiguousarray(x), packed.layout(chosen.name, rung.prepare), out)
    return out


def _column_scale(scale: ArrayLike, packed: PackedTernary) -> NDArray[np.float32]:
    """Scale as (N,) float32 from a scalar, (1,), (1, 1), (N,) or (N, 1)."""
    array = np.asarray(scale, dtype=np.float32)
    n = packed.shape[0]
    if array.size == 1:
        return np.full(n, array.reshape(()), dtype=np.float32)
    if array.shape in {(n,), (n, 1)}:
        return np.ascontiguousarray(array.reshape(n))
    raise ShapeError(f"scale must be a number or ({n},), got shape {array.shape}")


def linear(
    x: NDArray[np.float32],
    packed: PackedTernary,
    scale: ArrayLike,
    bias: NDArray[np.float32] | None = None,
    activation: str | None = None,
    out: NDArray[np.float32] | None = None,
    backend: str = "auto",
) -> NDArray[np.float32]:
    """Apply a packed ternary layer: absmax int8, integer product, rescale, bias, activation.

    Parameters
    ----------
    x : (M, K) float32
    packed : PackedTernary
        W (N, K).
    scale : float, () or (N,) float32
        The weights' scale: per tensor or per output channel.
    bias : (N,) float32, optional
    activation : {None, "gelu", "relu"}
        GELU is the exact one, x Phi(x).
    out : (M, N) float32, optional
        Where the result goes; must be C-contiguous.
    backend : str
        A name of `backends()`, or "auto".

    Returns
    -------
    (M, N) float32

    Raises
    ------
    ShapeError
        If shapes or dtypes do not fit.
    ConfigError
        If the backend or the activation does not exist.
    """
    _check_input(x, packed, np.float32)
    if activation not in ACTIVATIONS:
        raise ConfigError(f"activation must be None, 'gelu' or 'relu', got {activation!r}")
    shape = (x.shape[0], packed.shape[0])
    columns = _column_scale(scale, packed)
    if bias is not None and (bias.dtype != np.float32 or bias.shape != shape[1:]):
        raise ShapeError(f"bias must be float32 {shape[1:]}, got {bias.dtype} {bias.shape}")
    if out is None:
        out = np.empty(shape, dtype=np.float32)
    else:
        _check_out(out, shape, np.float32)
    codes, rows = reference.quantise(x)
    np.multiply(matmul(codes, packed, backend), rows[:, None] * columns, out=out, casting="unsafe")
    if bias is not None:
        out += bias
    if activation == "relu":
        np.maximum(out, 0, out=out)
    elif activation == "gelu":
        from tinyternary.jit import gelu

        out[...] = gelu(out)
    return out
