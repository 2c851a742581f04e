"""Lesson 09: the numbers its prose states, worked out in other ways, and its two claims."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tinyternary as tt
from tests.course.solved import solutions
from tinyternary import cost, course
from tinyternary.config import preset, vit_matrices

CHECKOUT = Path(__file__).parents[2]
LESSON = course.read_lesson("09_energy_and_memory", CHECKOUT)
PROSE = "\n".join(cell.source for cell in LESSON.cells if cell.role == "prose")
MADE = solutions(LESSON)
MIB = 2**20

Baskets = tuple[dict[str, float], dict[str, tuple[float, float]]]


def in_prose(text: str) -> bool:
    return text in PROSE


def basket(report: cost.CostReport) -> Baskets:
    """Counts and prices of a report, put together from its layers and not by the lesson's cell."""
    counts: dict[str, float] = {}
    prices: dict[str, tuple[float, float]] = {}
    for layer in report.layers:
        for kind, n in layer.step.ops.items():
            if kind != "skip":
                counts[kind] = counts.get(kind, 0) + n
                price = report.energy_model.op(kind)
                prices[kind] = (price.low, price.high)
        for i, level in enumerate(layer.levels):
            words = level.moved.total / 8
            if i < len(report.caches):
                cache = report.caches[i]
                words += layer.levels[i + 1].moved.total / 8
                price = report.energy_model.sram_access(cache.capacity)
            else:
                price = report.energy_model.dram
            counts[level.level + "'"] = counts.get(level.level + "'", 0) + words
            prices[level.level + "'"] = (price.low, price.high)
    return counts, prices


def extremes(above: cost.CostReport, below: cost.CostReport) -> tuple[float, float]:
    """Least and most ratio with shared prices, by raising prices in order of a / b.

    A maximum has its dear prices where the first basket has most more than the second: so
    only as many corners as there are kinds, and one, come into question.
    """
    (a, prices), (b, more) = basket(above), basket(below)
    prices = prices | more
    kinds = sorted(prices, key=lambda k: a.get(k, 0) / (a.get(k, 0) + b.get(k, 0)))
    found = []
    for cut in range(len(kinds) + 1):
        for ends in ((0, 1), (1, 0)):
            p = {k: prices[k][ends[i >= cut]] for i, k in enumerate(kinds)}
            found.append(sum(n * p[k] for k, n in a.items()) / sum(n * p[k] for k, n in b.items()))
    return min(found), max(found)


# ---- work -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lesson", "tiny", "small", "deit-tiny", "bitmedvit"])
def test_macs_are_those_of_the_list_of_layers(name: str) -> None:
    config, shape = preset(name), MADE["shape_of"](name)
    linear = sum(layer.macs for layer in vit_matrices(config))
    assert MADE["linear_macs"](shape) == linear
    assert linear + MADE["attention_macs"](shape) == cost.analyze(name).macs


def test_the_papers_operations_are_macs() -> None:
    shape = MADE["shape_of"]("bitmedvit")
    macs = MADE["linear_macs"](shape) + MADE["attention_macs"](shape)
    assert f"{macs / 1e9:.1f}" == "11.5"
    assert in_prose('The paper\'s "11.5 G"')


# ---- bytes ----------------------------------------------------------------------------------


def test_the_same_network_shrinks_by_3_14() -> None:
    matcher = 4 * cost.bitmedvit_parameters().matcher
    whole, packed = (
        cost.analyze("bitmedvit", policy).bytes_stored + matcher
        for policy in ("float32", "bitmedvit")
    )
    assert f"{whole / MIB:.1f}" == "33.0"
    assert f"{packed / MIB:.1f}" == "10.5"
    assert f"{whole / packed:.2f}" == "3.14"
    assert in_prose("**3.14x**")
    assert f"{451 / (packed / MIB):.0f}" == "43"


def test_eight_bits_everywhere_are_fewer_bytes_than_two_bits_somewhere(tmp_path: Path) -> None:
    on_disk: dict[str, set[int]] = {}
    for seed in (0, 1):
        for name, policy in (("ternary", "bitmedvit"), ("int8", cost.BASELINES["int8"])):
            model = tt.quant.ternarize(tt.models.ViT(preset("bitmedvit"), seed=seed), policy)
            path = tt.deploy.pack(model).save(tmp_path / f"{name}.safetensors")
            on_disk.setdefault(name, set()).add(path.stat().st_size)
    (ternary,), (int8,) = on_disk["ternary"], on_disk["int8"]  # whatever the weights are
    assert int8 < 0.95 * ternary
    assert f"{ternary / MIB:.1f}" == "10.4"
    assert in_prose("The ternary network has 10.4 MiB")


def test_what_is_left_when_all_matrices_are_ternary() -> None:
    report = cost.analyze("bitmedvit", "everything")
    positions = next(layer for layer in report.layers if layer.step.name == "positions")
    share = sum(array.nbytes for array in positions.step.arrays) / report.bytes_stored
    assert f"{report.bytes_stored / MIB:.1f}" == "4.0"
    assert share == pytest.approx(0.5, abs=0.01)
    assert in_prose("the file has 4.0 MiB, and half of that is the position embedding")
    ffn = 3 * 2 * 512 * 2048 / 4
    assert round((cost.analyze("bitmedvit", "bitmedvit").bytes_stored - ffn) / MIB) == 9
    assert in_prose("The other nine MiB")


def test_no_treatment_of_the_ffn_makes_it_four_times_smaller() -> None:
    whole, ffn = cost.analyze("bitmedvit").bytes_stored, 4 * 3 * 2 * 512 * 2048
    assert f"{100 * ffn / whole:.0f}" == "73"
    assert in_prose("73 % of the float network's bytes")
    assert 3.5 < whole / (whole - ffn) < 4
    assert MADE["gain"]({"ffn": ffn, "rest": whole - ffn}, {"ffn": float("inf")}) == pytest.approx(
        whole / (whole - ffn)
    )


# ---- energy ---------------------------------------------------------------------------------


def test_71_is_an_addition_without_its_sum() -> None:
    table = cost.energy_table("7nm")
    price = {kind: table.op(kind).middle for kind in table.basic}
    half = price["fp16_add"] + price["fp16_mul"]
    assert f"{half / price['int8_add']:.1f}" == "71.4"
    assert f"{half / price['int32_add']:.1f}" == "16.7"
    assert f"{half / (price['int8_mul'] + price['int32_add']):.0f}" == "5"
    assert in_prose("71 becomes 16.7")
    assert in_prose("With it 16.7x, in a kernel 5x")
    for name in ("45nm", "7nm"):
        table = cost.energy_table(name)
        assert all(r.high / r.middle == pytest.approx(1.5) for r in table.basic.values())


def reports(table: str, device: str | None) -> dict[str, cost.CostReport]:
    """The three networks of section 5, all with attention in float32."""
    return {
        policy: cost.analyze("bitmedvit", policy, attention="float32", table=table, device=device)
        for policy in ("float32", "bitmedvit", "int8")
    }


def test_energies_overlap_and_their_order_is_known() -> None:
    made = reports("45nm", None)
    ranges = {name: made[name].energy_uj for name in made}
    for name, text in (("bitmedvit", "70 to 151 mJ"), ("int8", "64 to 137")):
        assert text == f"{ranges[name].low / 1e3:.0f} to {ranges[name].high / 1e3:.0f}" + (
            " mJ" if text.endswith("mJ") else ""
        )
        assert in_prose(text)
        counts, prices = basket(made[name])
        assert MADE["energy_range"](counts, prices) == pytest.approx(
            (1e6 * ranges[name].low, 1e6 * ranges[name].high)
        )
    low, high = extremes(made["float32"], made["bitmedvit"])
    assert (f"{low:.1f}", f"{high:.1f}") == ("1.6", "1.9")
    assert in_prose("between 1.6 and 1.9 times the energy")
    (a, prices), (b, more) = basket(made["float32"]), basket(made["bitmedvit"])
    assert MADE["shared_ratio"](a, b, prices | more) == pytest.approx((low, high))
    assert len(prices | more) <= 17


@pytest.mark.parametrize("device", [None, "jetson-orin-nano", "raspberry-pi-5"])
@pytest.mark.parametrize("table", ["45nm", "7nm"])
def test_int8_takes_less_than_a_ternary_ffn_at_every_price(table: str, device: str | None) -> None:
    made = reports(table, device)
    low, high = extremes(made["int8"], made["bitmedvit"])
    assert 0.7 < low < high < 1
    low, high = extremes(made["float32"], made["bitmedvit"])
    assert 1.2 < low < high < 2.5
    assert in_prose("with the caches of a Jetson and of a Raspberry Pi, at 45 nm and at 7 nm")


def test_free_arithmetic_saves_little() -> None:
    parts = cost.analyze("bitmedvit", "bitmedvit").energy_by_source
    total = sum(amount.middle for amount in parts.values())
    assert 1.2 < total / (total - parts["compute"].middle) < 1.45


def test_a_ternary_network_against_float16() -> None:
    half = cost.analyze("bitmedvit", "float16", table="7nm")
    ternary = cost.analyze("bitmedvit", "everything", floats="float16", table="7nm")
    low, high = extremes(half, ternary)
    assert 1.2 < low < high < 2
    assert in_prose("less than 2x against float16")
    low, high = extremes(half, cost.analyze("bitmedvit", "bitmedvit", table="7nm"))
    assert high < 1
    assert in_prose("The last row lies *below* 1")


# ---- the roofline ---------------------------------------------------------------------------


def test_ternary_weights_make_layers_wait() -> None:
    jetson = cost.device("jetson-orin-nano")
    assert jetson.dram_bytes_per_second == 68e9
    assert jetson.peak_of("float32") == 0.64e12
    assert jetson.peak_of("int8") == 10e12
    assert round(jetson.peak_of("int8") / jetson.peak_of("float32")) == 16
    waiting = {}
    for policy in ("float32", "bitmedvit"):
        waiting[policy] = [
            layer.step.name
            for layer in cost.analyze("bitmedvit", policy).layers
            if ".mlp.fc" in layer.step.name
            and layer.step.gemm.macs / layer.step.gemm.operand_bytes
            < jetson.peak_of(layer.step.arithmetic) / jetson.dram_bytes_per_second
        ]
    assert waiting == {"float32": [], "bitmedvit": [f"blocks.{i}.mlp.fc1" for i in range(3)]}
    ridge = jetson.peak_of("int8") / jetson.dram_bytes_per_second
    dense = MADE["intensity"]
    assert dense(1024, 512, 2048, (8, 0, 32)) < ridge < dense(1024, 512, 2048, (8, 2, 8))
    # fewer bytes by the number of rows: what one word of a language model gains, an image does not
    gains = [dense(m, 512, 2048, (32, 2, 32)) / dense(m, 512, 2048, (32, 32, 32))
             for m in (1, 1024)]  # fmt: skip
    assert gains[0] > 15
    assert gains[1] < 1.5
    assert preset("tiny").tokens == 49
    assert preset("bitmedvit").tokens == 1024


# ---- the museum and the audit ---------------------------------------------------------------


def run_cells(*texts: str) -> dict[str, Any]:
    names = dict(MADE)
    names["my"] = SimpleNamespace(**MADE)
    for text in texts:
        (cell,) = (c for c in LESSON.cells if c.role != "prose" and c.source.startswith(text))
        exec(compile(cell.source, "<demonstration>", "exec"), names)
    return names


def test_the_exhibits_have_their_symptoms() -> None:
    names = run_cells("def times_smaller", "def utilization", "def energy_of_steps")
    assert f"{names['times_smaller'](1000, 4000):.3f}" == "1.049"
    assert in_prose("**MB for MiB** (1.049)")
    assert 4 * 2.4e9 * 32 == 307.2e9  # cores, clock, MACs a cycle
    used = [names["utilization"](*size, s, 307.2e9) for size, s in names["timed"].items()]
    assert used == sorted(used)
    assert max(used) > 1
    right = [names["repaired_utilization"](*size, s, 307.2e9) for size, s in names["timed"].items()]
    assert all(0 < share < 1 for share in right)
    quiet, busy = (names["energy_of_steps"](names[key]) for key in ("quiet", "busy"))
    assert max(quiet, key=quiet.get) == "wait for the camera"
    assert busy["FFN"] / quiet["FFN"] == pytest.approx(2, abs=0.1)
    assert sum(quiet.values()) > 3 * 0.0312 * 4.4


def test_fifteen_is_a_mixture_of_units() -> None:
    claims = {claim.what: claim for claim in cost.claims()}
    claim = claims["compression"]
    floats = claim.derived * 6.09 * MIB
    assert f"{floats / 1e6:.1f}" == "88.8"
    assert f"{floats / 1e6 / 6.09:.1f}" == "14.6"
    assert f"{claim.derived:.1f}" == "13.9"
    assert in_prose("becomes 13.9")
    assert (384 // 16) ** 2 - (224 // 16) ** 2 == 380
    assert f"{380 * 384 * 2 / MIB:.2f}" == "0.28" != f"{380 * 384 * 2 / 1e6:.2f}"


def test_the_model_answers_numbers() -> None:
    answer = LESSON.questions[0].cell.source
    moved = [cost.analyze("bitmedvit", policy).traffic_by_level["DRAM"]
             for policy in ("float32", "bitmedvit")]  # fmt: skip
    assert f"{moved[0] / moved[1]:.2f} times the bytes" in answer
    sizes = [cost.analyze("bitmedvit", policy).bytes_stored / MIB
             for policy in ("float32", "bitmedvit")]  # fmt: skip
    assert f"{sizes[0]:.1f} MiB become {sizes[1]:.1f}, {sizes[0] / sizes[1]:.1f} times" in answer


def test_it_has_what_a_lesson_must_have() -> None:
    assert len(LESSON.exercises) == 10
    assert [e.number for e in LESSON.exercises] == [f"9.{i}" for i in range(1, 11)]
    rows = re.findall(r"^\| (9\.\d+) \|.*\| (\d) \|$", PROSE, re.MULTILINE)
    table = {number: int(points) for number, points in rows}
    for exercise in (*LESSON.exercises, *LESSON.questions):
        assert table[exercise.number] == exercise.points
    assert PROSE.count("### Exhibit") == 2
    for source in ("Horowitz", "Jouppi", "2510.13760", "2402.17764", "2605.21171", "Williams"):
        assert source in PROSE
