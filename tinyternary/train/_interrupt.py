"""Ctrl-C between two steps, when nothing is half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Note Ctrl-C in place of raising, inside a ``with`` block.

    Yields
    ------
    callable
        Says whether Ctrl-C was pressed. A second one raises `KeyboardInterrupt` at
        once. Outside the main thread, where Python delivers no signals, it is
        always False.
    """
    pressed = False
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return

    def note(signum: int, frame: Any) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    previous = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, previous)
