"""One pool and one number: every row done once, by whoever is free, and nobody left waiting."""

import contextlib
import ctypes
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from threadpoolctl import ThreadpoolController, threadpool_info

import tinyternary as tt
from tests.marks import needs_compiled
from tests.patience import PATIENCE
from tinyternary import compiled, kernels
from tinyternary.compiled import buffers, locks, threads
from tinyternary.errors import ConfigError

LONG = 1.0  # seconds that one of the rows is said to take


@pytest.fixture
def two(monkeypatch):
    """Two threads, whatever this machine has."""
    monkeypatch.setattr(threads, "_chosen", 2)


def test_a_call_gives_every_member_its_number_and_raises_what_one_raised():
    seen, both = [], threading.Barrier(4)

    def work(member):
        both.wait(timeout=PATIENCE)
        seen.append(member)
        if member == 2:
            raise KeyError("on purpose")

    call = threads.invite(work, 3)
    both.wait(timeout=PATIENCE)
    with pytest.raises(KeyError, match="on purpose"):
        call.wait()
    assert sorted(seen) == [1, 2, 3]


def test_who_comes_late_finds_nothing_and_holds_no_array(two):
    gate, x, pieces, rows = threading.Event(), np.zeros(10), [], []
    before = sys.getrefcount(x)
    busy = threads.invite(lambda member: gate.wait(60), 1)  # the only thread besides this one
    try:
        threads.share_pieces(lambda a, b, y: pieces.append((a, b)), 8, 1, LONG, x)
        threads.share_rows(drawing(50, rows, x), 50, 2, 4)
        assert sys.getrefcount(x) == before
        assert sorted(pieces) == [(i, i + 1) for i in range(8)]
        assert sorted(rows) == list(range(50))
    finally:
        gate.set()
        busy.wait()


# ---- pieces ----------------------------------------------------------------------------------


@given(
    size=st.integers(1, 5),
    count=st.integers(1, 300),
    unit=st.integers(1, 40),
    seconds=st.sampled_from([0.0, threads.WORTH / 10, threads.WORTH / 2, LONG]),
)
def test_every_row_is_done_once_in_pieces_that_begin_at_units(size, count, unit, seconds):
    pieces = []
    with threads.using_threads(size):
        threads.share_pieces(lambda a, b: pieces.append((a, b)), count, unit, seconds)
    pieces.sort()
    assert pieces[0][0] == 0
    assert pieces[-1][1] == count
    assert all(a < b for a, b in pieces)
    assert [b for _, b in pieces[:-1]] == [a for a, _ in pieces[1:]]
    assert all(a % unit == 0 for a, _ in pieces)
    assert len(pieces) <= max(1, size * threads.PIECES)


@pytest.mark.parametrize(("size", "seconds"), [(2, threads.WORTH / 100), (1, LONG)])
def test_little_work_and_one_thread_are_not_cut(size, seconds):
    pieces = []
    with threads.using_threads(size):
        threads.share_pieces(lambda a, b: pieces.append((a, b)), 100, 1, seconds)
    assert pieces == [(0, 100)]


def test_another_thread_takes_part(two):
    seen, both = set(), threading.Barrier(2)

    def kernel(first, last):
        seen.add(threading.current_thread())
        if first in (0, 40):  # the first piece of each, which have to run at the same time
            both.wait(timeout=PATIENCE)

    threads.share_pieces(kernel, 80, 10, LONG)
    assert len(seen) == 2


@pytest.mark.parametrize("guilty", ["helper", "caller"])
def test_an_error_reaches_the_caller_when_nobody_works_any_more(guilty, two):
    caller, both = threading.current_thread(), threading.Barrier(2)
    after = []

    def kernel(first, last):
        if first in (0, 40):
            both.wait(timeout=PATIENCE)
        mine = threading.current_thread() is caller
        if mine == (guilty == "caller"):
            raise KeyError("on purpose")
        time.sleep(0.01)
        after.append(first)

    with pytest.raises(KeyError, match="on purpose"):
        threads.share_pieces(kernel, 80, 10, LONG)
    done = len(after)
    time.sleep(0.05)
    assert len(after) == done
    pieces = []
    threads.share_pieces(lambda a, b: pieces.append((a, b)), 10, 5, LONG)
    assert sorted(pieces) == [(0, 5), (5, 10)]


# ---- rows ------------------------------------------------------------------------------------

LOCK = threading.Lock()


def drawing(rows, drawn, held=None):
    """Return a job that draws rows as compiled code does, and notes them in `drawn`."""

    def job(address, held=held):
        counters = np.ctypeslib.as_array((ctypes.c_int64 * 3).from_address(address))
        while True:
            with LOCK:
                first, step = int(counters[threads.NEXT]), int(counters[threads.STEP])
                if first >= rows:
                    return
                counters[threads.NEXT] += step
            mine = range(first, min(rows, first + step))
            drawn.extend(mine)
            with LOCK:
                counters[threads.DONE] += len(mine)

    return job


def test_rows_are_drawn_once_each_and_failures_come_back():
    drawn = []
    threads.share_rows(drawing(50, drawn), 50, 3, 4)
    assert sorted(drawn) == list(range(50))

    def fail(address):
        raise KeyError("on purpose")

    with pytest.raises(KeyError):
        threads.share_rows(fail, 50, 3, 4)
    drawn.clear()
    threads.share_rows(drawing(50, drawn), 50, 3, 4)  # the threads live on
    assert sorted(drawn) == list(range(50))


# ---- left by an exception ----------------------------------------------------------------------

needs_signals = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="no timer that sends signals on this system"
)


class Left(Exception):
    """What the signal raises."""


@pytest.fixture
def signals():
    """Raise `Left` after some seconds and again after as many more, so many times."""
    left = 0

    def leave(*_):
        nonlocal left
        if left:
            left -= 1
            raise Left

    def start(seconds, again=0.0, times=1):
        nonlocal left
        left = times
        signal.setitimer(signal.ITIMER_REAL, seconds, again)

    before = signal.signal(signal.SIGALRM, leave)
    yield start
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def pieces_of(kernel):
    threads.share_pieces(lambda first, last: kernel(), 6, 1, LONG)


def rows_of(kernel):
    drawn = []

    def job(address):
        counters = np.ctypeslib.as_array((ctypes.c_int64 * 3).from_address(address))
        while counters[threads.NEXT] < 6:
            counters[threads.NEXT] += 1
            kernel()
            drawn.append(0)
        counters[threads.DONE] = len(drawn)

    threads.share_rows(job, 6, 2, 1)


@needs_signals
@pytest.mark.parametrize("share", [pieces_of, rows_of])
def test_nobody_is_at_work_any_more_when_a_signal_ends_a_call(share, signals, two):
    caller, at_work, draw = threading.current_thread(), [], np.random.default_rng(0)

    def kernel():
        if threading.current_thread() is caller:
            time.sleep(0.0005)
            return
        at_work.append(1)
        time.sleep(0.001)
        at_work.pop()

    ended = 0
    for _ in range(40):
        try:
            signals(draw.uniform(1e-4, 3e-3))
            share(kernel)
            signals(0, times=0)
        except Left:
            ended += 1
            assert not at_work
    assert ended  # else no call lasted until its signal


@needs_signals
def test_a_second_signal_does_not_end_the_wait_for_those_at_work(signals, two):
    caller, finished = threading.current_thread(), []

    def kernel(first, last):
        if threading.current_thread() is not caller:
            time.sleep(0.3)
            finished.append(first)
        else:
            time.sleep(0.01)  # so that the other begins

    signals(0.05, 0.05, times=3)
    with pytest.raises(Left):
        threads.share_pieces(kernel, 2, 1, LONG)
    assert finished


def test_a_system_that_starts_no_more_threads_gives_one(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threads, "_inboxes", [])
    monkeypatch.setattr(threading.Thread, "start", refuse)
    pieces, rows = [], []
    with threads.using_threads(4):
        threads.share_pieces(lambda a, b: pieces.extend(range(a, b)), 40, 1, LONG)
        threads.share_rows(drawing(50, rows), 50, 4, 4)
    assert sorted(pieces) == list(range(40))
    assert sorted(rows) == list(range(50))


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


def ends_well(child):
    """Fork; whether `child` returns True there before an alarm ends it."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(PATIENCE)
        try:
            os._exit(0 if child() else 1)
        finally:
            os._exit(2)
    return os.waitpid(pid, 0)[1] == 0


# ---- both at once, within each other, and after a fork -----------------------------------------


@pytest.mark.parametrize("size", [2, 4])
def test_calls_within_calls_end_and_do_every_row(size):
    pieces, rows = [], []

    def outer(first, last):
        with threads.using_threads(size):  # in the pool's threads too
            threads.share_pieces(lambda a, b: pieces.extend(range(a, b)), 6, 1, LONG)
        mine = []
        threads.share_rows(drawing(50, mine), 50, size, 4)
        rows.extend(mine)

    def calls():
        for _ in range(20):
            with threads.using_threads(size):
                threads.share_pieces(outer, 8, 2, LONG)

    caller = threading.Thread(target=calls, daemon=True)
    caller.start()
    caller.join(timeout=PATIENCE)
    assert not caller.is_alive()
    assert sorted(pieces) == sorted(list(range(6)) * 4 * 20)
    assert sorted(rows) == sorted(list(range(50)) * 4 * 20)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    model = tt.models.ViT(tt.models.preset("tiny", num_classes=2, channels=1))
    tt.quant.ternarize(model)
    path = tmp_path_factory.mktemp("packed") / "model.safetensors"
    tt.deploy.pack(model).save(path)
    return tt.deploy.load(path, threads=2)


def test_training_and_an_engine_at_once_end_with_the_bits_of_each_alone(engine, rng, two):
    size = engine.header.config.image_size
    images = rng.integers(0, 256, (16, size, size, 1)).astype(np.uint8)
    x = rng.normal(size=(4096, 64)).astype(np.float32)
    layer = kernels.TernaryLinear(kernels.pack(rng.integers(-1, 2, (64, 64))), 1.0)
    calls = {
        "training": lambda: tt.Tensor(x).gelu().data,
        "kernel": lambda: layer(x, threads=3),
        "engine": lambda: engine(images),
    }
    wanted = {name: call() for name, call in calls.items()}
    wrong = []

    def repeat(name):
        for _ in range(40):
            if not np.array_equal(calls[name](), wanted[name]):
                wrong.append(name)

    running = [threading.Thread(target=repeat, args=(name,), daemon=True) for name in calls]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(timeout=PATIENCE)
    assert not any(thread.is_alive() for thread in running)
    assert not wrong


@needs_compiled  # NumPy alone starts no threads
@needs_fork
def test_a_forked_child_gets_threads_of_its_own(engine, rng, two):
    size = engine.header.config.image_size
    images = rng.integers(0, 256, (16, size, size, 1)).astype(np.uint8)
    x = rng.normal(size=(4096, 64)).astype(np.float32)
    layer = kernels.TernaryLinear(kernels.pack(rng.integers(-1, 2, (64, 64))), 1.0)
    calls = (lambda: tt.Tensor(x).gelu().data, lambda: layer(x, threads=2), lambda: engine(images))
    wanted = [call() for call in calls]

    def answers_with_threads_of_its_own():
        same = all(np.array_equal(call(), want) for call, want in zip(calls, wanted))
        return same and any(thread.name == "tinyternary-1" for thread in threading.enumerate())

    with threads.pool_first():  # whose end the child comes to as well
        assert ends_well(answers_with_threads_of_its_own)


@needs_fork
def test_no_lock_of_the_package_is_shut_in_a_forked_child():
    buffers.empty((1 << 16,))
    guards = list(locks._guards)
    held, let_go = threading.Barrier(2), threading.Event()

    def hold():
        with contextlib.ExitStack() as stack:
            for guard in guards:
                stack.enter_context(guard.lock)
            held.wait(PATIENCE)
            let_go.wait(PATIENCE)

    holder = threading.Thread(target=hold, daemon=True)
    holder.start()
    held.wait(PATIENCE)
    try:
        assert len(guards) >= 3
        assert ends_well(lambda: all(guard.lock.acquire(timeout=PATIENCE) for guard in guards))
    finally:
        let_go.set()
        holder.join()


def test_every_lock_that_outlives_a_call_is_made_where_forks_renew_it():
    """`threading`'s and those that `functools` hides; those of `Call` are gone with the call."""
    package = Path(tt.__file__).parent
    hidden = re.compile(
        r"\b(R?Lock|Condition|Semaphore|Barrier|cached_property)\(|@cached_property"
    )
    found = {
        f"{path.relative_to(package).as_posix()}: {line.strip()}"
        for folder in ("compiled", "kernels", "deploy", "autograd", "nn", "models", "quant")
        for path in (package / folder).rglob("*.py")
        for line in path.read_text().splitlines()
        if hidden.search(line) or line.strip() == "@functools.cached_property"
    }
    assert found == {
        "compiled/locks.py: self.lock = threading.Lock()",
        "compiled/threads.py: self._busy = [threading.Lock() for _ in range(others)]",
    }


@needs_fork
@needs_compiled
def test_a_child_forked_while_others_answer_answers_too(engine, rng, two):
    size = engine.header.config.image_size
    images = rng.integers(0, 256, (4, size, size, 1)).astype(np.uint8)
    wanted, over = engine(images), threading.Event()

    def answer():
        while not over.is_set():
            engine(images)

    others = [threading.Thread(target=answer, daemon=True) for _ in range(2)]
    for other in others:
        other.start()
    try:
        for _ in range(10):
            assert ends_well(lambda: np.array_equal(engine(images), wanted))
    finally:
        over.set()
        for other in others:
            other.join()


# ---- how many --------------------------------------------------------------------------------


def blas():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_how_many_can_be_said_in_code_and_in_the_environment(monkeypatch):
    try:
        monkeypatch.setenv("TINYTERNARY_THREADS", "3")
        assert threads.get_threads() == 3
        threads.set_threads(2)
        assert threads.get_threads() == 2
        with threads.using_threads(4):
            assert threads.get_threads() == 4
        assert threads.get_threads() == 2
        threads.set_threads(None)
        monkeypatch.setenv("TINYTERNARY_THREADS", "none")
        with pytest.raises(ConfigError, match="TINYTERNARY_THREADS"):
            threads.get_threads()
        for wrong in (0, -1, 1.5, "many", 10**400, float("inf"), 1025):
            with pytest.raises(ConfigError, match="whole number"):
                threads.set_threads(wrong)
        monkeypatch.delenv("TINYTERNARY_THREADS")
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        assert threads.get_threads() == 1
        monkeypatch.setenv("OMP_NUM_THREADS", "4,2")  # for nested teams: says nothing here
        assert threads.get_threads() >= 1
    finally:
        monkeypatch.undo()
        threads.set_threads(None)


def test_the_number_is_one_for_all_packages():
    assert tt.set_threads is kernels.set_threads is compiled.set_threads is threads.set_threads
    assert tt.get_threads is kernels.get_threads is compiled.get_threads is threads.get_threads


def test_blas_is_told_and_gets_its_own_number_back():
    before = blas()
    try:
        compiled.set_threads(2)
        assert blas() == {2}
        with threads.using_threads(1):
            assert blas() == {1}
            compiled.set_threads(3)
            assert blas() == {1}
        assert blas() == {3}
    finally:
        compiled.set_threads(None)
    assert blas() == before


def test_the_libraries_are_looked_for_once_and_again_after_an_import(monkeypatch):
    looked = []
    monkeypatch.setattr(
        "threadpoolctl.ThreadpoolController", lambda: looked.append(1) or ThreadpoolController()
    )
    monkeypatch.setattr(threads, "_looked", (None, 0))
    for _ in range(3):
        with threads.using_threads(1):
            pass
    assert len(looked) == 1
    monkeypatch.setitem(sys.modules, "a_module_with_a_blas_of_its_own", sys)
    with threads.using_threads(1):
        pass
    assert len(looked) == 2


def test_blas_leaves_the_cores_to_the_pool_for_a_block(monkeypatch, two):
    monkeypatch.setenv("TINYTERNARY_JIT", "1")
    threads._tell_blas()
    try:
        with compiled.pool_first():
            assert blas() == {1}
        assert blas() == {2}
        monkeypatch.setattr(threads, "get_threads", lambda: 1)  # nobody needs the core
        with compiled.pool_first():
            assert blas() == {2}
        monkeypatch.undo()
        monkeypatch.setattr(threads, "_chosen", 2)
        monkeypatch.setenv("TINYTERNARY_JIT", "0")  # all products are BLAS's
        with compiled.pool_first():
            assert blas() == {2}
    finally:
        compiled.set_threads(None)
