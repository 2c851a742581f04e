"""The sum of two arrays of one shape, on all threads (lesson 08)."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from tinyternary.compiled._arrays import F32
from tinyternary.compiled._signatures import IN1, VEC, I, void
from tinyternary.compiled.buffers import copy, empty
from tinyternary.compiled.switch import njit
from tinyternary.compiled.threads import share_pieces
from tinyternary.compiled.tiles import LANES, add_lanes
from tinyternary.compiled.twins import register

Array = NDArray[Any]


@njit(signature_or_function=void(I, I, IN1, IN1, VEC))
def _add(first, last, a, b, out):
    """Sum of entries; `out` may be `a` or `b`."""
    whole = last - (last - first) % LANES
    for i in range(first, whole, LANES):
        add_lanes(a, i, b, i, out, i)
    for i in range(whole, last):
        out[i] = a[i] + b[i]


def _large(x: Array) -> bool:
    """Whether to add this is worth a call: float32, contiguous, 64 KiB or more."""
    return x.size >= 1 << 14 and x.dtype == F32 and x.flags.c_contiguous


def _sum(a: Array, b: Array, out: Array) -> Array:
    share_pieces(_add, a.size, 1 << 12, 0.15e-9, a.reshape(-1), b.reshape(-1), out.reshape(-1))
    return out


@register("Add")
class Add:
    """a + b, nothing broadcast."""

    @staticmethod
    def fits(a: Array, b: Array) -> bool:
        return a.shape == b.shape and _large(a) and _large(b)

    @staticmethod
    def forward(ctx: Any, a: Array, b: Array) -> Array:
        return _sum(a, b, empty(a.shape))

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array | None, ...]:
        return grad if ctx.needs[0] else None, grad if ctx.needs[1] else None


@register("Accumulate")
class Accumulate:
    """A gradient added to what came before: to nothing, as a new array, or in place."""

    @staticmethod
    def fits(before: Array | None, grad: Array, into: Array | None = None) -> bool:
        return _large(grad) and (before is None or _large(before))

    @staticmethod
    def forward(ctx: Any, before: Array | None, grad: Array, into: Array | None = None) -> Array:
        if before is None:
            return copy(grad)
        return _sum(before, grad, empty(grad.shape) if into is None else into)
