"""Threads change how long it takes, and nothing else."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest

from tests.kernels.cases import NAMES, trits
from tinyternary import compiled, kernels
from tinyternary.errors import ConfigError
from tinyternary.kernels import threads

SIMD = [b.name for b in kernels.backends() if b.available and b.simd]


@pytest.mark.parametrize("name", SIMD)
@pytest.mark.parametrize("m", [1, 3, 4, 7, 64, 257])
def test_one_two_and_four_threads_give_the_same_bits(name, m, rng):
    packed = kernels.pack(trits(rng, 70, 130))
    codes = rng.integers(-63, 64, (m, 130)).astype(np.int8)
    x = rng.normal(size=(m, 130)).astype(np.float32)
    layer = kernels.TernaryLinear(packed, 0.5, activation="gelu", backend=name)
    products = [kernels.matmul(codes, packed, name, threads=count) for count in (1, 2, 4)]
    outputs = [layer(x, threads=count) for count in (1, 2, 4)]
    for product, output in zip(products[1:], outputs[1:], strict=True):
        assert np.array_equal(product, products[0])
        assert np.array_equal(output, outputs[0])


@pytest.mark.parametrize("name", NAMES)
def test_every_backend_takes_the_argument(name, rng):
    packed = kernels.pack(trits(rng, 5, 30))
    x = rng.integers(-1, 2, (9, 30)).astype(np.int8)
    assert np.array_equal(
        kernels.matmul(x, packed, name, threads=3), kernels.matmul(x, packed, name)
    )


def test_layers_can_be_called_from_many_threads_at_once(rng):
    packed = kernels.pack(trits(rng, 96, 200))
    layer = kernels.TernaryLinear(packed, 1.0)
    inputs = [rng.normal(size=(40, 200)).astype(np.float32) for _ in range(6)]
    wanted = [layer(x, threads=1) for x in inputs]
    wrong: list[int] = []

    def call(index: int) -> None:
        for _ in range(30):
            if not np.array_equal(layer(inputs[index], threads=2), wanted[index]):
                wrong.append(index)

    running = [threading.Thread(target=call, args=(i,)) for i in range(6)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert not wrong


def test_rows_are_drawn_once_each_and_failures_come_back():
    drawn: list[int] = []
    lock = threading.Lock()

    def job(address: int) -> None:
        counters = threads_view(address)
        while True:
            with lock:
                first = int(counters[threads.NEXT])
                if first >= 50:
                    return
                step = int(counters[threads.STEP])
                counters[threads.NEXT] += step
                rows = list(range(first, min(50, first + step)))
                drawn.extend(rows)
                counters[threads.DONE] += len(rows)

    threads.share(job, 50, 3, 4)
    assert sorted(drawn) == list(range(50))

    def fail(address: int) -> None:
        raise KeyError("on purpose")

    with pytest.raises(KeyError):
        threads.share(fail, 50, 3, 4)
    threads.share(job_done, 50, 3, 4)  # the workers live on


def test_a_thread_that_comes_late_is_not_waited_for(rng):
    packed = kernels.pack(trits(rng, 70, 130))
    x = rng.normal(size=(64, 130)).astype(np.float32)
    layer = kernels.TernaryLinear(packed, 1.0)
    wanted = layer(x, threads=1)
    if not layer.backend.simd:
        pytest.skip("no vector kernel here")
    gate = threading.Event()
    answers = threads.invite(lambda member: gate.wait(60), 1)
    try:
        assert np.array_equal(layer(x, threads=2), wanted)
        assert answers.empty()
    finally:
        gate.set()
    for _ in range(20):
        assert np.array_equal(layer(x, threads=2), wanted)


def test_invited_threads_say_when_they_are_done_and_what_went_wrong():
    seen: list[int] = []

    def job(member: int) -> None:
        seen.append(member)
        if member == 2:
            raise KeyError("on purpose")

    answers = threads.invite(job, 3)
    found = [answers.get(timeout=60) for _ in range(3)]
    assert sorted(seen) == [1, 2, 3]
    assert sorted(type(answer).__name__ for answer in found) == ["KeyError", "NoneType", "NoneType"]


def job_done(address: int) -> None:
    threads_view(address)[threads.DONE] = 50


def threads_view(address: int) -> np.ndarray:
    import ctypes

    return np.ctypeslib.as_array((ctypes.c_int64 * 3).from_address(address))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_gets_threads_of_its_own(rng):
    packed = kernels.pack(trits(rng, 70, 130))
    x = rng.normal(size=(64, 130)).astype(np.float32)
    layer = kernels.TernaryLinear(packed, 1.0)
    wanted = layer(x, threads=2)
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(layer(x, threads=2), wanted) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_how_many_can_be_said_in_code_and_in_the_environment(monkeypatch):
    try:
        monkeypatch.setenv("TINYTERNARY_THREADS", "3")
        assert kernels.get_threads() == 3
        kernels.set_threads(2)
        assert kernels.get_threads() == 2
        kernels.set_threads(None)
        monkeypatch.setenv("TINYTERNARY_THREADS", "none")
        with pytest.raises(ConfigError, match="TINYTERNARY_THREADS"):
            kernels.get_threads()
        for wrong in (0, -1, 1.5, "many"):
            with pytest.raises(ConfigError, match="whole number"):
                kernels.set_threads(wrong)
        monkeypatch.delenv("TINYTERNARY_THREADS")
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        assert kernels.get_threads() == 1
        monkeypatch.setenv("OMP_NUM_THREADS", "4,2")  # for nested teams: says nothing here
        assert kernels.get_threads() >= 1
    finally:
        monkeypatch.undo()
        kernels.set_threads(None)


def test_training_and_packed_kernels_have_one_number():
    try:
        kernels.set_threads(1)
        assert compiled.get_threads() == 1
        compiled.set_threads(2)
        assert kernels.get_threads() == 2
    finally:
        kernels.set_threads(None)
