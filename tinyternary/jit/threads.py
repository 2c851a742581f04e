"""A small crew of threads for compiled kernels (lesson 08).

Kernels take a range of rows and release the interpreter's lock, so a few Python
threads that sleep between calls are enough: nothing spins, and nothing runs
while BLAS does. Every row is computed in the same way whoever computes it, so
the number of threads never changes a result.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any


class _Worker:
    """A thread that runs one call at a time."""

    def __init__(self) -> None:
        self.start, self.finished = threading.Semaphore(0), threading.Semaphore(0)
        self.call: Callable[[], Any] | None = None
        self.error: BaseException | None = None
        threading.Thread(target=self._loop, name="tinyternary", daemon=True).start()

    def _loop(self) -> None:
        while True:
            self.start.acquire()
            try:
                assert self.call is not None
                self.call()
            except BaseException as error:
                self.error = error
            self.call = None
            self.finished.release()


class Crew:
    """As many threads as asked for, the caller among them."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._workers: list[_Worker] = []
        self._busy = threading.Lock()

    def run(self, kernel: Callable[..., Any], count: int, step: int, *args: Any) -> None:
        """Call ``kernel(first, last, *args)`` on parts of range(count) at the same time.

        Parameters
        ----------
        kernel : callable
            Works on first <= i < last and releases the interpreter's lock.
        count : int
        step : int
            Parts begin at multiples of it.
        """
        parts = min(self.size, -(-count // step))
        if parts < 2 or not self._busy.acquire(blocking=False):
            kernel(0, count, *args)
            return
        try:
            while len(self._workers) < parts - 1:
                self._workers.append(_Worker())
            edges = [count * i // parts // step * step for i in range(parts)] + [count]
            used = self._workers[: parts - 1]
            for worker, first, last in zip(used, edges[1:], edges[2:]):
                worker.call = lambda first=first, last=last: kernel(first, last, *args)
                worker.start.release()
            try:
                kernel(0, edges[1], *args)
            finally:
                for worker in used:
                    worker.finished.acquire()
            for worker in used:
                error, worker.error = worker.error, None
                if error is not None:
                    raise error
        finally:
            self._busy.release()


def _default_size() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    wanted = os.environ.get("TINYTERNARY_THREADS") or os.environ.get("OMP_NUM_THREADS") or ""
    limit = int(wanted) if wanted.isdigit() and int(wanted) > 0 else 1 << 30
    return max(1, min(cores or 1, limit))


crew = Crew(_default_size())


def set_threads(count: int) -> None:
    """Use `count` threads for compiled kernels and for BLAS from now on."""
    from threadpoolctl import threadpool_limits

    if count < 1:
        raise ValueError(f"threads: expected a positive number, got {count}")
    crew.size = count
    threadpool_limits(count, user_api="blas")


def _after_fork() -> None:
    # threads do not survive a fork: the child starts its own
    global crew
    crew._workers = []
    crew._busy = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
