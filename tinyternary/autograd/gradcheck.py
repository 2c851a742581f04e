"""gradcheck: every entry of every gradient against finite differences (lesson 02)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinyternary.autograd.tensor import Tensor
from tinyternary.errors import TinyTernaryError


def gradcheck(
    fn: Callable[..., Any],
    *arrays: Any,
    eps: float = 1e-6,
    atol: float = 1e-6,
    rtol: float = 1e-5,
    seed: int = 0,
) -> bool:
    """Check a function's gradients by central differences, in float64, at all entries.

    Parameters
    ----------
    fn : callable
        Takes one Tensor per array and returns a Tensor (or several). Must give the
        same result each time.
    *arrays : array_like of floats
        Where to check. Strides are kept.
    eps : float
        Step of the differences.
    atol, rtol : float
        Allowed error: ``atol + rtol * |numeric|``.
    seed : int
        Of the random upstream gradient.

    Returns
    -------
    bool
        True; a wrong gradient is an error.

    Raises
    ------
    TinyTernaryError
        Naming the input, the entry, and both values.

    Examples
    --------
    >>> tt.gradcheck(lambda x: x.gelu().sum(), np.array([[-1.0, 0.5]]))
    True
    """
    points = [np.asarray(a, np.float64) for a in arrays]
    tensors = [Tensor(p, requires_grad=True) for p in points]
    outputs = _as_tuple(fn(*tensors))
    rng = np.random.default_rng(seed)
    upstream = [rng.standard_normal(o.shape) for o in outputs]
    total = outputs[0] * upstream[0]
    total = total.sum()
    for output, u in zip(outputs[1:], upstream[1:]):
        total = total + (output * u).sum()
    total.backward()

    def value(changed: list[Any]) -> float:
        results = _as_tuple(fn(*[Tensor(c) for c in changed]))
        return float(sum((r.data * u).sum() for r, u in zip(results, upstream)))

    for number, (point, tensor) in enumerate(zip(points, tensors)):
        found = np.zeros_like(point) if tensor.grad is None else tensor.grad
        for entry in np.ndindex(point.shape):
            sides = []
            for step in (eps, -eps):
                changed = list(points)
                changed[number] = point.copy(order="K")
                changed[number][entry] += step
                sides.append(value(changed))
            numeric = (sides[0] - sides[1]) / (2 * eps)
            if not abs(found[entry] - numeric) <= atol + rtol * abs(numeric):
                raise TinyTernaryError(
                    f"gradcheck: input {number}, entry {entry}: backward gives "
                    f"{found[entry]:.8g}, finite differences give {numeric:.8g}"
                )
    return True


def _as_tuple(result: Any) -> tuple[Any, ...]:
    return tuple(result) if isinstance(result, tuple | list) else (result,)
