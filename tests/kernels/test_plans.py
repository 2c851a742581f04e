"""Unpacked panels: the same bits, and a probe that keeps what it finds or does without."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tests.kernels.cases import NAMES, codes, exact, trits
from tinyternary import kernels

pytest.importorskip("llvmlite", reason="panels are unpacked by compiled code")
from tinyternary.kernels.simd import plans
from tinyternary.kernels.simd.micro_kernels import MICRO_KERNELS
from tinyternary.kernels.simd.record import NEVER

RUNGS = [
    micro.target for micro in MICRO_KERNELS
    if micro.emit_unpacked_sums is not None and micro.target.name in NAMES
]  # fmt: skip
needs_one = pytest.mark.skipif(not RUNGS, reason="no kernel that runs here unpacks panels")


def with_plan(rows):
    return mock.patch.object(plans, "unpack_from", return_value=rows)


many = st.one_of(st.integers(0, 70), st.sampled_from([127, 128, 129, 300]))


@needs_one
@settings(max_examples=60, deadline=None)
@given(st.sampled_from(RUNGS), many, many, many, st.sampled_from([1, 4, 16, 33]), st.data())
def test_products_are_exact_under_every_plan(target, m, n, k, rows, data):
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    w, x = trits(rng, n, k), codes(rng, m, k, target.name)
    with with_plan(rows):
        found = kernels.matmul(x, kernels.pack(w), backend=target.name)
    assert (found == exact(x, w)).all()


@needs_one
@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(RUNGS), many, st.integers(1, 100), st.integers(1, 40), st.integers(1, 3),
    st.sampled_from([None, "gelu", "relu"]), st.integers(1, 3), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_layers_give_the_same_bits_under_every_plan(
    target, m, n, size, groups, activation, threads, seed
):
    rng = np.random.default_rng(seed)
    k = size * groups
    packed, x = kernels.pack(trits(rng, n, k)), rng.normal(size=(m, k)).astype(np.float32)
    scale = rng.uniform(0.5, 2, n if groups == 1 else (n, groups)).astype(np.float32)
    bias = rng.normal(size=n).astype(np.float32)

    def answer(rows):
        with with_plan(rows):
            layer = kernels.TernaryLinear(
                packed, scale, bias, activation=activation, backend=target.name
            )
        return layer(x, threads=threads)

    np.testing.assert_array_equal(answer(plans.ROWS), answer(NEVER))


@needs_one
@pytest.mark.parametrize("target", RUNGS, ids=lambda target: target.name)
def test_a_probe_finds_a_plan_and_keeps_it(target, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    known = plans.unpack_from(target)
    found = plans.probe(target.name)
    assert found["unpacked"] > 0
    assert found["unpack_from"] in (plans.ROWS, NEVER)
    assert plans.unpack_from(target) == found["unpack_from"]
    (kept,) = (tmp_path / "tinyternary").glob("plan-*")
    kept.write_bytes(kept.read_bytes()[:-1])  # damaged: what is known counts again
    plans._unpack_from.cache_clear()
    assert plans.unpack_from(target) == known


@needs_one
def test_a_probe_that_can_keep_nothing_still_answers(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "inside"))
    (tmp_path / "file").write_text("no folder")
    assert plans.probe(RUNGS[0].name)["unpacked"] > 0


@pytest.mark.parametrize("name", ["vector", "blas", "five", "ternary"])
def test_where_there_is_one_way_nothing_is_probed(name):
    assert plans.probe(name) == {}
