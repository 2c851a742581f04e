"""Ctrl-C and the like between two steps, when nothing is half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP")
           if hasattr(signal, name)]  # fmt: skip
"""Ctrl-C; what a scheduler or `kill` sends; what a terminal sends that is closed."""


@contextmanager
def interruptible() -> Iterator[Callable[[], int]]:
    """Note `SIGNALS` in place of ending at once, inside a ``with`` block.

    What the process ignores it goes on ignoring, as it does SIGHUP under ``nohup``.

    Yields
    ------
    callable
        Gives the signal that came, or 0. A second one raises `KeyboardInterrupt` at
        once. Outside the main thread, where Python delivers no signals, it is always 0.
    """
    came = 0
    if threading.current_thread() is not threading.main_thread():
        yield lambda: 0
        return

    def note(signum: int, frame: Any) -> None:
        nonlocal came
        if came:
            raise KeyboardInterrupt
        came = signum

    previous = {each: signal.getsignal(each) for each in SIGNALS}
    # None is a handler that Python did not set and could not put back
    ours = {each for each, old in previous.items() if old not in (signal.SIG_IGN, None)}
    for each in ours:
        signal.signal(each, note)
    try:
        yield lambda: came
    finally:
        for each in ours:
            signal.signal(each, previous[each])


def stop_for(signum: int, message: str) -> NoReturn:
    """End as a signal asks, now that all is saved: by the signal itself, unless it was Ctrl-C.

    Raises
    ------
    KeyboardInterrupt
        With the message, for Ctrl-C; also where another signal does not end the process.
    """
    if signum != signal.SIGINT:
        signal.raise_signal(signum)  # whoever waits for us sees what ended us
    raise KeyboardInterrupt(message)
