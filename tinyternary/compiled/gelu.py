"""GELU in one pass over memory, forward and backward (lesson 08)."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from tinyternary.compiled._arrays import as_line, floats
from tinyternary.compiled._signatures import IN1, VEC, I, f32, void
from tinyternary.compiled.buffers import empty
from tinyternary.compiled.elementary import FAST, erf, exp, sigmoid
from tinyternary.compiled.switch import njit
from tinyternary.compiled.threads import share_pieces
from tinyternary.compiled.twins import register

Array = NDArray[Any]


@njit(signature_or_function=void(I, I, IN1, VEC, I), fastmath=FAST)
def _forward(first, last, x, out, tanh):
    """GELU of a range of entries."""
    source, target = x[first:last], out[first:last]
    if tanh:
        for i in range(source.size):
            v = source[i]
            target[i] = v * sigmoid(v * (f32(1.5957691216) + f32(0.0713548163) * v * v))
    else:
        for i in range(source.size):
            v = source[i]
            target[i] = v * (f32(0.5) + f32(0.5) * erf(v * f32(0.70710678)))


FAR = f32(40)
"""Beyond, the slope is 0 or 1, and squares may overflow."""


@njit(signature_or_function=void(I, I, IN1, IN1, VEC, I), fastmath=FAST)
def _backward(first, last, grad, x, out, tanh):
    """Gradient of GELU over a range of entries."""
    upstream, source, target = grad[first:last], x[first:last], out[first:last]
    if tanh:
        for i in range(source.size):
            v = min(max(source[i], -FAR), FAR)
            square = v * v
            s = sigmoid(v * (f32(1.5957691216) + f32(0.0713548163) * square))
            inner = f32(1.5957691216) + f32(0.2140644488) * square
            target[i] = upstream[i] * (s + v * s * (f32(1) - s) * inner)
    else:
        for i in range(source.size):
            v = min(max(source[i], -FAR), FAR)
            phi = f32(0.5) + f32(0.5) * erf(v * f32(0.70710678))
            density = f32(0.39894228) * exp(f32(-0.5) * v * v)
            target[i] = upstream[i] * (phi + v * density)


@register("Gelu")
class Gelu:
    """x Phi(x), forward and backward in one pass over memory each."""

    @staticmethod
    def fits(x: Array, approximate: str = "none") -> bool:
        return floats(x)

    @staticmethod
    def forward(ctx: Any, x: Array, approximate: str = "none") -> Array:
        ctx.save(x, approximate)
        out = empty(x.shape)
        share_pieces(
            _forward, x.size, 1 << 12, 0.17e-9, as_line(x), out.reshape(-1), approximate == "tanh"
        )
        return out

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        x, approximate = ctx.saved
        out = empty(x.shape)
        share_pieces(
            _backward, x.size, 1 << 12, 0.4e-9,
            as_line(grad), as_line(x), out.reshape(-1), approximate == "tanh",
        )  # fmt: skip
        return out
