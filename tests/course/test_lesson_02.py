"""Lesson 02: the numbers its prose states, by computations of their own."""

from __future__ import annotations

import importlib
import pkgutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

import tinyternary as tt
from tests.course.solved import solutions
from tinyternary import course
from tinyternary.autograd import Function, ops

CHECKOUT = Path(__file__).parents[2]
LESSON = course.read_lesson("02_autograd", CHECKOUT)
PROSE = "\n".join(cell.source for cell in LESSON.cells if cell.role == "prose")
DEMOS = "\n".join(cell.source for cell in LESSON.cells if cell.role == "demo")
Array = NDArray[Any]


def test_paths_and_nodes() -> None:
    visits = 1
    for _ in range(25):
        visits = 1 + 2 * visits  # the node itself, and twice what lies before it
    assert visits == 2**26 - 1
    assert f"26 visits in place of {round(visits / 1e6)} million" in PROSE
    made = solutions(LESSON)
    y = made["Value"](1.0)
    for _ in range(25):
        y = y + y
    assert len(made["topological_order"](y)) == 26
    years = (2**61 - 1) / 5e6 / (365 * 86400)
    assert 10_000 < years < 20_000  # "y = y + y" sixty times: out of reach, as the cell says


def test_some_forty_operations() -> None:
    for module in pkgutil.iter_modules(ops.__path__):
        importlib.import_module(f"{ops.__name__}.{module.name}")
    count = len([f for f in Function.__subclasses__() if f.__module__.startswith(ops.__name__)])
    assert "some forty operations" in PROSE
    assert 36 <= count <= 46


def test_the_jacobian_that_nobody_builds() -> None:
    assert "four billion entries" in PROSE
    assert round((128 * 512) ** 2 / 1e9) == 4


def test_the_best_step_of_a_central_difference() -> None:
    x = np.linspace(0.5, 1.5, 41)

    def error(eps: float, kind: Any) -> float:
        x_, e = x.astype(kind), kind(eps)
        d = (np.exp(x_ + e) - np.exp(x_ - e)) / (kind(2) * e)
        return float(np.mean(np.abs(d.astype(float) / np.exp(x) - 1)))

    errors = {p: error(10.0**p, np.float64) for p in range(-14, 0)}
    assert min(errors, key=errors.__getitem__) == -5
    assert "a step near $10^{-5}$ or $10^{-6}$" in PROSE
    assert 2e-11 < errors[-6] < 5e-10  # "ten good digits"
    assert 3e-6 < min(error(10.0**p, np.float32) for p in np.arange(-6, -1, 0.25)) < 5e-5


def test_the_two_engines_are_the_same() -> None:
    tensor = solutions(LESSON)["Tensor"]
    rng = np.random.default_rng(0)
    x, w1, b1, w2 = (rng.normal(size=s) for s in ((20, 6), (6, 8), (8,), (8, 3)))
    labels = rng.integers(0, 3, size=20)
    mine = [tensor(a) for a in (x, w1, b1, w2)]
    theirs = [tt.Tensor(a, requires_grad=True) for a in (x, w1, b1, w2)]
    for x_, w1_, b1_, w2_ in (mine, theirs):
        scores = (x_ @ w1_ + b1_).relu() @ w2_
        if isinstance(scores, tt.Tensor):
            tt.autograd.cross_entropy(scores, labels).backward()
        else:
            scores.cross_entropy(labels).backward()
    for a, b in zip(mine, theirs):
        np.testing.assert_allclose(a.grad, b.grad, rtol=1e-10, atol=1e-14)


def test_piled_up_gradients_are_a_pendulum() -> None:
    """The exhibit swings with the period of a mass on a spring, from 0 to twice the slope."""
    x = np.linspace(-1, 1, 50)
    for rate in (0.1, 0.01):
        slope = grad = 0.0
        swings = []
        for _ in range(2000):
            grad += float(np.mean(2 * (slope * x - 2 * x) * x))
            slope -= rate * grad
            swings.append(slope)
        assert max(swings[-400:]) == pytest.approx(4, abs=0.05)
        assert min(swings[-400:]) == pytest.approx(0, abs=0.05)
        crossings = np.flatnonzero(np.diff(np.sign(np.array(swings) - 2)) > 0)
        period = np.mean(np.diff(crossings))
        assert period == pytest.approx(2 * np.pi / np.sqrt(2 * rate * np.mean(x * x)), rel=0.02)


def test_ties_in_max_multiply_the_gradient() -> None:
    """What comes back through poolings if each winner of a window gets all, counted by loops."""
    from sklearn.datasets import load_digits

    def comes_back(picture: Array, poolings: int) -> float:
        seen = [picture]
        for _ in range(poolings):
            side = len(seen[-1]) // 2
            seen.append(seen[-1].reshape(side, 2, side, 2).max(axis=(1, 3)))
        grad = np.ones_like(seen[-1])
        for large, small in zip(seen[-2::-1], seen[:0:-1]):
            grad = np.where(
                large == np.kron(small, np.ones((2, 2))), np.kron(grad, np.ones((2, 2))), 0
            )
        return float(grad.sum()) / seen[-1].size

    digits = load_digits().images[:200] / 16
    rng = np.random.default_rng(211)
    noise = rng.normal(size=(200, 8, 8))
    trits = rng.integers(-1, 2, size=(200, 8, 8)).astype(float)

    def mean(pictures: Array, poolings: int) -> float:
        return float(np.mean([comes_back(p, poolings) for p in pictures]))

    assert [mean(noise, n) for n in (1, 2, 3)] == [1, 1, 1]
    assert "about twice as much after one pooling" in PROSE
    assert mean(digits, 1) == pytest.approx(2, abs=0.25)
    assert mean(trits, 1) == pytest.approx(2, abs=0.25)
    assert "over six times as much with digits and over twenty times with trits" in PROSE
    assert 6 < mean(digits, 3) < 7
    assert 20 < mean(trits, 3) < 23


def test_at_a_kink_every_side_is_half_right() -> None:
    up, down = np.array([2 + 1e-6, 2, 2]), np.array([2 - 1e-6, 2, 2])
    assert (up.max() - down.max()) / 2e-6 == pytest.approx(0.5)
    numeric = solutions(LESSON)["numeric_gradient"](lambda v: float(v.max()), np.full(3, 2.0))
    assert numeric == pytest.approx([0.5] * 3)


def test_random_numbers_do_not_show_what_ties_do() -> None:
    rng = np.random.default_rng(0)
    x, grad = rng.normal(size=(6, 4)), rng.normal(size=6)
    exhibit = np.where(x == x.max(axis=-1, keepdims=True), grad[:, None], 0)
    numeric = solutions(LESSON)["numeric_gradient"](lambda v: float(grad @ v.max(axis=-1)), x)
    assert "on random numbers, to ten digits" in PROSE
    np.testing.assert_allclose(numeric, exhibit, rtol=1e-9, atol=1e-10)


def test_how_libraries_share_among_ties() -> None:
    tensor = tt.Tensor(np.full(3, 2.0), requires_grad=True)
    tensor.max().backward()
    np.testing.assert_allclose(tensor.grad, [1 / 3] * 3)
    torch = pytest.importorskip("torch")
    for name, shares in (("amax", [1 / 3] * 3), ("max", [0, 0, 1])):
        x = torch.full((3,), 2.0, requires_grad=True)
        result = getattr(x, name)(0)
        (result if name == "amax" else result.values).backward()
        np.testing.assert_allclose(sorted(x.grad.tolist()), shares, rtol=1e-6)


def test_a_gradient_costs_three_forward_passes() -> None:
    batch, widths = 32, (64, 128, 128, 10)
    forward = sum(batch * k * n for k, n in pairwise(widths))
    backward = sum(
        batch * k * n * (1 if place == 0 else 2)  # the images want no gradient
        for place, (k, n) in enumerate(pairwise(widths))
    )
    assert 2 < (forward + backward) / forward <= 3


def test_it_cites_its_sources() -> None:
    for source in ("1502.05767", "Lillicrap", "13276", "Linnainmaa", "micrograd", "Higham"):
        assert source in PROSE


def train(kind: str, seed: int, epochs: int = 15, batch: int = 32) -> tuple[float, list[float]]:
    """The lesson's experiment in plain NumPy: accuracy in percent, angles in degrees."""
    from sklearn.datasets import load_digits

    images, digits = load_digits(return_X_y=True)
    images = images / 16
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(digits))
    rows, test = order[:1297], order[1297:]

    def draw(seed: int) -> list[Array]:
        draws = np.random.default_rng(seed)
        made = []
        for k, n in ((64, 64), (64, 64), (64, 10)):
            made.append(draws.normal(0, np.sqrt(2 / k), (k, n)))
            draws.normal(0, 0.3, n)  # the biases of the lesson's `initial`, which start at 0 here
        return made

    weights, feedback = draw(seed), draw(seed + 1000)
    biases = [np.zeros(w.shape[1]) for w in weights]

    def run(x: Array) -> list[Array]:
        values = [x]
        for place, (w, b) in enumerate(zip(weights, biases)):
            z = values[-1] @ w + b
            values.append(np.maximum(z, 0) if place < 2 else z)
        return values

    def gradients(kind: str, chosen: Array) -> tuple[list[Array], list[Array]]:
        values = run(images[chosen])
        p = np.exp(values[-1] - values[-1].max(1, keepdims=True))
        grad = p / p.sum(1, keepdims=True)
        grad[np.arange(len(chosen)), digits[chosen]] -= 1
        grad /= len(chosen)
        of_weights, of_biases = [], []
        for place in (2, 1, 0):
            of_weights.insert(0, values[place].T @ grad)
            of_biases.insert(0, grad.sum(0))
            back = {"random feedback": feedback[place], "nothing": 0 * feedback[place]}
            grad = grad @ back.get(kind, weights[place]).T
            if kind != "no mask":
                grad = grad * (values[place] > 0)
        return of_weights, of_biases

    angles = []
    for epoch in range(epochs):
        if kind in ("no mask", "random feedback"):
            a, b = gradients(kind, rows[:200])[0][0], gradients("true", rows[:200])[0][0]
            cosine = np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b)
            angles.append(float(np.degrees(np.arccos(cosine))))
        shuffled = rng.permutation(rows)
        for start in range(0, len(rows) - batch + 1, batch):
            of_weights, of_biases = gradients(kind, shuffled[start : start + batch])
            for array, slope in zip(weights + biases, of_weights + of_biases):
                array -= 0.2 * (1 - epoch / epochs) * slope
    return 100 * float(np.mean(run(images[test])[-1].argmax(1) == digits[test])), angles


@pytest.mark.slow
def test_a_wrong_gradient_learns_almost_as_well() -> None:
    """Intervals of 95 % over twelve seeds; the claims of section 8 and of its prediction."""
    kinds = ("true", "no mask", "random feedback", "nothing")
    runs = {kind: [train(kind, seed) for seed in range(12)] for kind in kinds}
    reached = {kind: np.array([accuracy for accuracy, _ in runs[kind]]) for kind in kinds}

    def interval(values: Array) -> tuple[float, float]:
        half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
        return float(values.mean() - half), float(values.mean() + half)

    low, high = interval(reached["true"])
    assert 96 < low < high < 97.7  # "about 97 %"
    assert "With the true gradient the network reads about 97 % of the test digits" in PROSE
    low, high = interval(reached["no mask"])
    assert 95 < low < high < 97.5
    low, high = interval(reached["true"] - reached["no mask"])  # the same splits: pairs
    assert -0.5 < low < high < 1.5
    low, high = interval(reached["true"] - reached["random feedback"])
    assert 1 < low < high < 4
    low, high = interval(reached["true"] - reached["nothing"])
    assert 10 < low < high < 17
    unmasked = np.array([angles for _, angles in runs["no mask"]])
    assert "points about 50° off" in PROSE
    assert 45 < unmasked.mean() < 56
    random = np.array([angles for _, angles in runs["random feedback"]])
    assert 80 < random[:, 0].mean() < 100  # unrelated at first
    assert random[:, 5:].max() < 90  # and downhill from then on
    assert random[:, 5:].mean() < 70
