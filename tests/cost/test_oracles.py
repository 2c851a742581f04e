"""Operations, bytes and picojoules against formulas written out and arrays that were really made."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinyternary import cost
from tinyternary.config import preset
from tinyternary.cost.blocking import REGISTER_TILE, Gemm, choose_blocking, traffic

WIDE = preset("small", heads=4, num_classes=3)


def steps(report, ending):
    return [layer.step for layer in report.layers if layer.step.name.endswith(ending)]


@pytest.mark.parametrize("heads", [1, 2, 4])
@pytest.mark.parametrize("fused", [True, False])
def test_softmax_is_done_once_for_every_head_query_and_key(heads, fused):
    """An exponential for each entry of (H, T, T), a division for each of its rows."""
    config = replace(WIDE, heads=heads, kv_heads=None)
    report = cost.analyze(config, fused=fused)
    table = np.zeros((heads, config.tokens, config.tokens))
    found = steps(report, "softmax")
    assert len(found) == config.depth
    for step in found:
        assert step.ops["fp32_exp"] == step.ops["fp32_sub"] == step.ops["fp32_add"] == table.size
        assert step.ops["fp32_mul"] == 2 * table.size  # by 1 / sqrt(D), by 1 / sum
        assert step.ops["fp32_div"] == table[..., 0].size
        assert (step.reads, step.writes) == (4 * table.size, 4 * table.size)


@pytest.mark.parametrize("batch", [1, 2, 7])
@pytest.mark.parametrize("policy", ["float32", "all-linear"])
def test_weights_come_once_a_batch_and_activations_once_an_image(batch, policy):
    """On a chip that holds all activations DRAM serves the stored arrays, once, to all images."""
    report = cost.analyze("tiny", policy, batch=batch)
    stored = 0.0
    for layer in report.layers:
        step = layer.step
        if step.kind == "linear":
            weights = step.gemm.outputs * step.gemm.inputs * step.gemm.w_bits / 8
            assert layer.dram_bytes == pytest.approx(weights / batch)
            stored += weights
        elif step.kind == "attention":
            assert layer.dram_bytes == 0  # two activations meet: nothing to share
    assert report.traffic_by_level["DRAM"] >= stored / batch


@pytest.mark.parametrize("batch", [1, 3, 16])
def test_a_batch_is_one_product_with_weights_and_many_without(batch):
    gemm = Gemm(10, 20, 30)
    shared, apart = (gemm.for_batch(batch, shared_weights=s) for s in (True, False))
    assert shared.macs == apart.macs == batch * gemm.macs
    x, w, y = 10 * 20, 30 * 20, 10 * 30
    assert shared.operand_bytes == 4 * (batch * x + w + batch * y)
    assert apart.operand_bytes == 4 * batch * (x + w + y)
    # at the registers: X once for each strip of 64 outputs, W once for each 4 rows
    moved = traffic(shared, REGISTER_TILE)
    assert moved.written == 4 * batch * y
    assert moved.read == 4 * (batch * x + math.ceil(10 * batch / 4) * w)


@pytest.mark.parametrize("name", ["45nm", "7nm"])
@given(capacity=st.integers(1, 2**34))
def test_sram_is_a_straight_line_on_paper_with_two_logarithmic_axes(name, capacity):
    table = cost.energy_table(name)
    sizes = np.log([size for size, _ in table.sram])
    for end in range(3):
        energies = np.log([energy[end] for _, energy in table.sram])
        slope = (energies[-1] - energies[-2]) / (sizes[-1] - sizes[-2])
        at = np.log(capacity)
        beyond = energies[-1] + slope * (at - sizes[-1])
        wanted = beyond if at > sizes[-1] else np.interp(at, sizes, energies)
        assert table.sram_access(capacity)[end] == pytest.approx(np.exp(wanted))


def test_sram_halfway_costs_the_geometric_mean():
    """Horowitz: 10 pJ at 8 KiB and 20 pJ at 32 KiB, so 10 sqrt 2 at 16 KiB (not 13.3)."""
    assert cost.energy_table("45nm").sram_access(2**14).middle == pytest.approx(10 * math.sqrt(2))


def test_energy_is_the_sum_of_its_three_sources_by_hand():
    table = cost.energy_table("45nm")
    report = cost.analyze("tiny", "float32")
    for layer in report.layers:
        compute = sum(table.op(kind).middle * n for kind, n in layer.step.ops.items())
        assert layer.compute.middle == pytest.approx(compute)
        assert layer.dram.middle == pytest.approx(table.dram.middle * layer.dram_bytes / 8)
        assert layer.energy.middle == pytest.approx(
            compute + layer.on_chip.middle + layer.dram.middle
        )
    micro = sum(layer.energy.middle for layer in report.layers) / 1e6
    assert report.energy_uj.middle == pytest.approx(micro)


@given(
    rows=st.integers(1, 40), inputs=st.integers(1, 60), outputs=st.integers(1, 60),
    capacity=st.integers(600, 20_000),
)  # fmt: skip
def test_no_blocking_of_powers_of_two_moves_less_than_the_chosen_one(
    rows, inputs, outputs, capacity
):
    """Every tile of every way, with its size and its traffic worked out here."""
    gemm = Gemm(rows, inputs, outputs)
    least = math.inf
    powers = [2**i for i in range(7)]
    for m in sorted({min(p, rows) for p in powers}):
        for n in sorted({min(p, outputs) for p in powers}):
            slice_ = min(64, 4 * inputs)
            for x_row, w_row, x_times, w_times in (
                (slice_, slice_, -(-outputs // n), -(-rows // m)),
                (4 * inputs, slice_, 1, -(-rows // m)),
                (slice_, 4 * inputs, -(-outputs // n), 1),
            ):
                if 4 * m * n + m * x_row + n * w_row <= capacity:
                    moved = rows * inputs * x_times + outputs * inputs * w_times + rows * outputs
                    least = min(least, 4 * moved)
    assert traffic(gemm, choose_blocking(gemm, capacity)).total == least


def test_norms_and_activations_by_hand():
    """Counted by running the formula on one row, operation by operation."""
    from tinyternary.cost import operations

    width = 5
    # mean: 4 additions from the first, here from zero 5, and one multiplication by 1/n; centred:
    # 5 subtractions; variance: 5 squares, 5 additions, 1 multiplication; eps: 1 addition; root,
    # 1 division; then times 1/std and g, plus b
    ln = operations.layer_norm(1, width)
    assert ln == {"fp32_add": 5 + 5 + 1 + 5, "fp32_sub": 5, "fp32_mul": 1 + 5 + 1 + 5 + 5,
                  "fp32_sqrt": 1, "fp32_div": 1}  # fmt: skip
    rms = operations.rms_norm(1, width)
    assert rms == {"fp32_mul": 5 + 1 + 5 + 5, "fp32_add": 5 + 1, "fp32_sqrt": 1, "fp32_div": 1}
    assert operations.mean_pool(7, width) == {"fp32_add": 35, "fp32_mul": 5}
    assert operations.activation("relu_squared", 3) == {"fp32_compare": 3, "fp32_mul": 3}
    assert operations.activation("gelu", 2) == {"fp32_mul": 6, "fp32_add": 2, "fp32_erf": 2}
    assert operations.absmax_quantize(2, 10) == {
        "fp32_compare": 10, "fp32_div": 2, "fp32_mul": 10, "fp32_convert": 10,
    }  # fmt: skip
    assert operations.dequantize(2, 10) == {"fp32_convert": 10, "fp32_mul": 12}


@pytest.mark.parametrize("policy", ["float32", "all-linear", "int8"])
def test_on_chip_energy_counts_what_a_memory_hands_up_and_what_fills_it(policy):
    """Two memories of 32 KiB and 1 MiB, words of 8 bytes, and DRAM behind them."""
    table = cost.energy_table("45nm")
    small, large = (table.sram_access(2**power).middle for power in (15, 20))
    for layer in cost.analyze("tiny", policy).layers:
        near, far, dram = (level.moved.total / 8 for level in layer.levels)
        wanted = small * (near + far) + large * (far + dram)
        assert layer.on_chip.middle == pytest.approx(wanted)


@pytest.mark.parametrize("pool", ["mean", "cls"])
def test_passes_over_activations_move_the_arrays_that_they_name(pool):
    config = replace(WIDE, pool=pool)
    report = cost.analyze(config, fused=False)
    tokens = np.zeros((config.tokens, config.width), np.float32)
    hidden = np.zeros((config.tokens, config.mlp_width), np.float32)
    for ending, read, written in (
        ("residual", 2 * tokens.nbytes, tokens.nbytes),  # x and f(x) in, their sum out
        ("norm1", tokens.nbytes, tokens.nbytes),
        ("mlp.activation", hidden.nbytes, hidden.nbytes),
    ):
        found = steps(report, ending)
        assert found
        assert {(step.reads, step.writes) for step in found} == {(read, written)}


@pytest.mark.parametrize(("heads", "kv_heads"), [(4, None), (4, 2), (4, 1)])
def test_int8_attention_rounds_every_vector_of_q_k_and_v_once(heads, kv_heads):
    config = replace(WIDE, heads=heads, kv_heads=kv_heads)
    report = cost.analyze(config, attention="int8")
    q, kv = np.zeros((heads, config.tokens)), np.zeros((kv_heads or heads, config.tokens))
    table = heads * config.tokens**2
    for step in steps(report, "attn.scores"):
        assert step.ops["fp32_div"] == q.size + 2 * kv.size  # a scale for each vector
        entries = (q.size + 2 * kv.size) * config.head_dim
        assert step.ops["fp32_compare"] == entries
        assert step.ops["fp32_convert"] == entries + table
        assert step.ops["int8_mul"] == step.ops["int32_add"] == table * config.head_dim
    for step in steps(report, "attn.values"):
        assert step.ops["fp32_div"] == q.size  # a scale for each row of attention weights
        assert step.ops["fp32_convert"] == table + q.size * config.head_dim
