"""Attention in integers: compiled, it is the reference to the last bit, on every processor."""

from __future__ import annotations

import contextlib
import functools
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tests.deploy.int8_models import with_int8_attention
from tinyternary.deploy.int8_attention import exp2
from tinyternary.deploy.plain import Network
from tinyternary.kernels import dispatch
from tinyternary.models import ViT, preset

pytest.importorskip("llvmlite", reason="the encoder is compiled")
from llvmlite import ir

from tinyternary.compiled.switch import jit_enabled, njit
from tinyternary.deploy.encoder import emitters, int8_emitters, network
from tinyternary.deploy.encoder.int8_attention import attend_in_int8, lay_int8_keys
from tinyternary.deploy.encoder.intrinsics import (
    ADDRESS,
    INDEX,
    floats,
    operation,
    target_of,
    view,
)
from tinyternary.deploy.encoder.records import MEMORY, NETWORK
from tinyternary.deploy.encoder.steps import rows_of
from tinyternary.kernels.simd import targets
from tinyternary.kernels.simd.targets import I32, cpu_features
from tinyternary.kernels.simd.vectors import load

pytestmark = pytest.mark.skipif(not jit_enabled(), reason="the encoder is compiled")
NAMES = ("avx512", "avxvnni", "avx2", "neon", "vector")
HERE = [name for name in NAMES if set(network.shape_of(name).needs) <= cpu_features()]
SPELLED_OUT = ("avx512", "avxvnni", "neon")
"""Whose product of bytes can be spelled out, so that every processor runs all of the rest."""


def spelled_out(self, builder, total, left, right):
    """What `vpdpbusd` and `sdot` do: one operand has no sign, or both have."""
    wide = ir.VectorType(I32, self.width)
    widen = builder.sext if self.name == "neon" else builder.zext
    products = builder.mul(
        widen(builder.bitcast(left, self.codes), wide),
        builder.sext(builder.bitcast(right, self.codes), wide),
    )
    for _ in range(2):
        products = self.add_neighbors(builder, products)
    return builder.add(total, products)


@functools.cache
def attention(name: str, real: bool) -> Any:
    """Compile attention of all rows, a chunk at a time, for one family of processors."""
    key = network.shape_of(name).index

    @njit(cache=False)
    def run(net_address, memory_address, chunk, out):
        target, net = target_of(key), view(net_address, NETWORK)
        memory = view(memory_address, MEMORY)
        lay_int8_keys(target, net, rows_of(memory.qkv, 0), memory)
        for first in range(0, net.tokens, chunk):
            queries, place = rows_of(memory.qkv, first), rows_of(memory.attended, 0)
            attend_in_int8(target, net, queries, place, first, chunk, memory)
            for row in range(min(chunk, net.tokens - first)):
                found = floats(place.at + row * place.step, net.width)
                for d in range(net.width):
                    out[first + row, d] = found[d]

    spelled = mock.patch.object(targets.Target, "dot", spelled_out)
    with contextlib.nullcontext() if real else spelled:
        run.compile("void(int64, int64, int64, float32[:, ::1])")
    return run


def attend(name: str, real: bool, config: Any, qkv: np.ndarray, chunks: int) -> np.ndarray:
    """Run rows of queries, keys and values through it: (T, D)."""
    packed = with_int8_attention(ViT(config)).read()
    with (
        mock.patch.object(dispatch, "choose", return_value=SimpleNamespace(name=name)),
        mock.patch.object(network, "encoder"),
    ):
        fused = network.FusedNetwork(packed)
        memory = fused.memory()
    step, place = memory.record[0]["qkv"]["step"], memory.record[0]["qkv"]["at"]
    rows = next(kept for kept in memory._kept if kept.ctypes.data == place).reshape(-1, step // 4)
    rows[: len(qkv), : qkv.shape[1]] = qkv
    tall = fused.target.rows
    chunk = min(int(fused.record[0]["chunk"]), max(tall, -(-len(qkv) // chunks) // tall * tall))
    out = np.full((len(qkv), config.width), np.nan, np.float32)
    attention(name, real)(fused.address, memory.address, chunk, out)
    return out


def reference(config: Any, qkv: np.ndarray) -> np.ndarray:
    packed = with_int8_attention(ViT(config)).read()
    return Network(packed).attention("blocks.0.attn", qkv[None])[0]


shapes = st.builds(
    lambda size, heads, group, width, causal: preset(
        "tiny", image_size=size, patch_size=2, channels=1, heads=heads * group, kv_heads=heads,
        width=width * heads * group, mlp_width=8, depth=1, causal=causal,
    ),
    st.integers(1, 9).map(lambda side: 2 * side), st.integers(1, 3), st.integers(1, 3),
    st.sampled_from([1, 2, 3, 4, 12, 16, 20, 24, 32, 48, 64]), st.booleans(),
)  # fmt: skip
ways = st.sampled_from([(name, True) for name in HERE] + [(name, False) for name in SPELLED_OUT])


@settings(max_examples=150, deadline=None)
@given(ways, shapes, st.integers(1, 4), st.integers(-30, 12), st.integers(0, 2**32 - 1))
def test_compiled_attention_is_the_reference(way, config, chunks, power, seed):
    rng = np.random.default_rng(seed)
    qkv = rng.normal(size=(config.tokens, config.qkv_width)) * 10.0 ** rng.integers(
        -2, 3, config.qkv_width
    )
    qkv = (qkv * 2.0**power).astype(np.float32)
    with np.errstate(all="ignore"):
        expected = reference(config, qkv)
    np.testing.assert_array_equal(attend(*way, config, qkv, chunks), expected)


def test_powers_of_two_are_the_same_bits():
    """A fused multiplication would tip one share over in some hundred thousand."""

    def emit(builder, x, vectors):
        with emitters.each(builder, vectors) as loop:
            here = emitters.bytes_at(builder, loop)
            value = load(builder, x, here, emitters.ROW, 4)
            emitters.store(builder, x, here, int8_emitters._exp2(builder, value))

    powers = operation(emit, ADDRESS, INDEX)

    @njit(cache=False)
    def run(place, vectors):
        powers(place, vectors)

    x = -np.random.default_rng(0).exponential(10, 16 * 20_000).astype(np.float32)
    found = x.copy()
    run(found.ctypes.data, len(x) // 16)
    normal = x > -125  # others round to no share at all, whatever their bits are
    np.testing.assert_array_equal(found[normal], exp2(x)[normal])
    assert (found[~normal] < 1e-37).all()


@settings(max_examples=60, deadline=None)
@given(ways, shapes, st.sampled_from([np.nan, np.inf, -np.inf, 3e38]), st.data())
def test_what_is_not_finite_shows_in_the_same_places(way, config, value, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    qkv = rng.normal(size=(config.tokens, config.qkv_width)).astype(np.float32)
    qkv[rng.integers(config.tokens), rng.integers(config.qkv_width)] = value
    with np.errstate(all="ignore"):
        expected = reference(config, qkv)
    found = attend(*way, config, qkv, 1)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    if value == 3e38:
        np.testing.assert_array_equal(found, expected)
