"""Which type a result has: what NumPy would join, joined as PyTorch does (lesson 02)."""

from __future__ import annotations

from typing import Any

import numpy as np


def floating(x: Any) -> Any:
    """Return what may be differentiated as it is, and integers as float32."""
    kept = x if isinstance(x, Tensor) else as_float_array(x)
    return kept if kept.dtype.kind == "f" else as_float_array(kept).astype(np.float32)


def operands(a: Any, b: Any) -> tuple[Any, Any]:
    """Both sides of an operator, so that NumPy joins their types as PyTorch does.

    A number or list takes the type of the other side, and so do integers beside floats:
    ``x * 2`` and ``x * labels`` are float32 where x is.
    """
    if isinstance(a, Tensor) and isinstance(b, Tensor) and a.data.dtype == b.data.dtype:
        return a, b  # what happens most
    return _beside(a, b), _beside(b, a)


def float_operands(a: Any, b: Any) -> tuple[Any, Any]:
    """Both sides of an operator that has no integers: a quotient, say."""
    a, b = operands(a, b)
    return floating(a), floating(b)


def _beside(x: Any, other: Any) -> Any:
    array, beside = np.asarray(values(x)), np.asarray(values(other))
    own, dtype = array.dtype, beside.dtype
    if "f" in (own.kind, dtype.kind):
        if _has_a_type(x) and own.kind == "f":
            return x
        if not _has_a_type(other) or dtype.kind != "f":
            dtype = np.dtype(np.float32)
    elif _has_a_type(x) or not _has_a_type(other) or dtype.kind == "b":
        return x if isinstance(x, Tensor) else array
    return array.astype(dtype)


def _has_a_type(x: Any) -> bool:
    """Whether the type was chosen: that of a number or a list only says how it was written."""
    return isinstance(x, Tensor) or (isinstance(x, np.ndarray) and x.ndim > 0)


from tinyternary.autograd.tensor import Tensor, as_float_array, values  # noqa: E402
