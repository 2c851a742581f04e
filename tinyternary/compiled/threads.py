"""A small crew of threads for compiled kernels (lesson 08).

Kernels take a range of rows and release the interpreter's lock, so a few Python
threads that sleep between calls are enough: nothing spins. Every row is computed
in the same way whoever computes it, so the number of threads never changes a
result. The rows are cut into pieces, and who has done its own takes those that
others have not begun: a thread that wakes up late, or whose core somebody else
uses, holds nobody up.

``TINYTERNARY_THREADS`` or `set_threads` say how many; without them, one per core.
"""

from __future__ import annotations

import itertools
import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tinyternary.compiled.switch import jit_enabled
from tinyternary.errors import ConfigError

WORTH = 60e-6
"""Seconds of work in a piece, at least. It takes some 50 microseconds until a sleeping thread
runs: two threads take 1.0 times as long as one for twice this, .6 times for six times this."""
PIECES = 4
"""Into how many pieces per thread rows are cut, at most."""


_chosen: int | None = None


class _Job:
    """One call of a kernel in pieces; each is taken by whoever asks first."""

    def __init__(
        self, kernel: Callable[..., Any], edges: list[int], args: tuple[Any, ...], members: int
    ) -> None:
        self.kernel, self.args, self.members, self.count = kernel, args, members, len(edges) - 1
        self.pieces = dict(enumerate(itertools.pairwise(edges)))
        self.failure: BaseException | None = None

    def work(self, member: int) -> None:
        """Do this member's pieces, then what others have not begun.

        A member's own are the same rows in every call: they lie in its core's cache.
        """
        args, begin = self.args, member * self.count // self.members
        for i in range(self.count):
            piece = self.pieces.pop((begin + i) % self.count, None)  # one thread alone gets it
            if piece is not None:
                self.kernel(*piece, *args)

    def close(self) -> None:
        """Leave no piece to take, and no array to hold for a thread that comes late."""
        self.pieces.clear()
        self.args = ()


class _Helper:
    """A thread that works on one job after the other."""

    def __init__(self) -> None:
        self.inbox: queue.SimpleQueue[tuple[_Job, int]] = queue.SimpleQueue()
        self.working = threading.Lock()
        threading.Thread(target=self._loop, name="tinyternary", daemon=True).start()

    def _loop(self) -> None:
        while True:
            job, member = self.inbox.get()
            with self.working:
                try:
                    job.work(member)
                except BaseException as error:  # raised again by the thread that waits
                    job.failure = error
            del job  # or its arrays live until the next


class Crew:
    """As many threads as asked for, the caller among them; by default `get_threads()`."""

    def __init__(self, size: int | None = None) -> None:
        self.size = size
        self._helpers: list[_Helper] = []
        self._busy = threading.Lock()

    def run(
        self, kernel: Callable[..., Any], count: int, unit: int, seconds: float, *args: Any
    ) -> None:
        """Call ``kernel(first, last, *args)`` on parts of range(count) at the same time.

        Parameters
        ----------
        kernel : callable
            Works on first <= i < last and releases the interpreter's lock.
        count : int
        unit : int
            Pieces begin at multiples of it.
        seconds : float
            What one of `count` takes, about: little work is not shared.
        """
        size, units = self.size or get_threads(), -(-count // unit)
        pieces = min(PIECES * size, int(count * seconds / WORTH), units)
        if size < 2 or pieces < 2 or not self._busy.acquire(blocking=False):
            kernel(0, count, *args)
            return
        try:
            edges = [units * i // pieces * unit for i in range(pieces)] + [count]
            members = min(size, pieces)
            job = _Job(kernel, edges, args, members)
            helpers = self._invite(job, members - 1)
            try:
                job.work(0)
            finally:
                job.close()
                for helper in helpers:
                    with helper.working:  # it is at its last piece, or has none
                        pass
            if job.failure is not None:
                raise job.failure
        finally:
            self._busy.release()

    def _invite(self, job: _Job, count: int) -> list[_Helper]:
        while len(self._helpers) < count:
            self._helpers.append(_Helper())
        helpers = self._helpers[:count]
        for member, helper in enumerate(helpers, start=1):
            helper.inbox.put((job, member))
        return helpers


crew = Crew()


def set_threads(count: int | None) -> None:
    """Use `count` threads from now on, for compiled kernels and for BLAS.

    None goes back to the environment's choice.

    Raises
    ------
    ConfigError
        If `count` is not a whole number of at least 1.
    """
    global _chosen
    from threadpoolctl import threadpool_limits

    _chosen = None if count is None else _checked(count, "threads")
    threadpool_limits(get_threads(), user_api="blas")


@contextmanager
def using_threads(count: int) -> Iterator[None]:
    """Use `count` threads for a block, then whatever decided before: a call or the environment.

    Raises
    ------
    ConfigError
        As `set_threads`.
    """
    before = _chosen
    set_threads(count)
    try:
        yield
    finally:
        set_threads(before)


def get_threads() -> int:
    """Return how many threads may be used.

    What `set_threads` said, or ``TINYTERNARY_THREADS``, or ``OMP_NUM_THREADS`` up to the
    number of cores, or that number.
    """
    if _chosen is not None:
        return _chosen
    listed = os.environ.get("TINYTERNARY_THREADS")
    if listed:
        return _checked(listed, "TINYTERNARY_THREADS")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    others = os.environ.get("OMP_NUM_THREADS", "")  # may be a list, which is for nested teams
    return min(cores or 1, int(others)) if others.isdigit() and int(others) else cores or 1


def _checked(count: Any, name: str) -> int:
    try:
        number = int(count)
    except (TypeError, ValueError):
        number = 0
    if number < 1 or number != float(count):
        raise ConfigError(f"{name} must be a whole number of at least 1, got {count!r}")
    return number


@contextmanager
def crew_first() -> Iterator[None]:
    """Keep BLAS to the calling thread for a block, where compiled kernels share their rows.

    OpenBLAS's threads look for work for milliseconds after each product, on the
    core that the crew's next piece needs: with the few small products that training
    leaves to BLAS, two threads took longer than one.
    """
    if get_threads() < 2 or not jit_enabled():
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


def _after_fork() -> None:
    # threads do not survive a fork: the child starts its own
    crew._helpers = []
    crew._busy = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
