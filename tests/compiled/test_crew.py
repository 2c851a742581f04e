"""Rows shared out among threads: every row once, by whoever is free."""

import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from tinyternary import compiled
from tinyternary.compiled import threads

LONG = 1.0  # seconds that one of the rows is said to take


@given(
    size=st.integers(1, 5),
    count=st.integers(1, 300),
    unit=st.integers(1, 40),
    seconds=st.sampled_from([0.0, threads.WORTH / 10, threads.WORTH / 2, LONG]),
)
def test_every_row_is_done_once_in_pieces_that_begin_at_units(size, count, unit, seconds):
    pieces = []
    threads.Crew(size).run(lambda a, b: pieces.append((a, b)), count, unit, seconds)
    pieces.sort()
    assert pieces[0][0] == 0
    assert pieces[-1][1] == count
    assert all(a < b for a, b in pieces)
    assert [b for _, b in pieces[:-1]] == [a for a, _ in pieces[1:]]
    assert all(a % unit == 0 for a, _ in pieces)
    assert len(pieces) <= max(1, size * threads.PIECES)


@pytest.mark.parametrize(("size", "seconds"), [(2, threads.WORTH / 100), (1, LONG)])
def test_little_work_and_a_crew_of_one_are_not_cut(size, seconds):
    pieces = []
    threads.Crew(size).run(lambda a, b: pieces.append((a, b)), 100, 1, seconds)
    assert pieces == [(0, 100)]


def test_another_thread_takes_part():
    crew, seen, both = threads.Crew(2), set(), threading.Barrier(2)

    def kernel(first, last):
        seen.add(threading.current_thread())
        if first in (0, 40):  # the first piece of each, which have to run at the same time
            both.wait(timeout=60)

    crew.run(kernel, 80, 10, LONG)
    assert len(seen) == 2


@pytest.mark.parametrize("guilty", ["helper", "caller"])
def test_an_error_reaches_the_caller_when_nobody_works_any_more(guilty):
    crew, caller, both = threads.Crew(2), threading.current_thread(), threading.Barrier(2)
    after = []

    def kernel(first, last):
        if first in (0, 40):
            both.wait(timeout=60)
        mine = threading.current_thread() is caller
        if mine == (guilty == "caller"):
            raise KeyError("on purpose")
        time.sleep(0.01)
        after.append(first)

    with pytest.raises(KeyError, match="on purpose"):
        crew.run(kernel, 80, 10, LONG)
    done = len(after)
    time.sleep(0.05)
    assert len(after) == done
    pieces = []
    crew.run(lambda a, b: pieces.append((a, b)), 10, 5, LONG)
    assert sorted(pieces) == [(0, 5), (5, 10)]


def test_a_helper_that_comes_late_finds_nothing_and_holds_no_array():
    crew = threads.Crew(2)
    crew.run(lambda a, b, x: None, 8, 1, LONG, None)
    helper, pieces = crew._helpers[0], []
    with helper.working:  # as if it did not wake up
        x = np.zeros(10)
        before = sys.getrefcount(x)
        job = threads._Job(lambda a, b, y: pieces.append((a, b)), [0, 1, 2], (x,), 2)
        helper.inbox.put((job, 1))
        job.work(0)
        job.close()
    assert sys.getrefcount(x) == before
    assert pieces == [(0, 1), (1, 2)]


def test_a_call_within_a_call_does_its_rows_alone():
    crew, pieces = threads.Crew(2), []

    def outer(first, last):
        crew.run(lambda a, b: pieces.append((a, b)), 6, 1, LONG)

    crew.run(outer, 2, 1, LONG)
    assert pieces == [(0, 6), (0, 6)]


def test_blas_leaves_the_cores_to_the_crew_for_a_block(monkeypatch):
    def counts():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    try:
        compiled.set_threads(2)
        assert set(counts()) == {2}
        with compiled.crew_first():
            assert set(counts()) == {1}
        assert set(counts()) == {2}
        monkeypatch.setattr(threads, "get_threads", lambda: 1)  # nobody needs the core
        with compiled.crew_first():
            assert set(counts()) == {2}
        monkeypatch.undo()
        monkeypatch.setenv("TINYTERNARY_JIT", "0")  # all products are BLAS's
        with compiled.crew_first():
            assert set(counts()) == {2}
    finally:
        compiled.set_threads(None)
