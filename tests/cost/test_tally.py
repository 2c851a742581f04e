"""Operation counts and traffic against what happens when the loops really run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinyternary.cost import Blocking, Gemm, operations, traffic
from tinyternary.cost.tally import CountingArray, CountingNumber, Tally, plain
from tinyternary.kernels.ladder import naive


def _run_naive_rung(x: np.ndarray, trits: np.ndarray) -> Tally:
    """Run the first rung of the kernel ladder on counting numbers in place of integers."""
    loop = getattr(naive.matmul, "py_func", naive.matmul)
    tally = Tally()
    out = CountingArray(np.zeros((len(x), len(trits)), int), tally, "y")
    # where the loop widens entries by np.int32(...), a counting number passes through unchanged
    counted = type(loop)(loop.__code__, {**loop.__globals__, "np": _PassThrough(tally)})
    counted(CountingArray(x, tally, "x"), CountingArray(trits, tally, "w"), out)
    assert np.array_equal(out.values, x @ trits.T)
    return tally


@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_ternary_ops_equal_those_of_the_naive_kernel(m: int, k: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, trits = rng.integers(-128, 128, (m, k)), rng.integers(-1, 2, (n, k))
    tally = _run_naive_rung(x, trits)
    plus, minus = int((trits == 1).sum()), int((trits == -1).sum())
    predicted = operations.ternary_matmul(m, plus, minus, n * k - plus - minus, "skip")
    assert predicted["int32_add"] == tally["add"]
    assert predicted["int32_sub"] == tally["subtract"]
    assert predicted["skip"] == m * n * k - tally["load x"]
    assert tally["multiply"] == 0
    # its tile is one result: traffic with a 1 x 1 blocking, but zeros do not ask for x
    moved = traffic(Gemm(m, k, n, x_bits=8, w_bits=8, y_bits=32), Blocking(1, 1, "output"))
    assert tally["load x"] + tally["load w"] == moved.read - predicted["skip"]
    # written once; where the sum lives in memory, each addition also reads and writes it again
    assert 4 * (tally["store y"] - tally["load y"]) == moved.written
    assert tally["load y"] in (0, tally["add"] + tally["subtract"])


@given(st.integers(1, 3), st.integers(1, 6), st.integers(1, 4))
def test_a_dot_product_multiplies_and_adds_once_per_mac(m: int, k: int, n: int) -> None:
    rng = np.random.default_rng(m * 100 + k * 10 + n)
    tally = Tally()
    x = CountingArray(rng.integers(-128, 128, (m, k)), tally, "x")
    w = CountingArray(rng.integers(-1, 2, (n, k)), tally, "w")
    for row in range(m):
        for column in range(n):
            total = CountingNumber(0, tally)
            for i in range(k):
                total = total + x[row, i] * w[column, i]
            assert int(total) == x.values[row] @ w.values[column]
    dot = operations.ternary_matmul(m, n * k, 0, 0, "dot")
    assert dot == {"int8_mul": tally["multiply"], "int32_add": tally["add"]}
    assert dot == operations.int8_matmul(m * n * k)


class _PassThrough:
    """Stands for NumPy where a kernel says ``np.int32(value)``."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    def int32(self, value: object) -> object:
        return (
            value if isinstance(value, CountingNumber) else CountingNumber(plain(value), self.tally)
        )


def _blocked(gemm: Gemm, blocking: Blocking) -> tuple[int, int, int]:
    """Entries of X and W read from, and of Y written to, the level below the tile."""
    loads = {"x": 0, "w": 0, "y": 0}
    held: dict[str, set] = {"x": set(), "w": set()}
    row_tiles = [range(r, min(r + blocking.rows, gemm.rows))
                 for r in range(0, gemm.rows, blocking.rows)]  # fmt: skip
    column_tiles = [range(c, min(c + blocking.outputs, gemm.outputs))
                    for c in range(0, gemm.outputs, blocking.outputs)]  # fmt: skip

    def fetch(operand: str, lines: range) -> None:
        # only the panel that stays is kept for the next tile
        keep = {"x": "input", "w": "weight"}[operand] == blocking.stationary
        for line in lines:
            for i in range(gemm.inputs):
                if keep and (line, i) in held[operand]:
                    continue
                loads[operand] += 1
        held[operand] = {(line, i) for line in lines for i in range(gemm.inputs)}

    outer, inner = row_tiles, column_tiles
    if blocking.stationary == "weight":
        outer, inner = column_tiles, row_tiles
    for first in outer:
        held = {"x": set(), "w": set()}
        for second in inner:
            rows, columns = (second, first) if blocking.stationary == "weight" else (first, second)
            fetch("x", rows)
            fetch("w", columns)
            loads["y"] += len(rows) * len(columns)
    return loads["x"], loads["w"], loads["y"]


@given(
    st.integers(1, 7), st.integers(1, 6), st.integers(1, 7), st.integers(1, 4), st.integers(1, 4),
    st.sampled_from(["output", "input", "weight"]),
)  # fmt: skip
def test_traffic_equals_that_of_the_loops(
    m: int, k: int, n: int, tile_m: int, tile_n: int, way: str
) -> None:
    gemm = Gemm(m, k, n, x_bits=8, w_bits=2, y_bits=32)
    blocking = Blocking(tile_m, tile_n, way)  # type: ignore[arg-type]
    x, w, y = _blocked(gemm, blocking)
    moved = traffic(gemm, blocking)
    assert moved.read == pytest.approx(x + w / 4)
    assert moved.written == 4 * y


def test_counting_numbers_count_each_operation_once() -> None:
    tally = Tally()
    a = CountingNumber(3, tally)
    assert int(2 + a * 4 - 1) == 13
    assert tally == {"multiply": 1, "add": 1, "subtract": 1}
    assert int(10 - a) == 7
    assert a < 4
    assert tally["compare"] == 1
