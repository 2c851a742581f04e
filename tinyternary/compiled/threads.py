"""One number of threads and one pool of them: for training, kernels, engine and BLAS (lesson 08).

Compiled code lets go of Python's global lock, so plain threads that sleep between calls are
enough: no OpenMP, whose pool does not survive a fork and fights with that of a BLAS library.
Every row is computed as it would be alone, by whoever computes it: bits do not depend on how many
threads there are. A call invites threads of the pool and begins at once. Who wakes up late, or
shares its core with somebody else, finds less left to do or nothing, and holds nobody up: only
those are waited for who have begun. However a call ends, by an answer, Ctrl-C or a signal's
time-out, nobody is at work for it any more: see `share`.

There are two ways to cut the work. `share_pieces`: each piece is one call of compiled code, and
Python hands the pieces out. `share_rows`: compiled code is called once per thread and draws rows
from a counter, which a layer of some microseconds can afford.
"""

from __future__ import annotations

import itertools
import math
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from tinyternary.compiled.cores import available_cores, quota
from tinyternary.compiled.locks import Guard
from tinyternary.compiled.switch import environment, jit_enabled
from tinyternary.errors import ConfigError
from tinyternary.text import quoted

# ---- how many --------------------------------------------------------------------------------

_chosen: int | None = None
_here: ContextVar[int | None] = ContextVar("threads", default=None)
_forked = False
_told = False  # whether BLAS knows that this is a worker


MOST_THREADS = 1024
"""More are a slip of the hand."""


def get_threads() -> int:
    """Return how many threads may be used.

    What `set_threads` said, or ``TINYTERNARY_THREADS``, or ``OMP_NUM_THREADS`` (which joblib
    and dask set for their workers) up to the number of cores, or that number: of those that
    the process may run on and has time on, see `available_cores`. In a process that was
    forked or made by `multiprocessing` it is 1 if nobody has said anything: its brothers and
    sisters want cores, too.
    """
    if not _told and _worker():
        _tell_blas()
    said = _said()
    return _unsaid() if said is None else said


def _unsaid() -> int:
    others = environment("OMP_NUM_THREADS") or ""  # may be a list, which is for nested teams
    if others.isdigit() and int(others):
        return min(available_cores(), int(others))
    return 1 if _worker() else available_cores()


def _worker() -> bool:
    """Whether another process has made this one, as it may have made more."""
    made = sys.modules.get("multiprocessing.process")  # there, if it was by multiprocessing
    return _forked or (made is not None and made.parent_process() is not None)


def set_threads(count: int | None) -> None:
    """Use `count` threads from now on, for training, kernels, engine and BLAS.

    None goes back to the environment's choice.

    Raises
    ------
    ConfigError
        If `count` is not a whole number from 1 to `MOST_THREADS`.
    """
    global _chosen
    _chosen = None if count is None else check_threads(count)
    _tell_blas()


@contextmanager
def using_threads_everywhere(count: int) -> Iterator[None]:
    """Say `set_threads` for a block, and afterwards what had been said before it.

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


@contextmanager
def using_threads(count: int) -> Iterator[None]:
    """Use `count` threads for what this thread calls in a block, whatever was said elsewhere.

    Raises
    ------
    ConfigError
        As `set_threads`.
    """
    with _blas_held_to(check_threads(count)):
        before = _here.get()
        try:
            _here.set(count)
            yield
        finally:
            _here.set(before)


def check_threads(count: Any, name: str = "threads") -> int:
    """Return `count` as an int; raise `ConfigError` if it is no number of threads."""
    try:
        number = int(count)
        possible = 1 <= number <= MOST_THREADS and number == float(count)
    except (TypeError, ValueError, OverflowError):
        possible = False
    if not possible:
        raise ConfigError(
            f"{name} must be a whole number from 1 to {MOST_THREADS}, got {quoted(count)}"
        )
    return number


def _said() -> int | None:
    """Return the number that was asked for: by a block, by a call, by the environment."""
    here = _here.get()
    if here is not None:
        return here
    if _chosen is not None:
        return _chosen
    listed = environment("TINYTERNARY_THREADS")
    return check_threads(listed, "TINYTERNARY_THREADS") if listed else None


# ---- BLAS, which has threads of its own ------------------------------------------------------

_held: dict[object, int] = {}  # what blocks under way ask for
_before: Any = None  # BLAS's own number, while one of ours is in force
_telling = Guard()
_looked: tuple[Any, int] = (None, 0)  # libraries, and how many modules there were


def _tell_blas() -> None:
    """Give BLAS the fewest threads that a block asks for, else what was said, else its own.

    Its own are as many as it sees cores: in a worker, or under a quota, fewer.
    """
    global _before, _told
    with _telling.lock:
        _told = _worker()
        count = min(_held.values()) if _held else _said()
        if count is None and _before is not None:
            _before.restore_original_limits()
            _before = None
        if count is None and (_told or quota() < math.inf):
            own = [lib["num_threads"] for lib in _libraries().info() if lib["user_api"] == "blas"]
            count = min([_unsaid(), *own])
        if count is not None:
            limits = _libraries().limit(limits=count, user_api="blas")
            _before = _before or limits


def _libraries() -> Any:
    """Return the libraries with threads of their own, as `threadpoolctl` finds them.

    It reads all that is mapped into the process, a millisecond and, late in a long life, hundreds
    of kilobytes: too much for each call. A library comes with an import; then it looks again.
    """
    global _looked
    from threadpoolctl import ThreadpoolController

    found, modules = _looked
    if found is None or modules != len(sys.modules):
        found, modules = ThreadpoolController(), len(sys.modules)
        _looked = found, modules
    return found


@contextmanager
def _blas_held_to(count: int) -> Iterator[None]:
    block = object()
    try:
        _held[block] = count
        _tell_blas()
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
_growing = Guard()


def share(
    work: Work, others: int, stop: Callable[[], Any], done: Callable[[], bool] | None = None
) -> None:
    """Do ``work(0)`` here while up to `others` threads do ``work(1)``, ``work(2)``, ...

    When this returns nobody writes for this call any more, and when it raises nobody is at it:
    an exception may come from a signal at any moment, and whoever catches it uses its arrays again.

    Parameters
    ----------
    work : callable
        Draws what is left to do until nothing is.
    others : int
    stop : callable
        Leaves nothing to be drawn, so that those who are at it come to an end. Called after an
        exception.
    done : callable, optional
        Called after ``work(0)``; says whether all is written, so that nobody is waited for.
    """
    call = Call(work, others)
    try:
        call.invite()
        work(0)
        if done is None or not done():
            call.wait()
        call.over()
    except BaseException:
        stop()
        call.end()
        raise


class Call:
    """Work to which threads are invited; they may come until it is over."""

    def __init__(self, work: Work, others: int) -> None:
        self._work: Work | None = work
        self._failure: BaseException | None = None
        self._busy = [threading.Lock() for _ in range(others)]

    def invite(self) -> None:
        """Have threads of the pool do their part as soon as they can."""
        for member, inbox in enumerate(_threads(len(self._busy)), start=1):
            inbox.put((self, member))

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

    def end(self) -> None:
        """Let nobody begin any more and wait for those who have, even if a signal interrupts."""
        self.over()
        interrupted: BaseException | None = None
        for lock in self._busy:
            while True:
                try:
                    with lock:
                        break
                except BaseException as error:
                    interrupted = error
        if interrupted is not None:
            raise interrupted

    def wait(self) -> None:
        """End the call, and raise what one of the others raised."""
        self.end()
        if self._failure is not None:
            raise self._failure


def invite(work: Work, others: int) -> Call:
    """Have `others` threads call ``work(1)``, ``work(2)``, ... as soon as they can."""
    call = Call(work, others)
    call.invite()
    return call


def _threads(count: int) -> list[queue.SimpleQueue[tuple[Call, int]]]:
    """Return the inboxes of `count` threads, or of fewer where the system starts no more."""
    with _growing.lock:
        while len(_inboxes) < count:
            inbox: queue.SimpleQueue[tuple[Call, int]] = queue.SimpleQueue()
            name = f"tinyternary-{len(_inboxes) + 1}"
            try:
                threading.Thread(target=_serve, args=(inbox,), name=name, daemon=True).start()
            except RuntimeError:  # a limit of the system: the threads there are do it all
                break
            _inboxes.append(inbox)
        return _inboxes[:count]


def _serve(inbox: queue.SimpleQueue[tuple[Call, int]]) -> None:
    _here.set(1)  # what a call calls is not shared once more
    while True:
        call, member = inbox.get()
        call.join(member)
        del call  # or what it failed with lives until the next


def _after_fork() -> None:
    # neither threads nor their blocks survive a fork: the child starts its own
    global _forked, _told
    _forked, _told = True, False
    _inboxes.clear()
    _held.clear()


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

    share(work, members - 1, pieces.clear)


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

    def done() -> bool:
        # others may be at their last rows: that takes less time than going to sleep and waking up
        return any(counters[DONE] == rows for _ in range(SPINS))

    def stop() -> None:
        counters[NEXT] = rows

    share(lambda member: job(counters.ctypes.data), count - 1, stop, done)


_listed = os.environ.get("TINYTERNARY_THREADS", "")
if _listed.lstrip("0").isdigit() or (not _listed and (_worker() or quota() < math.inf)):
    _tell_blas()  # a number that is none is `get_threads`' to object to
