"""Locks that a forked child finds open, and a property that needs none (lesson 08).

``fork()`` copies one thread, and locks as they are: one that another thread held at that moment
stays shut in the child for ever. So each lock of the package that outlives a call is made here,
and renewed in every child.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_guards: weakref.WeakSet[Guard] = weakref.WeakSet()


class Guard:
    """A lock, and a new one in a forked child: ``with guard.lock: ...``.

    What it guards must be sound wherever its holder was stopped: the child sees it so.
    """

    def __init__(self) -> None:
        self._renew()
        _guards.add(self)

    def _renew(self) -> None:
        self.lock = threading.Lock()


def _after_fork() -> None:
    for guard in _guards:
        guard._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class made_once(Generic[T]):
    """A property that is made when it is first read, and kept.

    As `functools.cached_property`, which in Python 3.11 makes it under a lock of its own. Without
    one, threads that come at the same time may make it twice; one of the two is kept.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self.make, self.__doc__ = make, make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> T:
        # the next time the instance's own attribute is found first
        value: T = instance.__dict__.setdefault(self.name, self.make(instance))
        return value
