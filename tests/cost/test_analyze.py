"""Counts and totals of the cost model, against the real model's arrays and by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinyternary import cost
from tinyternary.config import (
    POLICIES,
    PRESETS,
    LayerQuant,
    ViTConfig,
    preset,
    vit_matrices,
)
from tinyternary.errors import ConfigError


@st.composite
def configs(draw: st.DrawFn) -> ViTConfig:
    heads = draw(st.sampled_from([1, 2, 4]))
    patch = draw(st.sampled_from([2, 4]))
    return ViTConfig(
        image_size=patch * draw(st.integers(1, 4)),
        patch_size=patch,
        channels=draw(st.sampled_from([1, 3])),
        width=4 * heads * draw(st.integers(1, 3)),
        depth=draw(st.integers(1, 3)),
        heads=heads,
        kv_heads=draw(st.sampled_from([None, 1])),
        mlp_width=draw(st.integers(1, 40)),
        num_classes=draw(st.integers(1, 9)),
        pool=(pool := draw(st.sampled_from(["mean", "cls", "distilled"]))),
        token_norm=pool == "mean" and draw(st.booleans()),
        registers=draw(st.integers(0, 2)),
        embed_norm=draw(st.booleans()),
        positions=draw(st.sampled_from(["learned", "sinusoidal"])),
        activation=draw(st.sampled_from(["gelu", "gelu_tanh", "relu_squared"])),
        attention_bias=draw(st.booleans()),
        mlp_bias=draw(st.booleans()),
        attn_norm=draw(st.booleans()),
        mlp_norm=draw(st.booleans()),
        causal=draw(st.booleans()),
    )


@given(configs())
def test_parameters_are_those_the_model_allocates(config: ViTConfig) -> None:
    from tinyternary.models import ViT

    model = ViT(config)
    allocated = sum(p.data.size for _, p in model.named_parameters())
    assert cost.analyze(config).parameters == allocated


@given(configs(), st.sampled_from(["bitmedvit", "all-linear"]))
def test_parameters_of_a_ternarised_model(config: ViTConfig, policy: str) -> None:
    from tinyternary.models import ViT
    from tinyternary.quant import ternarize

    model = ViT(config)
    ternarize(model, policy)
    allocated = sum(p.data.size for _, p in model.named_parameters())
    assert cost.analyze(config, policy).parameters == allocated
    assert cost.analyze(model).parameters == allocated  # the model's own policy, by itself


@given(configs())
def test_causal_attention_counts_the_pairs_that_a_loop_visits(config: ViTConfig) -> None:
    """Each query with itself and what stands before it: scores, softmax and mixed values."""
    whole, causal = (cost.analyze(replace(config, causal=on)) for on in (False, True))
    t, h, d = config.tokens, config.heads, config.head_dim
    pairs = sum(key <= query for query in range(t) for key in range(t))
    for one, other in zip(whole.layers, causal.layers):
        if not one.step.name.endswith(("attn.scores", "attn.softmax", "attn.values")):
            assert one.step == other.step
            continue
        seen = ((one, t * t), (other, pairs))
        if one.step.name.endswith("softmax"):
            assert [cost.step.ops["fp32_exp"] for cost, _ in seen] == [h * n for _, n in seen]
            assert [cost.step.reads for cost, _ in seen] == [4 * h * n for _, n in seen]
        else:
            assert [cost.step.macs for cost, _ in seen] == [h * d * n for _, n in seen]
            assert [cost.step.product_ops["fp32_mul"] for cost, _ in seen] == [
                h * d * n for _, n in seen
            ]
    assert causal.energy_uj.middle <= whole.energy_uj.middle


@given(configs(), st.sampled_from([*POLICIES, "float32", "float16", "int8"]))
def test_totals_are_the_sums_of_the_layers(config: ViTConfig, policy: str) -> None:
    report = cost.analyze(config, policy, device="raspberry-pi-5")
    rows = report.to_dict()["layers"]
    assert report.macs == sum(row["macs"] for row in rows)
    assert report.macs == sum(report.macs_by_arithmetic.values())
    assert report.bytes_stored == sum(row["bytes_stored"] for row in rows)
    assert report.parameters == sum(row["parameters"] for row in rows)
    assert report.seconds == pytest.approx(sum(row["roofline_seconds"] for row in rows))
    for end in ("low", "middle", "high"):
        parts = sum(row["energy_pj"][end] for row in rows) * 1e-6
        assert getattr(report.energy_uj, end) == pytest.approx(parts)
    low, middle, high = report.energy_uj
    assert 0 < low < middle < high


@given(configs())
def test_a_policy_changes_no_mac(config: ViTConfig) -> None:
    counts = {cost.analyze(config, policy).macs for policy in [*POLICIES, "float32", "int8"]}
    assert len(counts) == 1
    matrices = sum(layer.macs for layer in vit_matrices(config))
    # two products per block, each of T x T x width MACs however many heads share it
    t = config.tokens
    pairs = t * (t + 1) // 2 if config.causal else t * t
    attention = config.depth * 2 * pairs * config.width
    assert counts == {matrices + attention}


def test_the_demo_reads_these() -> None:
    report = cost.analyze("tiny", "all-linear")
    assert isinstance(report.macs, int)
    assert isinstance(report.bytes_stored, int)
    assert report.energy_uj.low < report.energy_uj.middle < report.energy_uj.high
    assert report.energy_model.title == "45 nm, 0.9 V (Horowitz 2014)"
    json.dumps(report.to_dict(), allow_nan=False)
    header, *rows, total = report.table()
    assert {len(row) for row in [header, *rows, total]} == {len(header)}
    assert total[4] == f"{report.macs:,}"


def test_ops_of_a_float_linear_by_hand() -> None:
    # one token of one pixel, one head: every product is a number or two
    config = ViTConfig(image_size=1, patch_size=1, channels=1, width=2, depth=1, heads=1,
                       mlp_width=3, num_classes=1)  # fmt: skip
    report = cost.analyze(config)
    by_name = {layer.step.name: layer.step.ops for layer in report.layers}
    assert by_name["patch_embed.proj"] == {"fp32_mul": 2, "fp32_add": 4}  # two sums, two biases
    assert by_name["blocks.0.mlp.fc1"] == {"fp32_mul": 6, "fp32_add": 6 + 3}
    assert by_name["blocks.0.attn.scores"] == {"fp32_mul": 2, "fp32_add": 2}
    assert by_name["blocks.0.attn.residual"] == {"fp32_add": 2}
    # mean (2 add), x - mean (2 sub), squares (2 mul, 2 add), 1/n twice, + eps, gain and bias
    assert by_name["norm"] == {"fp32_add": 7, "fp32_sub": 2, "fp32_mul": 8, "fp32_sqrt": 1,
                               "fp32_div": 1}  # fmt: skip


def test_trits_split_into_adds_subtracts_and_skips() -> None:
    report = cost.analyze("tiny", "all-linear", zero_share=0.25)
    ternary = report.macs_by_arithmetic["ternary"]
    # the accumulations of trits, and nothing else, are int32
    ops = report.ops
    assert ops["int32_add"] + ops["int32_sub"] + ops["skip"] == ternary
    assert ops["skip"] == ternary / 4
    assert ops["int32_add"] == ops["int32_sub"]


def test_real_trits_are_counted() -> None:
    from tinyternary.models import ViT
    from tinyternary.quant import ternarize

    config = ViTConfig(image_size=8, width=8, depth=1, heads=2, mlp_width=12, num_classes=3)
    model = ViT(config, seed=3)
    ternarize(model, "bitmedvit")
    trits = {
        name: module.quantized().trits
        for name, module in model.named_modules()
        if name.endswith(("fc1", "fc2"))
    }
    ops = cost.analyze(model).ops
    assert ops["skip"] == config.tokens * sum(int((t == 0).sum()) for t in trits.values())
    assert ops["int32_sub"] == config.tokens * sum(int((t == -1).sum()) for t in trits.values())
    assert ops["int32_add"] == config.tokens * sum(int((t == 1).sum()) for t in trits.values())


@pytest.mark.parametrize(("weight", "threshold"), [("absmean", 0.5), ("twn", 0.7)])
def test_gaussian_zero_share_is_what_gaussians_give(weight: str, threshold: float) -> None:
    w = np.random.default_rng(0).normal(size=400_000)
    zeros = np.mean(np.abs(w) <= threshold * np.abs(w).mean())
    assert cost.gaussian_zero_share(LayerQuant(weight=weight)) == pytest.approx(zeros, abs=0.003)


def test_bits_change_storage_and_nothing_else() -> None:
    two, base3 = (cost.analyze("bitmedvit", "bitmedvit", bits=bits) for bits in (2, 1.6))
    assert (two.macs, two.ops, two.parameters) == (base3.macs, base3.ops, base3.parameters)
    # rows of 512 and 2048 trits: 128 and 512 bytes, or 103 and 410
    assert two.bytes_by_storage["ternary"] == 3 * (2048 * 128 + 512 * 512)
    assert base3.bytes_by_storage["ternary"] == 3 * (2048 * 103 + 512 * 410)


@pytest.mark.parametrize("policy", ["float32", "bitmedvit", "all-linear"])
@given(config=configs(), rest=st.sampled_from(["float16", "int8"]), bits=st.sampled_from([2, 1.6]))
def test_storage_changes_bytes_and_no_arithmetic(
    policy: str, config: ViTConfig, rest: str, bits: float
) -> None:
    plain = cost.analyze(config, policy)
    stored = cost.analyze(config, policy, rest=rest, bits=bits)
    assert stored.bytes_stored < plain.bytes_stored
    for a, b in zip(stored.layers, plain.layers, strict=True):
        assert a.step.ops == b.step.ops
        assert a.step.product_ops == b.step.product_ops
        assert a.step.arithmetic == b.step.arithmetic
        assert a.step.macs == b.step.macs


def test_a_batch_shares_the_reading_of_weights() -> None:
    one, many = (cost.analyze("tiny", "all-linear", batch=batch) for batch in (1, 16))
    assert one.macs == many.macs
    assert many.traffic_by_level["DRAM"] == pytest.approx(one.traffic_by_level["DRAM"] / 16)
    assert many.energy_uj.middle < one.energy_uj.middle


def test_fusing_attention_saves_the_table_of_scores() -> None:
    config = preset("bitmedvit")
    apart, fused = (cost.analyze(config, fused=fused) for fused in (False, True))
    table = 4 * config.heads * config.tokens**2 * config.depth
    # written by the scores, read and written by the softmax, read by the values
    saved = apart.traffic_by_level["DRAM"] - fused.traffic_by_level["DRAM"]
    assert saved >= 4 * table
    assert apart.macs == fused.macs


def test_comparison_starts_from_its_first_policy() -> None:
    result = cost.compare("bitmedvit", ["float32", "int8", "bitmedvit", "float32"])
    assert [report.policy for report in result.reports] == ["float32", "int8", "bitmedvit"]
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert content["times_smaller"]["float32"] == 1
    assert content["times_smaller"]["bitmedvit"] == pytest.approx(3.159, abs=0.001)
    assert any(claim["derived"] == 8_660_915 for claim in content["published_figures"])
    assert len({len(row) for row in result.table()}) == 1


def test_swings_are_sorted_and_bracket_the_middle() -> None:
    report = cost.analyze("bitmedvit", "everything")
    swings = cost.sensitivity(report)
    widths = [swing.width_uj for swing in swings]
    assert widths == sorted(widths, reverse=True)
    for swing in swings:
        low, high = sorted((swing.low_uj, swing.high_uj))
        assert low <= swing.middle_uj == report.energy_uj.middle <= high
    low, high = report.energy_uj.low, report.energy_uj.high
    assert all(low <= end <= high for s in swings if "zero" not in s.constant
               for end in (s.low_uj, s.high_uj))  # fmt: skip


def test_energy_falls_with_the_share_of_zeros() -> None:
    report = cost.analyze("tiny", "all-linear")
    energies = [energy.middle for energy in cost.zero_share_energy(report, [0.0, 0.5, 1.0])]
    per_op = report.energy_model.op("int32_add").middle * 1e-6
    ternary = report.macs_by_arithmetic["ternary"]
    assert energies[0] - energies[2] == pytest.approx(ternary * per_op)
    assert energies[1] == pytest.approx((energies[0] + energies[2]) / 2)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"network": "bitmedvitt"}, "Did you mean 'bitmedvit'"),
        ({"network": 3}, "expected a preset name"),
        ({"policy": "all-linea"}, "Did you mean 'all-linear'"),
        ({"policy": "flaot32"}, "Did you mean 'float32'"),
        ({"device": "jetson-orin-nan"}, "Did you mean 'jetson-orin-nano'"),
        ({"table": "54nm"}, "Did you mean '45nm'"),
        ({"batch": 0}, "batch: expected an integer from 1"),
        ({"batch": 1.5}, "batch: expected an integer from 1"),
        ({"bits": 3}, "bits: expected 2 or 1.6"),
        ({"zero_share": 1.5}, "zero_share"),
        ({"execution": "skipp"}, "Did you mean 'skip'"),
        ({"rest": "float31"}, "Did you mean 'float32'"),
        ({"attention": "int9"}, "Did you mean 'int8'"),
    ],
)
def test_bad_input_gets_one_clear_line(kwargs: dict, message: str) -> None:
    arguments = {"network": "tiny", **kwargs}
    with pytest.raises(ConfigError, match=message) as error:
        cost.analyze(**arguments)
    assert "\n" not in str(error.value)


def test_impossible_shapes() -> None:
    with pytest.raises(ConfigError, match="M, K, N and count should be positive"):
        cost.Gemm(0, 3, 3)
    with pytest.raises(ConfigError, match="does not divide"):
        cost.analyze("tiny", {"head": LayerQuant(granularity=7)})
    with pytest.raises(ConfigError, match="image size"):
        cost.analyze(replace(PRESETS["tiny"], image_size=29))
