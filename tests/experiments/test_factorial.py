from itertools import product

import numpy as np
import pytest
from scipy import stats

from tinyternary.errors import ConfigError
from tinyternary.experiments import factorial_effects

FACTORS = {"a": ["x", "y", "z"], "b": [True, False], "c": [1, 2, 3, 4]}
ROWS = [dict(zip(FACTORS, levels)) for levels in product(*FACTORS.values())]


def numbers(rows, rng=None, noise=0.0):
    """Effects that sum to zero over the levels of each factor, and an interaction of a and b."""
    a, b, c = {"x": -2.0, "y": 0.5, "z": 1.5}, {True: 1.0, False: -1.0}, {1: 0, 2: 0, 3: 0, 4: 0}
    y = [10 + a[r["a"]] + b[r["b"]] + c[r["c"]] + (r["a"] != "y") * (1 - 2 * (r["a"] == "x")) *
         (1 - 2 * r["b"]) * 0.25 for r in rows]  # fmt: skip
    return np.array(y) + (0 if rng is None else noise * rng.normal(size=len(rows)))


def test_effects_that_are_put_in_come_out():
    found = factorial_effects(ROWS, list(FACTORS), numbers(ROWS))
    assert found.mean == pytest.approx(10)
    assert {level.level: level.mean for level in found.of("a")} == pytest.approx(
        {"x": 8.0, "y": 10.5, "z": 11.5}
    )
    assert [level.cells for level in found.of("c")] == [6] * 4
    assert found.residual == pytest.approx(0, abs=1e-9)
    strongest = found.pairs()[0]
    assert strongest.factors == ("a", "b")
    assert np.array(strongest.effects) == pytest.approx(
        np.array([[0.25, -0.25], [0, 0], [-0.25, 0.25]])
    )
    assert sum(term.share for term in found.terms) == pytest.approx(1)


def test_balanced_intervals_and_tests_are_those_of_the_analysis_of_variance(rng):
    y = numbers(ROWS, rng, 0.3)
    found = factorial_effects(ROWS, list(FACTORS), y)
    cube = y.reshape(3, 2, 4)
    # sums of squares of a balanced design, from means alone
    centered = cube.mean((1, 2)) - y.mean()
    term = found.main()[0]
    assert term.share == pytest.approx(8 * (centered**2).sum() / ((y - y.mean()) ** 2).sum())
    assert term.effects == pytest.approx(centered)
    fit = sum(
        cube.mean(tuple({0, 1, 2} - {i, j}), keepdims=True) for i, j in ((0, 1), (0, 2), (1, 2))
    ) - sum(cube.mean(tuple({0, 1, 2} - {i}), keepdims=True) for i in range(3)) + y.mean()  # fmt: skip
    squares, freedom = ((cube - fit) ** 2).sum(), 24 - 1 - 6 - 2 - 6 - 3
    assert (found.residual, found.freedom) == (pytest.approx((squares / freedom) ** 0.5), freedom)
    wanted = stats.t.ppf(0.975, freedom) * found.residual / 8**0.5
    assert [level.half for level in found.of("a")] == pytest.approx([wanted] * 3)
    ratio = 8 * (centered**2).sum() / 2 / (squares / freedom)
    assert (term.f, term.p) == pytest.approx((ratio, stats.f.sf(ratio, 2, freedom)))


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng, held = np.random.default_rng(0), 0
    for _ in range(300):
        found = factorial_effects(ROWS, list(FACTORS), numbers(ROWS, rng, 1.0))
        low, high = found.of("a")[0].interval
        held += low < 8.0 < high
    assert 0.91 < held / 300 < 0.985


def test_missing_cells_do_not_tilt_the_means():
    kept = [r for r in ROWS if not (r["a"] == "x" and r["c"] in (1, 2) and r["b"])]
    found = factorial_effects(kept, list(FACTORS), numbers(kept))
    assert {level.level: level.mean for level in found.of("b")} == pytest.approx(
        {True: 11.0, False: 9.0}
    )
    assert found.pairs()


def test_few_cells_leave_interactions_out_and_fewer_are_refused():
    few = ROWS[:2] + ROWS[4:6] + ROWS[8:10] + ROWS[16:18]  # c has two levels here
    found = factorial_effects(few, list(FACTORS), np.arange(8.0))
    assert not found.pairs()
    assert {term.factors for term in found.terms} == {("a",), ("b",), ("c",)}
    with pytest.raises(ConfigError, match="too few"):
        factorial_effects(ROWS[:3], list(FACTORS), [1.0, 2.0, 3.0])
    with pytest.raises(ConfigError, match="finite"):
        factorial_effects(ROWS[:2], list(FACTORS), [1.0, float("nan")])
