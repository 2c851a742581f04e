"""Twins: compiled forms of operations, found by the operation's name (lesson 08).

An operation is written in NumPy where a reader looks for it. Where that is too slow it
has a twin here, a class of the same name in a file of its own, with

- ``fits(*arrays, **static)``: whether the twin takes these (float32, whole vectors, ...);
  what is wrong does not fit, and the NumPy form says so;
- ``forward(ctx, *arrays, **static)`` and ``backward(ctx, *grads)`` as a `Function` has them;
  `ctx` is whatever has ``save``, ``saved`` and ``needs``.

Whoever runs an operation asks `twin` by name. Nothing is imported before that, and with
``TINYTERNARY_JIT=0`` nothing at all is registered: all that runs is NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any, TypeVar

from tinyternary.compiled.switch import jit_enabled

T = TypeVar("T")

FILES = {
    "Add": "add",
    "Accumulate": "add",
    "Gelu": "gelu",
    "Softmax": "softmax",
    "LayerNorm": "layer_norm",
    "RMSNorm": "rms_norm",
    "Linear": "linear",
    "Attention": "attention",
    "PackedAttention": "attention",
    "FakeAbsmax": "fake_quantize",
    "NormAbsmax": "fake_quantize",
    "FakeAbsmean": "fake_quantize",
    "AdamW": "adamw",
}
"""Which file of this package holds the twin of which operation."""

_twins: dict[str, Any] = {}


def register(name: str) -> Callable[[type[T]], type[T]]:
    """Make a class the twin of the operation called `name`."""

    def keep(twin: type[T]) -> type[T]:
        _twins[name] = twin
        return twin

    return keep


def twin(name: str) -> Any:
    """Return the twin of an operation; None where there is none, or ``TINYTERNARY_JIT=0``."""
    if name not in FILES or not jit_enabled():
        return None
    import_module(f"tinyternary.compiled.{FILES[name]}")
    return _twins[name]


class _Forgetful:
    """The context of a forward that no backward follows."""

    needs = (False,) * 8

    def save(self, *kept: Any) -> None:
        """Keep nothing: no backward follows."""


def with_twin(name: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Let a function of arrays run the forward of the twin called `name` where that fits.

    For those that compute without a graph: the inference engine, the optimizer.
    """

    def decorate(plain: Callable[..., T]) -> Callable[..., T]:
        found: list[Any] = []  # looked for at the first call

        @wraps(plain)
        def run(*arrays: Any, **static: Any) -> T:
            if not found:
                found.append(twin(name))
            fast = found[0]
            if fast is not None and fast.fits(*arrays, **static):
                return fast.forward(_Forgetful(), *arrays, **static)
            return plain(*arrays, **static)

        return run

    return decorate
