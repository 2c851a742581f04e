"""Threads change how long it takes, and nothing else."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from tests.kernels.cases import NAMES, trits
from tinyternary import kernels
from tinyternary.compiled import threads

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


def test_a_thread_that_comes_late_is_not_waited_for(rng):
    packed = kernels.pack(trits(rng, 70, 130))
    x = rng.normal(size=(64, 130)).astype(np.float32)
    layer = kernels.TernaryLinear(packed, 1.0)
    wanted = layer(x, threads=1)
    if not layer.backend.simd:
        pytest.skip("no vector kernel here")
    gate = threading.Event()
    call = threads.invite(lambda member: gate.wait(60), 1)
    try:
        assert np.array_equal(layer(x, threads=2), wanted)
    finally:
        gate.set()
        call.wait()
    for _ in range(20):
        assert np.array_equal(layer(x, threads=2), wanted)
