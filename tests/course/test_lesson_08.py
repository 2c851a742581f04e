"""Lesson 08: the numbers its prose states, its pars, its claims against intuition."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from threadpoolctl import threadpool_limits

import tinyternary as tt
from tests.course.demos import demonstrated
from tests.course.solved import solutions
from tinyternary import course
from tinyternary.bench import interleave
from tinyternary.compiled.switch import jit_enabled

CHECKOUT = Path(__file__).parents[2]
LESSON = course.read_lesson("08_packing_and_kernels", CHECKOUT)
PROSE = "\n".join(cell.source for cell in LESSON.cells if cell.role == "prose")
MADE = solutions(LESSON)
needs_numba = pytest.mark.skipif(not jit_enabled(), reason="compares compiled kernels")


def spent(puzzle: str, *arguments: Any) -> dict[str, int]:
    """What the lesson's own solution of a puzzle takes on its machine."""
    tally = MADE["Tally"]()
    machine = [MADE["counted"](a, tally) if isinstance(a, np.ndarray) else a for a in arguments]
    MADE[puzzle](*machine)
    return MADE["spent"](tally)


# ---- pars -----------------------------------------------------------------------------------


def test_the_pars_are_what_the_solutions_take() -> None:
    rng = np.random.default_rng(0)
    trits = rng.integers(-1, 2, 40).astype(np.int8)
    assert spent("pack4", trits, np.zeros(10, np.uint8)) == {
        "loads": 40, "stores": 10, "operations": 70,
    }  # fmt: skip
    assert "4 loads, 1 store, **7 operations**" in PROSE
    assert spent("unpack5", np.arange(3, dtype=np.uint8), np.zeros(15, np.int8)) == {
        "loads": 3, "stores": 15, "operations": 57,
    }  # fmt: skip
    assert "1 load, 5 stores, **19 operations**" in PROSE
    planes = [p for row in rng.integers(-1, 2, (2, 640)) for p in MADE["planes_of"](row)]
    assert spent("count_dot", *planes) == {"loads": 40, "stores": 0, "operations": 72}
    assert "4 loads and **7 operations**, and 2 more operations at the end" in PROSE
    assert spent("table_of", np.array([5, -7, 11])) == {"loads": 3, "stores": 0, "operations": 26}
    tables, indices = np.zeros((9, 27), int), np.zeros(9, int)
    assert spent("look_up", tables, indices) == {"loads": 18, "stores": 0, "operations": 9}
    x, w, out = rng.integers(-9, 9, (6, 5)), rng.integers(-1, 2, (8, 5)), np.zeros((6, 8), int)
    got = spent("tiled", x, w, out, 2, 4)
    assert (got["loads"], got["stores"]) == (6 * 8 * 5 * 3 // 4, 48)


def test_the_other_ways_that_the_prose_counts() -> None:
    """The obvious packing takes ten operations; each of the 27 sums for itself over twice 26."""
    trits, out = np.ones(4, np.int8), np.zeros(1, np.uint8)

    def obvious(trits: Any, out: Any) -> None:
        codes = [trits[i] + 1 for i in range(4)]
        out[0] = codes[0] | codes[1] << 2 | codes[2] << 4 | codes[3] << 6

    def directly(x: Any) -> list[int]:
        a, b, c = x
        return [
            sum(v if t > 0 else -v for t, v in zip(pattern, (c, b, a)) if t)
            for pattern in itertools.product((-1, 0, 1), repeat=3)
        ]

    MADE.update(obvious=obvious, directly=directly)
    assert spent("obvious", trits, out)["operations"] == 10
    assert "takes 10" in PROSE
    assert spent("directly", np.array([1, 10, 100]))["operations"] > 2 * 26
    assert directly([1, 10, 100]) == MADE["table_of"](np.array([1, 10, 100]))


def test_products_one_at_a_time_take_more_than_a_hundred_operations() -> None:
    assert "One product at a time would take more than a hundred" in PROSE
    assert 64 * 2 > 100  # a multiplication and an addition for each of 64
    assert 256 / 30 > 8  # "not quite one operation for eight"
    assert "Thirty operations for 256 products" in PROSE


# ---- against the library ---------------------------------------------------------------------


def test_puzzles_give_the_librarys_bytes() -> None:
    every = np.array(list(itertools.product((-1, 0, 1), repeat=5)), np.int8)
    bytes_ = [MADE["pack5"](trits) for trits in every]
    np.testing.assert_array_equal(bytes_, tt.kernels.pack(every, bits=1.6).data[:, 0])
    out = np.zeros(5 * 243, int)
    MADE["unpack5"](np.array(bytes_), out)
    np.testing.assert_array_equal(out.reshape(-1, 5), every)
    rng = np.random.default_rng(1)
    trits = rng.integers(-1, 2, 400)
    packed = np.zeros(100, int)
    MADE["pack4"](trits, packed)
    np.testing.assert_array_equal(packed, tt.kernels.pack(trits[None], bits=2).data[0])


def test_rounding_down_loses_all_patterns_but_one() -> None:
    down = np.array([256 * q // 243 for q in range(243)])
    out = np.zeros(5 * 243, int)
    MADE["unpack5"](down, out)
    every = np.array(list(itertools.product((-1, 0, 1), repeat=5)))
    assert np.sum(np.any(out.reshape(-1, 5) != every, axis=1)) == 242


def test_bits_of_a_trit() -> None:
    assert 8 / 5 / np.log2(3) - 1 < 0.01  # "within a hundredth of the best"


def test_additions_with_tables() -> None:
    best = {n: min((1 + (3**g - 1) / n) / g for g in range(1, 12)) for n in (64, 768, 8192)}
    assert best[768] == pytest.approx(0.26, abs=0.005)
    assert best[8192] < best[768] < best[64] < 2 / 3
    assert "takes 0.67 additions" in PROSE


def test_the_best_tile_is_as_square_as_it_can_be() -> None:
    for registers in (16, 32, 64, 256):
        rows, columns = MADE["best_tile"](registers)
        assert abs(rows - columns) <= 2
        assert 1 / rows + 1 / columns == pytest.approx(2 / (np.sqrt(registers + 1) - 1), rel=0.1)


# ---- claims against intuition ----------------------------------------------------------------


def problem(m: int = 16, k: int = 512, n: int = 512, zeros: float = 1 / 3, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    share = [(1 - zeros) / 2, zeros, (1 - zeros) / 2]
    trits = rng.choice(np.array([-1, 0, 1], np.int8), size=(n, k), p=share)
    return rng.integers(-127, 128, (m, k)).astype(np.int8), trits


def medians(contenders: dict[str, Any], seconds: float = 0.05) -> dict[str, float]:
    with threadpool_limits(1):
        timings = interleave(contenders, seconds=seconds, rounds=(7, 60))
    return {name: timing.median for name, timing in timings.items()}


@needs_numba
@pytest.mark.slow
def test_a_loop_that_never_multiplies_loses_to_numpys_product_and_two_lines_save_it() -> None:
    fast = demonstrated(LESSON, "def in_variables")["in_variables"]
    ratios, saved = [], []
    for seed in range(3):
        x, trits = problem(seed=seed)
        packed, x32, w32 = tt.kernels.pack(trits), x.astype(np.float32), trits.astype(np.float32)
        out = np.empty((len(x), len(trits)), np.int32)
        times = medians({
            "naive": partial(tt.kernels.matmul, x, packed, "naive"),
            "variables": partial(fast, x, trits, out),
            "NumPy": lambda a=x32, b=w32: a @ b.T,
        })  # fmt: skip
        np.testing.assert_array_equal(out, tt.kernels.matmul(x, packed, "naive"))
        ratios.append(times["naive"] / times["NumPy"])
        saved.append(times["naive"] / times["variables"])
    assert min(ratios) > 20, (
        ratios
    )  # "fifty to two hundred times": 56 with AVX2, some 200 with AVX-512
    assert min(saved) > 10, saved


@needs_numba
@pytest.mark.slow
def test_skipping_zeros_pays_only_where_hardly_anything_is_left() -> None:
    def against(zeros: float) -> tuple[float, float]:
        x, trits = problem(8, zeros=zeros)
        packed, x32, w32 = tt.kernels.pack(trits), x.astype(np.float32), trits.astype(np.float32)
        thin = sparse.csr_matrix(w32)
        times = medians({
            "sparse": lambda: thin @ x32.T,
            "NumPy": lambda: x32 @ w32.T,
            "ternary": partial(tt.kernels.matmul, x, packed, threads=1),
        })  # fmt: skip
        return times["sparse"] / times["NumPy"], times["sparse"] / times["ternary"]

    for zeros in (1 / 3, 0.5):
        to_numpy, to_ternary = against(zeros)
        assert to_numpy > 1.1, (zeros, to_numpy)
        assert to_ternary > 2, (zeros, to_ternary)
    assert against(0.98)[0] < 0.8  # in the end it pays


@needs_numba
@pytest.mark.slow
def test_at_64_by_64_the_call_decides() -> None:
    x, trits = problem(1, 64, 64)
    packed, x32, w32 = tt.kernels.pack(trits), x.astype(np.float32), trits.astype(np.float32)
    layer, out = tt.kernels.TernaryLinear(packed, np.float32(0.02)), np.empty((1, 64), np.float32)

    def twenty(run: Any) -> Any:
        return lambda: [run() for _ in range(20)]

    times = medians({
        "linear": twenty(partial(tt.kernels.linear, x32, packed, 0.02)),
        "layer": twenty(partial(layer, x32, out, 1)),
        "NumPy": twenty(lambda: x32 @ w32.T),
    })  # fmt: skip
    assert times["linear"] > 2 * times["NumPy"]
    assert times["layer"] < times["linear"] / 4


# ---- the museum ------------------------------------------------------------------------------


def exhibits() -> dict[str, Any]:
    names = dict(MADE)
    for cell in LESSON.cells:
        if "exhibit" in cell.metadata.get("tags", ()):
            exec(compile(cell.source, "<exhibit>", "exec"), names)
    return names


def test_twins_are_not_alike_on_a_hasty_clock_and_are_on_a_fair_one() -> None:
    names = exhibits()
    for machine in ({"compiling": 0.05}, {"hiccup": 0.02}, {"heating": 0.05}):
        hasty = names["twins"](names["hasty_times"], ("anna", "bela"), **machine)
        fair = names["twins"](names["fair_times"], ("anna", "bela"), **machine)
        unlike = abs(hasty["anna"] / hasty["bela"] - 1)
        assert unlike > 0.2 or hasty["anna"] > 3
        assert fair["anna"] == pytest.approx(fair["bela"], rel=0.05)
        if "heating" not in machine:
            assert fair["anna"] == pytest.approx(1)
    assert "both are three times too slow" in PROSE


def test_kernel_a_is_worse_than_guessing_and_kernel_b_is_off_by_two_to_the_sixteen() -> None:
    names = exhibits()
    rng = np.random.default_rng(2)
    trits, x = rng.integers(-1, 2, (50, 80)), rng.integers(-127, 128, 80).astype(np.int8)
    planes = np.stack([trits == 1, trits == -1])
    np.testing.assert_array_equal(names["product_a"](planes, x), -(trits @ x.astype(int)))
    long = rng.integers(-1, 2, (200, 2048)).astype(np.int8)
    for positive in (False, True):
        values = np.random.default_rng(0).normal(size=2048)  # as in the lesson's figure
        values = np.maximum(values, 0) if positive else values
        codes = np.rint(values / np.abs(values).max() * 127).astype(np.int8)
        off = names["product_b"](long + np.int8(1), codes) - long.astype(int) @ codes.astype(int)
        assert set(np.unique(off)) == ({0, -65536} if positive else {0})


def test_the_classifier_behind_kernel_a_knows_the_digits() -> None:
    names = exhibits()
    (cell,) = (c for c in LESSON.cells if "def right_digits(" in c.source)
    exec(cell.source[: cell.source.index("\n\n\ndef activations(")], names)
    assert names["right_digits"](names["product_a"]) < 3
    assert names["right_digits"](names["repaired_a"]) > 65


def test_row_product_depends_on_its_neighbours_unless_k_is_a_multiple_of_four() -> None:
    names = exhibits()
    rng = np.random.default_rng(3)
    for k in range(60, 73):
        trits, x = rng.integers(-1, 2, k), rng.integers(-127, 128, k)
        results = [
            names["row_product"](*names["laid_out"](trits, x, behind), k)
            for behind in ([0] * 4, [17, -80, 44, 9])
        ]
        assert results[0] == int(trits @ x)
        assert (results[1] == results[0]) == (k % 4 == 0)


# ---- the lesson ------------------------------------------------------------------------------


def test_it_has_what_a_lesson_must_have() -> None:
    assert len(LESSON.exercises) == 9
    code = "\n".join(c.source for c in LESSON.cells if c.role == "demo")
    assert PROSE.count("**Predict, then run.**") == code.count("check.predicted(") >= 4
    for source in ("2407.00088", "Goto", "Williams", "GPU Puzzles", "boundscheck"):
        assert source in PROSE
    points = {e.number: e.points for e in LESSON.exercises} | {
        q.number: q.points for q in LESSON.questions
    }
    for number, worth in points.items():
        row = next(line for line in PROSE.splitlines() if f"| {number} |" in line)
        assert row.rstrip("|").split("|")[-1].strip() == f"{worth:g}"


def test_the_ladder_in_the_prose_is_the_librarys() -> None:
    names = [backend.name for backend in tt.kernels.backends()]
    assert len(names) == 15
    assert "The library has fifteen kernels" in PROSE
    assert (names.index("lookup") + 1, names.index("lookup7") + 1) == (3, 13)
    assert names.index("ternary") + 1 == 14
