"""Rows shared out among threads (lesson 08_packing_and_kernels).

Compiled kernels let go of Python's global lock, so plain threads are enough: no OpenMP, whose
pool does not survive a fork and fights with that of a BLAS library. A row is computed by one
thread as it would be alone, and so the bits do not depend on how many there are.

How many: `tinyternary.compiled.get_threads`.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

WORTH_SHARING = 25_000_000
"""Multiply-accumulates of a layer from which on another thread is woken.

Measured on two cores with AVX-512 VNNI (about 2 us per million on one): two threads take 1.6
times as long as one at 8 million, as long at 18, and are 1.2 times as fast at 25, 1.4 at 35, 1.5
at 67. Where somebody else keeps the second core busy, waking up costs some 20 us that nothing
comes of: a third of the time at 25 million, an eighth at 67.
"""
WORTH_SHARING_NETWORK = 8_000_000
"""The same for a whole network, whose small layers take longer per multiply-accumulate: two
threads are 1.07 times as fast at 1.5 million, 1.3 at 5, 1.4 at 11, 1.6 at 136; next to a busy
neighbour .63, .72, .80 and .94 times."""

NEXT, DONE, STEP = 0, 1, 2
"""Places in the counters that threads share: first row not taken yet, rows finished, and how
many rows a thread takes at a time."""

BY_ONE = -1
"""What compiled code takes for the address of these counters where one thread does it all,
however much that is."""

PIECES = 16
"""Into how many pieces per thread the rows are cut: at the end one of two threads waits for half
a piece on average. With 6, two threads took 1.72 to 1.88 times as many rows at M = 1024 as one,
with 16 1.77 to 1.96; smaller ones bring no more."""
SPINS = 2000
"""How often a thread that has run out of rows looks whether the others have, too."""

Job = Callable[[int], Any]


class _Pool:
    """Worker threads that live as long as the process, each with its own inbox."""

    def __init__(self) -> None:
        self.inboxes: list[queue.SimpleQueue[Any]] = []
        self.lock = threading.Lock()

    def grow(self, count: int) -> None:
        with self.lock:
            while len(self.inboxes) < count:
                inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
                name = f"tinyternary-{len(self.inboxes) + 1}"
                threading.Thread(target=_work, args=(inbox,), name=name, daemon=True).start()
                self.inboxes.append(inbox)


def _work(inbox: queue.SimpleQueue[Any]) -> None:
    while True:
        job, member, answers = inbox.get()
        try:
            job(member)
            answers.put(None)
        except BaseException as error:  # handed to the thread that waits for the answer
            answers.put(error)
        del job, answers  # or the last job's arrays live until the next


_pool = _Pool()


def _forget() -> None:
    global _pool
    _pool = _Pool()  # a forked child has none of its parent's threads


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def invite(job: Job, others: int) -> queue.SimpleQueue[BaseException | None]:
    """Have ``others`` more threads call ``job(1)``, ``job(2)``, ... as soon as they can.

    Returns at once; from the queue that it returns, one None or error per thread can be had. A
    job that draws its work from counters may begin when all has been done: then it finds none.
    """
    _pool.grow(others)
    answers: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    for member, inbox in enumerate(_pool.inboxes[:others], start=1):
        inbox.put((job, member, answers))
    return answers


def share(job: Job, rows: int, threads: int, multiple: int) -> None:
    """Have ``job`` do ``rows`` rows on ``threads`` threads.

    Threads draw the next few rows from a counter until there are none left, so that one that
    wakes up late, or shares its core with somebody else, holds nobody up.

    Parameters
    ----------
    job : callable
        Called on each thread with the address of the counters (see `NEXT`); compiled code
        that draws rows from them, and does the same for a row whoever draws it.
    rows : int
    threads : int
    multiple : int
        Rows are drawn in multiples of this (the height of a tile).
    """
    count = min(threads, -(-rows // multiple))
    if count <= 1:
        job(0)
        return
    step = max(1, rows // (PIECES * count * multiple)) * multiple
    counters = np.array([0, 0, step], dtype=np.int64)
    answers = invite(lambda member: job(counters.ctypes.data), count - 1)
    job(counters.ctypes.data)
    # others may be at their last rows: that takes less time than going to sleep and waking up
    for _ in range(SPINS):
        if counters[DONE] == rows:
            return
    for _ in range(count - 1):
        failure = answers.get()
        if failure is not None:
            raise failure
