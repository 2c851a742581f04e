"""Whether operations are recorded: `no_grad` (lesson 02)."""

from __future__ import annotations

import threading
from contextlib import ContextDecorator
from typing import Any


class _Mode(threading.local):
    recording = True


_mode = _Mode()


def grad_enabled() -> bool:
    """Whether operations are recorded for backward in this thread."""
    return _mode.recording


class no_grad(ContextDecorator):
    """Record nothing inside a ``with`` block, or inside a decorated function.

    Saves the memory that backward would need; per thread.

    Examples
    --------
    >>> x = tt.Tensor([1.0], requires_grad=True)
    >>> with tt.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __enter__(self) -> no_grad:
        self._before.append(_mode.recording)
        _mode.recording = False
        return self

    def __exit__(self, *exception: Any) -> None:
        _mode.recording = self._before.pop()
