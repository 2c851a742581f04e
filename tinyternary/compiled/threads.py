"""One number of threads and one pool of them: for training, kernels, engine and BLAS (lesson 08).

Compiled code lets go of Python's global lock, so plain threads that sleep between calls are
enough: no OpenMP, whose pool does not survive a fork and fights with that of a BLAS library.
Every row is computed as it would be alone, by whoever computes it: bits do not depend on how many
threads there are. A call invites threads of the pool and begins at once. Who wakes up late, or
shares its core with somebody else, finds less left to do or nothing, and holds nobody up: only
those are waited for who have begun.

There are two ways to cut the work. `share_pieces`: each piece is one call of compiled code, and
Python hands the pieces out. `share_rows`: compiled code is called once per thread and draws rows
from a counter, which a layer of some microseconds can afford.
"""

from __future__ import annotations

import itertools
import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from tinyternary.compiled.switch import jit_enabled
from tinyternary.errors import ConfigError

# ---- how many --------------------------------------------------------------------------------

_chosen: int | None = None
_here: ContextVar[int | None] = ContextVar("threads", default=None)


def get_threads() -> int:
    """Return how many threads may be used.

    What `set_threads` said, or ``TINYTERNARY_THREADS``, or ``OMP_NUM_THREADS`` up to the
    number of cores, or that number.
    """
    said = _said()
    if said is not None:
        return said
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    others = os.environ.get("OMP_NUM_THREADS", "")  # may be a list, which is for nested teams
    return min(cores or 1, int(others)) if others.isdigit() and int(others) else cores or 1


def set_threads(count: int | None) -> None:
    """Use `count` threads from now on, for training, kernels, engine and BLAS.

    None goes back to the environment's choice.

    Raises
    ------
    ConfigError
        If `count` is not a whole number of at least 1.
    """
    global _chosen
    _chosen = None if count is None else check_threads(count)
    _tell_blas()


@contextmanager
def using_threads(count: int) -> Iterator[None]:
    """Use `count` threads for what this thread calls in a block, whatever was said elsewhere.

    Raises
    ------
    ConfigError
        As `set_threads`.
    """
    with _blas_held_to(check_threads(count)):
        token = _here.set(count)
        try:
            yield
        finally:
            _here.reset(token)


def check_threads(count: Any, name: str = "threads") -> int:
    """Return `count` as an int; raise `ConfigError` if it is no whole number of at least 1."""
    try:
        number = int(count)
    except (TypeError, ValueError):
        number = 0
    if number < 1 or number != float(count):
        raise ConfigError(f"{name} must be a whole number of at least 1, got {count!r}")
    return number


def _said() -> int | None:
    """Return the number that was asked for: by a block, by a call, by the environment."""
    here = _here.get()
    if here is not None:
        return here
    if _chosen is not None:
        return _chosen
    listed = os.environ.get("TINYTERNARY_THREADS")
    return check_threads(listed, "TINYTERNARY_THREADS") if listed else None


# ---- BLAS, which has threads of its own ------------------------------------------------------

_held: dict[object, int] = {}  # what blocks under way ask for
_before: Any = None  # BLAS's own number, while one of ours is in force
_telling = threading.Lock()


def _tell_blas() -> None:
    """Give BLAS the fewest threads that a block asks for, else what was said, else its own."""
    global _before
    from threadpoolctl import threadpool_limits

    with _telling:
        count = min(_held.values()) if _held else _said()
        if count is not None:
            limits = threadpool_limits(count, user_api="blas")
            _before = _before or limits
        elif _before is not None:
            _before.restore_original_limits()
            _before = None


@contextmanager
def _blas_held_to(count: int) -> Iterator[None]:
    block = object()
    _held[block] = count
    _tell_blas()
    try:
        yield
    finally:
        _held.pop(block, None)  # a fork may have ended it
        _tell_blas()


@contextmanager
def pool_first() -> Iterator[None]:
    """Keep BLAS to the calling thread for a block, where compiled kernels share their rows.

    OpenBLAS's threads look for work for milliseconds after each product, on the
    core that the pool's next piece needs: with the few small products that training
    leaves to BLAS, two threads took longer than one.
    """
    if get_threads() < 2 or not jit_enabled():
        yield
        return
    with _blas_held_to(1):
        yield


# ---- the pool --------------------------------------------------------------------------------

Work = Callable[[int], Any]
"""What a member of a call does; the caller is member 0."""

_inboxes: list[queue.SimpleQueue[tuple[Call, int]]] = []  # one per thread of the pool
_growing = threading.Lock()


class Call:
    """Work to which threads are invited; they may come until it is over."""

    def __init__(self, work: Work, others: int) -> None:
        self._work: Work | None = work
        self._failure: BaseException | None = None
        self._busy = [threading.Lock() for _ in range(others)]

    def join(self, member: int) -> None:
        """Work as `member`, unless it is over."""
        with self._busy[member - 1]:
            work = self._work
            if work is None:
                return
            try:
                work(member)
            except BaseException as error:  # raised again by the thread that waits
                self._failure = error

    def over(self) -> None:
        """Let nobody begin any more, and hold no array for who comes late."""
        self._work = None

    def wait(self) -> None:
        """Let nobody begin any more, wait for those who have, and raise what they raised."""
        self.over()
        for lock in self._busy:
            with lock:
                pass
        if self._failure is not None:
            raise self._failure


def invite(work: Work, others: int) -> Call:
    """Have `others` threads call ``work(1)``, ``work(2)``, ... as soon as they can."""
    call = Call(work, others)
    with _growing:
        while len(_inboxes) < others:
            inbox: queue.SimpleQueue[tuple[Call, int]] = queue.SimpleQueue()
            name = f"tinyternary-{len(_inboxes) + 1}"
            threading.Thread(target=_serve, args=(inbox,), name=name, daemon=True).start()
            _inboxes.append(inbox)
    for member, inbox in enumerate(_inboxes[:others], start=1):
        inbox.put((call, member))
    return call


def _serve(inbox: queue.SimpleQueue[tuple[Call, int]]) -> None:
    _here.set(1)  # what a call calls is not shared once more
    while True:
        call, member = inbox.get()
        call.join(member)
        del call  # or what it failed with lives until the next


def _after_fork() -> None:
    # neither threads nor their blocks survive a fork: the child starts its own
    global _growing, _telling
    _inboxes.clear()
    _held.clear()
    _growing, _telling = threading.Lock(), threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

# ---- pieces handed out in Python -------------------------------------------------------------

WORTH = 60e-6
"""Seconds of work in a piece, at least. It takes some 50 microseconds until a sleeping thread
runs: two threads take 1.0 times as long as one for twice this, .6 times for six times this."""
PIECES = 4
"""Into how many pieces per thread the range is cut, at most."""


def share_pieces(
    kernel: Callable[..., Any], count: int, unit: int, seconds: float, *args: Any
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
    units = -(-count // unit)
    worth = min(int(count * seconds / WORTH), units)
    # most calls are small: asking for the number of threads takes longer than seeing that
    threads = get_threads() if worth > 1 else 1
    if threads < 2:
        kernel(0, count, *args)
        return
    number = min(PIECES * threads, worth)
    edges = [units * i // number * unit for i in range(number)] + [count]
    pieces, members = dict(enumerate(itertools.pairwise(edges))), min(threads, number)

    def work(member: int) -> None:
        # its own first, the same in every call, which lie in its core's cache; then what others
        # have not begun
        begin = member * number // members
        for i in range(number):
            piece = pieces.pop((begin + i) % number, None)  # one thread alone gets it
            if piece is not None:
                kernel(*piece, *args)

    call = invite(work, members - 1)
    try:
        work(0)
    finally:
        pieces.clear()
        call.wait()


# ---- rows drawn from a counter by compiled code ----------------------------------------------

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
DRAWS = 16
"""Into how many parts per thread the rows are cut: at the end one of two threads waits for half
a part on average. With 6, two threads took 1.72 to 1.88 times as many rows at M = 1024 as one,
with 16 1.77 to 1.96; smaller ones bring no more."""
SPINS = 2000
"""How often a thread that has run out of rows looks whether the others have, too."""


def share_rows(job: Callable[[int], Any], rows: int, threads: int, multiple: int) -> None:
    """Have ``job`` do ``rows`` rows on ``threads`` threads.

    Parameters
    ----------
    job : callable
        Called on each thread with the address of the counters (see `NEXT`), 0 if there is one
        thread only: compiled code that draws rows from them, and does the same for a row
        whoever draws it.
    rows : int
    threads : int
    multiple : int
        Rows are drawn in multiples of this (the height of a tile).
    """
    count = min(threads, -(-rows // multiple))
    if count <= 1:
        job(0)
        return
    step = max(1, rows // (DRAWS * count * multiple)) * multiple
    counters = np.array([0, 0, step], dtype=np.int64)
    call = invite(lambda member: job(counters.ctypes.data), count - 1)
    try:
        job(counters.ctypes.data)
    except BaseException:
        call.wait()
        raise
    # others may be at their last rows: that takes less time than going to sleep and waking up
    for _ in range(SPINS):
        if counters[DONE] == rows:
            call.over()
            return
    call.wait()


if os.environ.get("TINYTERNARY_THREADS", "").lstrip("0").isdigit():  # else `get_threads` objects
    _tell_blas()
