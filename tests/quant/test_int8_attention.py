"""Attention in int8 as training sees it: PyTorch's gradients, and what the packed engine computes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tinyternary import Tensor, cost
from tinyternary.config import preset
from tinyternary.config.policy import INT8_PRODUCTS
from tinyternary.data import phantoms
from tinyternary.deploy import Engine, model_card, pack, to_c, to_onnx
from tinyternary.deploy.format.header_fields import parse_header
from tinyternary.deploy.int8_attention import int8_shares
from tinyternary.errors import ConfigError, PackedFileError
from tinyternary.kernels import reference
from tinyternary.models import ViT
from tinyternary.nn import Attention
from tinyternary.quant import Int8Attention, describe, search_policy, set_strength, ternarize
from tinyternary.train.run import build_model, describe_policy

SMALL = {"channels": 1, "num_classes": 4, "depth": 2, "patch_size": 7}


def through(attend: Attention, x: np.ndarray, upstream: np.ndarray):
    """Its output, and the gradients of what goes in and of all parameters."""
    tensor = Tensor(x, requires_grad=True)
    out = attend(tensor)
    (out * Tensor(upstream)).sum().backward()
    return out.data, tensor.grad, [p.grad for p in attend.parameters()]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.sampled_from([1, 2, 3, 5, 8, 16]),
    st.integers(1, 12),
    st.booleans(), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_output_and_gradients_are_pytorchs(batch, kv_heads, group, width, tokens, causal, seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    heads = kv_heads * group
    attend = Int8Attention(Attention(width * heads, heads, kv_heads, rng=rng, causal=causal))
    x = rng.normal(size=(batch, tokens, width * heads)).astype(np.float32)
    upstream = rng.normal(size=x.shape).astype(np.float32)
    for p in attend.parameters():
        # scores of a few units: where they are many, a code that tips over moves a share by half
        p.data[...] = rng.normal(size=p.shape) * min(0.5, 1.5 / np.sqrt(width * heads))
    out, grad_x, grads = through(attend, x, upstream)

    def rounded(y, axes):  # straight through: the gradient is that of y
        scale = y.detach().abs().amax(axes, keepdim=True).clamp(min=1e-5) / 127
        return y + ((y.detach() / scale).round() * scale - y.detach())

    parts = [torch.tensor(p.data, requires_grad=True) for p in attend.parameters()]
    (w_qkv, b_qkv, w_out, b_out), given_x = parts, torch.tensor(x, requires_grad=True)
    qkv = (given_x @ w_qkv.T + b_qkv).reshape(batch, tokens, heads + 2 * kv_heads, width)
    q, k, v = qkv.transpose(1, 2).split([heads, kv_heads, kv_heads], 1)
    q, k, v = rounded(q, -1), rounded(k, -1), rounded(v, (-2, -1))
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    scores = q @ k.transpose(-1, -2) / width**0.5
    if causal:
        scores = scores.masked_fill(torch.ones(tokens, tokens).triu(1).bool(), -torch.inf)
    soft = scores.softmax(-1)
    with torch.no_grad():
        used = torch.round(127 * (scores - scores.amax(-1, keepdim=True)).exp())
        used = used / used.sum(-1, keepdim=True)

    # softmax's own backward at the weights that were used: y (g - sum(y g))
    class Used(torch.autograd.Function):
        @staticmethod
        def forward(ctx, scores):
            return used.clone()

        @staticmethod
        def backward(ctx, grad):
            return used * (grad - (used * grad).sum(-1, keepdim=True))

    assert (soft - used).abs().max() < 0.05
    mixed = (Used.apply(scores) @ v).transpose(1, 2).reshape(x.shape)
    expected = mixed @ w_out.T + b_out
    (expected * torch.tensor(upstream)).sum().backward()
    # one code or share may tip over between the two: never far
    near = {"rtol": 0.02, "atol": 0.02 * float(expected.detach().abs().max())}
    np.testing.assert_allclose(out, expected.detach().numpy(), **near)
    for mine, theirs in zip([grad_x, *grads], [given_x, *parts]):
        scale = float(theirs.grad.abs().max()) + 1e-6
        assert np.abs(mine - theirs.grad.numpy()).max() < 0.03 * scale


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.booleans(), st.floats(0.01, 0.99), st.integers(0, 2**32 - 1))
def test_its_strength_goes_from_floats_to_integers(kv_heads, causal, strength, seed):
    """0 is the attention it was made of, to rounding; between, all of it moves continuously."""
    rng = np.random.default_rng(seed)
    plain = Attention(6 * kv_heads, 2 * kv_heads, kv_heads, rng=rng, causal=causal)
    attend = Int8Attention(plain)
    x = Tensor(3 * rng.normal(size=(2, 7, 6 * kv_heads)).astype(np.float32))
    whole = attend(x).data
    set_strength(attend, 0.0)
    np.testing.assert_allclose(attend(x).data, plain(x).data, rtol=1e-4, atol=1e-5)
    set_strength(attend, strength)
    between = attend(x).data
    set_strength(attend, strength + 1e-4)
    assert np.abs(attend(x).data - between).max() < 1e-2
    set_strength(attend, 1 - 1e-7)
    far = 0.05 * np.abs(whole).max()  # a share may tip over: these are two programs
    np.testing.assert_allclose(attend(x).data, whole, rtol=0, atol=far)
    set_strength(attend, 1.0)
    np.testing.assert_array_equal(attend(x).data, whole)


def test_it_is_listed_by_describe_and_searched_by_nobody():
    model = ternarize(ViT(preset("tiny", **SMALL)), {"blocks.1.attn": "int8"})
    rows = describe(model)
    assert rows.int8_attention == ["blocks.1.attn"]
    assert "blocks.1.attn" in str(rows)
    assert "int8 products" in str(rows)
    assert describe(ViT(preset("tiny", **SMALL))).int8_attention == []
    with pytest.raises(ConfigError, match="quantised already"):
        search_policy(model, phantoms("val", count=8, classes=4), 10**6)


def test_the_cost_model_says_where_blocks_differ():
    some = cost.analyze("tiny", policy={"blocks.1.attn": "int8"})
    assert some.to_dict()["attention"] == "float32 and int8"
    assert cost.analyze("tiny", policy="integer-attention").to_dict()["attention"] == "int8"
    assert cost.analyze("tiny", policy="all-linear").to_dict()["attention"] == "float32"


def test_a_policy_puts_it_in_place_of_the_attention():
    plain = ViT(preset("tiny", **SMALL))
    names = [name for name, _ in plain.named_parameters()]
    linear = ternarize(ViT(preset("tiny", **SMALL)), "all-linear")
    model = ternarize(ViT(preset("tiny", **SMALL)), "integer-attention")
    assert [type(block.attn) for block in model.blocks] == [Int8Attention] * 2
    assert [n for n, _ in model.named_parameters()] == [n for n, _ in linear.named_parameters()]
    assert set(names) <= {name for name, _ in model.named_parameters()}
    assert {n: r for n, r in model.policy.items() if r == INT8_PRODUCTS} == {
        f"blocks.{i}.attn": INT8_PRODUCTS for i in range(2)
    }
    with pytest.raises(ConfigError, match="quantised already"):
        ternarize(model, "bitmedvit")
    one = ternarize(plain, {"blocks.1.attn": "int8"})
    assert [isinstance(block.attn, Int8Attention) for block in one.blocks] == [False, True]
    again = build_model(model.config.to_dict(), describe_policy(model))
    again.load_state_dict(model.state_dict())
    x = Tensor(np.random.default_rng(0).normal(size=(2, 1, 28, 28)).astype(np.float32))
    np.testing.assert_array_equal(model.eval()(x).data, again.eval()(x).data)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["integer-attention", {"blocks.*.attn": "int8"}, {"blocks.1.attn": "int8"}]),
    st.sampled_from([{}, {"kv_heads": 1}, {"causal": True}, {"pool": "cls"}, {"registers": 2},
                     {"width": 48}, {"width": 60, "heads": 3}]),
    st.sampled_from([2, 1.6]), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_the_packed_engine_computes_what_was_trained(policy, shape, bits, seed):
    rng = np.random.default_rng(seed)
    model = ternarize(ViT(preset("tiny", **{**SMALL, **shape}), seed=seed % 1000), policy).eval()
    packed = pack(model, bits=bits)
    images = rng.integers(0, 256, (3, 28, 28, 1), np.uint8)
    expected = model(Tensor(packed.header.preprocessing(images))).data
    for fused in (None, False):
        found = Engine(packed.read(), fused=fused)(images)
        assert np.abs(found - expected).max() < 0.05 * max(1.0, float(np.abs(expected).max()))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.integers(1, 2), st.integers(1, 2), st.integers(0, 2**32 - 1))
def test_queries_keys_and_values_are_rounded_as_the_engine_rounds_them(batch, kv, group, seed):
    rng = np.random.default_rng(seed)
    attend = Int8Attention(Attention(6 * kv * group, kv * group, kv))
    qkv = Tensor(rng.normal(size=(batch, 5, 6 * (kv * group + 2 * kv))).astype(np.float32))
    before, after = Attention.split_heads(attend, qkv), attend.split_heads(qkv)
    for which, (floats, found) in enumerate(zip(before, after, strict=True)):
        # rows of queries and keys have a scale of their own, a head's values share one
        rows = floats.data if which < 2 else floats.data.reshape(batch, kv, -1)
        codes, scale = reference.quantize(rows)
        expected = (codes * scale[..., None]).reshape(floats.shape)
        np.testing.assert_allclose(found.data, expected, rtol=1e-6)
        assert np.abs(found.data - floats.data).max() > 0


def test_recorded_weights_are_those_that_are_used():
    rng = np.random.default_rng(0)
    attend = Int8Attention(Attention(24, 2, 1, rng=rng))
    x = Tensor(rng.normal(size=(2, 7, 24)).astype(np.float32))
    record: dict = {}
    attend(x, record)
    q, k, _ = Attention.split_heads(attend, attend.qkv(x))
    shares, _ = int8_shares(q.data, k.data)
    expected = shares / shares.sum(-1, keepdims=True)
    assert record["attn"].shape == (2, 2, 7, 7)
    np.testing.assert_allclose(record["attn"], expected, atol=0.01)
    np.testing.assert_allclose(record["attn"].sum(-1), 1, rtol=1e-5)


def test_files_say_it_and_older_readers_would_not_take_them():
    model = ternarize(ViT(preset("tiny", **SMALL)), "integer-attention")
    packed = pack(model)
    fields = packed.header.to_dict()
    assert fields["format_version"] == 3
    assert pack(ternarize(ViT(preset("tiny", **SMALL)), "all-linear")).header.to_dict()[
        "format_version"
    ] == 1  # fmt: skip
    assert "attention in int8 in all blocks" in model_card(packed.read(), "file")
    with pytest.raises(PackedFileError, match=r"policy: 'blocks\.0\.attn'"):
        parse_header({**fields, "format_version": 2}, "file", 1000)
    rules = [dict(rule) for rule in fields["rules"]]
    rules[fields["policy"]["blocks.0.attn"]]["weight"] = "absmean"
    with pytest.raises(PackedFileError, match=r"policy\.blocks\.0\.attn"):
        parse_header({**fields, "rules": rules}, "file", 1000)


@pytest.mark.parametrize("exact", [False, True])
def test_exports_say_that_they_do_not_know_it(exact, tmp_path):
    pytest.importorskip("onnx")
    model = ternarize(ViT(preset("tiny", **SMALL)), "integer-attention")
    with pytest.raises(ConfigError, match="attends in int8"):
        to_onnx(model, tmp_path / "model.onnx", exact=exact)
    with pytest.raises(ConfigError, match="attends in int8"):
        to_c(model, tmp_path / "model", integer=exact)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("network", ["tiny", "bitmedvit"])
def test_its_products_cost_what_integers_cost(network):
    floats, integers = (cost.analyze(network, p) for p in ("all-linear", "integer-attention"))
    assert integers.macs == floats.macs
    assert integers.bytes_stored == floats.bytes_stored
    by_name = {found.step.name: found for found in integers.layers}
    before = {found.step.name: found for found in floats.layers}
    for part in ("scores", "values"):
        name = f"blocks.0.attn.{part}"
        energy = by_name[name].energy.middle, before[name].energy.middle
        assert energy[0] < energy[1]
    same = cost.analyze(network, "all-linear", attention="int8")
    told, asked = integers.to_dict(), same.to_dict()
    assert told["energy_uj_per_image"] == asked["energy_uj_per_image"]
    assert told["attention"] == asked["attention"] == "int8"
    other = cost.analyze(network, "integer-attention", attention="float32").to_dict()
    assert other["attention"] == "float32"
    assert other["energy_uj_per_image"] == floats.to_dict()["energy_uj_per_image"]
