"""The encoder's attention in 8-bit integers against its reference, to the last bit.

Each target's shape is tested wherever this runs: where the processor lacks its instruction that
multiplies bytes, plain IR stands in for that one.
"""

from __future__ import annotations

import dataclasses
import functools
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tests.deploy.small_models import images_for, make_model
from tests.marks import needs_compiled
from tinyternary.config.policy import LayerQuant
from tinyternary.deploy import Engine, pack
from tinyternary.deploy.encoder import network, records
from tinyternary.deploy.format.writer import PackedModel
from tinyternary.deploy.int8_attention import int8_attention
from tinyternary.kernels.simd.tile_shapes import shape_of

SHAPES = ["avx512", "avxvnni", "avx2", "neon", "lookup7", "ternary"]


def plain_dot(target, builder, total, a, b):
    """What a target's instruction for bytes computes, in IR that any processor runs."""
    from llvmlite import ir

    from tinyternary.kernels.simd.targets import I32

    wide = ir.VectorType(I32, target.width)
    widen = builder.sext if target.name == "neon" else builder.zext
    left = widen(builder.bitcast(a, target.codes), wide)
    products = builder.mul(left, builder.sext(builder.bitcast(b, target.codes), wide))
    for first in range(4):
        index = ir.VectorType(I32, target.lanes)
        picked = ir.Constant(index, list(range(first, target.width, 4)))
        total = builder.add(total, builder.shuffle_vector(products, products, picked))
    return total


@functools.cache
def attention(name):
    """Return ``attention(net, memory, qkv, step, out, out_step, chunk)`` for a target."""
    from numba import njit

    from tinyternary.deploy.encoder.int8_steps import attend_int8, lay_int8_keys
    from tinyternary.deploy.encoder.intrinsics import target_of, view
    from tinyternary.deploy.encoder.records import MEMORY, NETWORK
    from tinyternary.deploy.encoder.steps import Rows
    from tinyternary.kernels.simd import targets

    key = shape_of(name).index

    def run(net_at, memory_at, qkv, step, out, out_step, chunk):
        target, net, memory = target_of(key), view(net_at, NETWORK), view(memory_at, MEMORY)
        lay_int8_keys(target, net, Rows(qkv, step), memory)
        tokens = -(-net.tokens // target.rows) * target.rows
        for first in range(0, tokens, chunk):
            count = min(chunk, tokens - first)
            queries, mixed = Rows(qkv + first * step, step), Rows(out + first * out_step, out_step)
            attend_int8(target, net, queries, mixed, first, count, memory)

    has = set(shape_of(name).needs) <= targets.cpu_features()
    if name in ("avx2", "ternary"):
        if not has:
            pytest.skip(f"no processor with {name}")
        return njit(["void(int64, int64, int64, int64, int64, int64, int64)"])(run)
    dot = targets.Target.dot if has else plain_dot
    with mock.patch.object(targets.Target, "dot", dot):
        return njit(["void(int64, int64, int64, int64, int64, int64, int64)"])(run)


def attend(name, q, k, v, causal, chunk=8):
    """Return what the encoder's attention makes of (H, T, Dh) and (Hkv, T, Dh): (H, T, Dh)."""
    heads, tokens, width = q.shape
    target = shape_of(name)
    net = np.zeros(1, records.NETWORK)
    for field, value in {
        "tokens": tokens, "heads": heads, "kv_heads": len(k), "head_width": width,
        "width": heads * width, "value_width": -(-width // target.lanes) * target.lanes,
        "causal": causal, "chunk": chunk, "attention_scale": np.log2(np.e) / np.sqrt(width),
    }.items():  # fmt: skip
        net[field] = value
    joint = (heads + 2 * len(k)) * width
    config = SimpleNamespace(
        tokens=tokens, num_classes=3, width=heads * width, qkv_width=joint, mlp_width=1,
        key_value_heads=len(k), head_dim=width,
    )  # fmt: skip
    memory = network._Memory(SimpleNamespace(config=config, target=target, record=net))
    for array in memory._kept:  # whatever was there before is no part of an answer
        array.view(np.uint8).fill(0x7F)
    rows = -(-tokens // target.rows) * target.rows
    wide = -(-joint // 16) * 16 + 16
    qkv = np.full((rows, wide), np.nan, np.float32)
    qkv[:tokens, :joint] = np.concatenate([q, k, v]).transpose(1, 0, 2).reshape(tokens, joint)
    out = np.full((rows + 1, heads * width + 64), 77, np.float32)
    attention(name)(
        net.ctypes.data, memory.address, qkv.ctypes.data, 4 * wide, out.ctypes.data,
        4 * out.shape[1], chunk,
    )  # fmt: skip
    assert (out[rows] == 77).all()
    assert (out[:, -16:] == 77).all()
    return out[:tokens, : heads * width].reshape(tokens, heads, width).transpose(1, 0, 2)


def drawn(rng, shape, magnitude):
    """Floats of one magnitude, but some rows of others."""
    x = rng.normal(0, 1, shape) * 10.0**magnitude
    x *= np.where(rng.random(shape[:-1]) < 0.2, 10.0 ** rng.uniform(-6, 2), 1)[..., None]
    return x.astype(np.float32)


@needs_compiled
@pytest.mark.parametrize("name", SHAPES)
@settings(max_examples=60, deadline=None)
@given(
    tokens=st.one_of(st.integers(1, 70), st.integers(1, 300)),
    groups=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    width=st.sampled_from([1, 4, 12, 16, 20, 24, 32, 48, 64, 80]),
    causal=st.booleans(),
    magnitudes=st.tuples(*[st.integers(-8, 4)] * 3),
    fault=st.sampled_from([None, None, np.nan, np.inf, -np.inf, 3e38]),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_the_reference(name, tokens, groups, width, causal, magnitudes, fault, seed):
    rng = np.random.default_rng(seed)
    kv_heads, heads = groups[0], groups[0] * groups[1]
    q = drawn(rng, (heads, tokens, width), magnitudes[0])
    k = drawn(rng, (kv_heads, tokens, width), magnitudes[1])
    v = drawn(rng, (kv_heads, tokens, width), magnitudes[2])
    if fault is not None:
        part = (q, k, v)[rng.integers(3)]
        part[tuple(rng.integers(size) for size in part.shape)] = fault
    expected = int8_attention(q[None], k[None], v[None], causal)[0]
    np.testing.assert_array_equal(attend(name, q, k, v, causal), expected)


@needs_compiled
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("causal", [False, True])
def test_a_thousand_tokens_alike_are_the_largest_sums(name, causal):
    q = np.full((1, 1030, 64), 9, np.float32)
    v = np.full((1, 1030, 64), -3, np.float32)
    for k in (q, -q):
        expected = int8_attention(q[None], k[None], v[None], causal)[0]
        assert abs(expected + 3).max() < 1e-5
        np.testing.assert_array_equal(attend(name, q, k, v, causal, 64), expected)


@needs_compiled
@pytest.mark.parametrize("name", SHAPES)
def test_ten_million_shares_are_those_of_the_reference(name):
    # a fused multiply-add in a power of two tips one share in a million over
    rng = np.random.default_rng(3)
    q = rng.uniform(0.5, 3, (10, 1024, 1)).astype(np.float32)
    k = rng.uniform(-2, 2, (2, 1024, 1)).astype(np.float32)
    v = rng.normal(0, 1, (2, 1024, 1)).astype(np.float32)
    expected = int8_attention(q[None], k[None], v[None])[0]
    np.testing.assert_array_equal(attend(name, q, k, v, False, 64), expected)


def with_int8(model, blocks):
    """Pack a model and say by its policy that some blocks attend in integers."""
    packed = pack(model)
    whole = packed.read()
    rule = LayerQuant(weight="int8", activation="int8", norm=False)
    policy = {**whole.header.policy, **{f"blocks.{i}.attn": rule for i in blocks}}
    header = dataclasses.replace(whole.header, policy=policy)
    return PackedModel(header, dict(whole.tensors)).read()


@needs_compiled
@pytest.mark.parametrize("blocks", [(0,), (1,), (0, 1)], ids=str)
@pytest.mark.parametrize(
    "changes", [{}, {"kv_heads": 1, "causal": True}, {"width": 60, "heads": 3, "patch_size": 2}],
    ids=str,
)  # fmt: skip
def test_whole_networks_equal_the_plain_layers(changes, blocks):
    model = make_model(None, **changes)
    packed = with_int8(model, blocks)
    fused, plain = Engine(packed, 1), Engine(packed, fused=False)
    if fused.plain_because:
        pytest.skip(fused.plain_because)
    images = images_for(model, 6)
    expected = plain(images)
    # norms differ in their last bits, and now and then one tips a code over
    np.testing.assert_allclose(fused(images), expected, rtol=0, atol=0.01 * expected.std())
    floats = Engine(pack(model).read(), 1)(images)
    assert (abs(fused(images) - floats).max(axis=1) > 0).all()  # and it is no attention of floats


@needs_compiled
@pytest.mark.parametrize("causal", [False, True])
def test_threads_and_batches_give_the_same_bits(causal, monkeypatch):
    from tinyternary.compiled import threads

    monkeypatch.setattr(threads, "WORTH_SHARING_NETWORK", 0)
    model = make_model("all-linear", width=48, heads=3, causal=causal)
    packed = with_int8(model, (0,))
    images = images_for(model, 5)
    engine = Engine(packed, 1)
    if engine.plain_because:
        pytest.skip(engine.plain_because)
    expected = engine(images)
    for team in (2, 3):
        engine = Engine(packed, team)
        for count in (1, 2, 5):
            np.testing.assert_array_equal(engine(images[:count]), expected[:count])


@needs_compiled
@pytest.mark.parametrize(
    ("name", "expected", "unwanted"),
    [
        ("avx512", ["vpdpbusd"], ["vfmadd"]),
        ("avxvnni", ["vpdpbusd"], ["vfmadd"]),
        ("avx2", ["vpmaddubsw", "vpmaddwd"], ["vfmadd", "vpmulld"]),
        ("neon", ["sdot"], ["fmla"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_compiles_for_every_processor(name, expected, unwanted):
    import llvmlite.binding as llvm
    from llvmlite import ir

    from tinyternary.deploy.encoder import integers
    from tinyternary.kernels.simd.assembly import PROCESSORS
    from tinyternary.kernels.simd.targets import F32, I8, I64, TARGETS

    target, processor = TARGETS[shape_of(name).index], PROCESSORS[name]
    made, place = ir.Module(), I8.as_pointer()
    for emit, kinds in (
        (integers.score_emitter(None), (place, I64, place, I64, I64, place, place, place, I64)),
        (integers.mix_emitter(1), (place, I64, place, I64, I64, place, place, I64)),
        (integers.emit_shares, (place, I64, place, F32, F32)),
        (integers.emit_values, (place, I64, I64, place, place, I64)),
        (integers.emit_key, (place, I64, place, place, place)),
    ):
        kind = ir.FunctionType(ir.VoidType(), kinds)
        function = ir.Function(made, kind, f"function{len(made.functions)}")
        builder = ir.IRBuilder(function.append_basic_block())
        emit(builder, target, *function.args)
        builder.ret_void()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    parsed = llvm.parse_assembly(str(made))
    parsed.verify()
    machine = llvm.Target.from_triple(processor.triple).create_target_machine(
        cpu=processor.cpu, features=processor.features, opt=3
    )
    text = machine.emit_assembly(parsed)
    assert all(word in text for word in expected)
    assert not any(word in text for word in unwanted)


@needs_compiled
def test_kept_machine_code_gives_the_same_answer(monkeypatch):
    from tinyternary.deploy import machine_code

    model = make_model("all-linear")
    packed = with_int8(model, (0, 1))
    images = images_for(model, 3)
    monkeypatch.setenv("TINYTERNARY_NATIVE", "0")
    compiled = Engine(packed, 1)
    if compiled.plain_because:
        pytest.skip(compiled.plain_because)
    expected = compiled(images)
    monkeypatch.delenv("TINYTERNARY_NATIVE")
    kept = Engine(packed, 1)
    if machine_code.unavailable():
        pytest.skip(machine_code.unavailable())
    assert kept.fused.compiled.because == ""
    assert kept.fused.compiled is not compiled.fused.compiled
    np.testing.assert_array_equal(kept(images), expected)
