"""The pool: a buffer is used again only when nothing looks at it any more."""

import numpy as np
from hypothesis import given, strategies as st

from tinyternary.compiled.buffers import SMALLEST, Pool

BIG = (SMALLEST // 4 + 3,)


def address(x):
    return x.__array_interface__["data"][0]


def test_a_dropped_array_is_used_again_and_a_kept_one_is_not():
    pool = Pool()
    first = pool.empty(BIG)
    where = address(first)
    assert where % 64 == 0
    second = pool.empty(BIG)
    assert address(second) != where
    del first
    assert address(pool.empty(BIG)) == where
    assert pool.nbytes == 2 * 4 * BIG[0]


def test_any_view_keeps_the_buffer():
    views = [lambda x: x[5:], lambda x: x.reshape(1, -1), lambda x: x.view(np.int32), lambda x: x[::-2],
             memoryview, lambda x: np.broadcast_to(x, (2, *x.shape)), lambda x: x.T[3:4]]  # fmt: skip
    for view in views:
        pool = Pool()
        x = pool.empty(BIG)
        where, kept = address(x), view(x)
        del x
        assert address(pool.empty(BIG)) != where
        del kept
        assert address(pool.empty(BIG)) == where


@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=60))
def test_live_arrays_never_share_memory(steps):
    pool, live = Pool(), []
    for number, (drop, size) in enumerate(steps):
        if drop and live:
            live.pop(size % len(live))
            continue
        x = pool.empty((SMALLEST // 4 + size,))
        x[...] = number
        live.append((number, x))
    for number, x in live:
        assert (x == number).all()


def test_small_arrays_are_left_to_numpy_and_old_buffers_go():
    pool = Pool()
    pool.empty((3,))
    assert pool.nbytes == 0
    pool.empty(BIG)
    assert pool.nbytes > 0
    for _ in range(8 * 512):
        pool.empty((BIG[0] + 1,))
    assert pool.nbytes == 4 * (BIG[0] + 1)
    pool.clear()
    assert pool.nbytes == 0
