"""Lesson 04: the numbers its prose states, with a network written anew; and its claims over seeds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import integrate, optimize, stats
from threadpoolctl import threadpool_limits

import tinyternary as tt
from tests.course.solved import solutions
from tinyternary import course
from tinyternary.nn import Linear
from tinyternary.quant import BitLinear, LayerQuant

CHECKOUT = Path(__file__).parents[2]
LESSON = course.read_lesson("04_straight_through", CHECKOUT)
PROSE = "\n".join(cell.source for cell in LESSON.cells if cell.role == "prose")
SEEDS = range(10)
HIDDEN, EPOCHS, BATCHES = 128, 20, 20


# ---- the lesson's network, with the backward pass by hand ------------------------------------


def digits() -> tuple[np.ndarray, np.ndarray]:
    datasets = pytest.importorskip("sklearn.datasets")
    images, labels = datasets.load_digits(return_X_y=True)
    return (images / 16).astype(np.float32), labels


def trits_of(latent: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(latent / np.abs(latent).mean()), -1, 1)


def absmean(latent: np.ndarray) -> np.ndarray:
    return np.float32(np.abs(latent).mean()) * trits_of(latent)


def constant(latent: np.ndarray) -> np.ndarray:
    return np.float32(4 / np.sqrt(latent.shape[1])) * trits_of(latent)


def train(
    seed: int, rule: Any = absmean, lr: float = 1.0, size: float = 1.0, slopes: Any = None,
    weights_learn: bool = True, cosine: bool = True,
) -> tuple[float, np.ndarray]:  # fmt: skip
    """Test accuracy in percent, and the trits at the start and after every step."""
    x, y = digits()
    order = np.random.default_rng(seed).permutation(len(y))
    rows, test = order[:1297], order[1297:]
    rng = np.random.default_rng([seed, 1])
    latents = [rng.normal(0, size / 8, (HIDDEN, 64)).astype(np.float32),
               rng.normal(0, size / np.sqrt(HIDDEN), (10, HIDDEN)).astype(np.float32)]  # fmt: skip
    biases = [np.zeros(HIDDEN, np.float32), np.zeros(10, np.float32)]
    film = [np.concatenate([trits_of(w).ravel() for w in latents])]
    rng = np.random.default_rng([seed, 2])
    done = 0
    for _ in range(EPOCHS):
        for batch in np.array_split(rng.permutation(rows), BATCHES):
            first, second = (rule(w) for w in latents)
            hidden = np.maximum(x[batch] @ first.T + biases[0], 0)
            out = hidden @ second.T + biases[1]
            out = np.exp(out - out.max(axis=1, keepdims=True))
            out /= out.sum(axis=1, keepdims=True)
            out[np.arange(len(batch)), y[batch]] -= 1
            out /= len(batch)
            back = (out @ second) * (hidden > 0)
            gradients = [back.T @ x[batch], out.T @ hidden]
            rate = np.float32(lr * ((1 + np.cos(np.pi * done / 400)) / 2 if cosine else 1))
            done += 1
            for k in (0, 1):
                if weights_learn:
                    latents[k] -= rate * gradients[k] * (1 if slopes is None else slopes[k])
                biases[k] -= rate * (back, out)[k].sum(axis=0)
            film.append(np.concatenate([trits_of(w).ravel() for w in latents]))
    first, second = (rule(w) for w in latents)
    scores = np.maximum(x[test] @ first.T + biases[0], 0) @ second.T + biases[1]
    return 100 * float(np.mean(scores.argmax(axis=1) == y[test])), np.array(film)


def interval(values: Any) -> tuple[float, float]:
    """95 % interval of the mean, by Student's t."""
    values = np.asarray(values, float)
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return values.mean() - half, values.mean() + half


def drawn(seed: int, kind: str) -> list[np.ndarray]:
    rng = np.random.default_rng([seed, 3])
    draw = {"log-normal": lambda s: rng.lognormal(0, 1, s), "uniform": lambda s: rng.uniform(0, 2, s),
            "signs": lambda s: rng.choice([-1.0, 1.0], s)}[kind]  # fmt: skip
    return [draw((HIDDEN, 64)).astype(np.float32), draw((10, HIDDEN)).astype(np.float32)]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with threadpool_limits(1):  # small products: BLAS's threads would only wait for each other
        yield


@pytest.fixture(scope="module")
def plain() -> list[float]:
    return [train(seed)[0] for seed in SEEDS]


@pytest.mark.slow
def test_random_positive_slopes_train_as_well_as_the_identity(plain: list[float]) -> None:
    for kind in ("log-normal", "uniform"):
        found = [train(seed, slopes=drawn(seed, kind))[0] for seed in SEEDS]
        low, high = interval(np.subtract(plain, found))
        assert -1 < low < high < 1, (kind, low, high)
    signs = [train(seed, slopes=drawn(seed, "signs"))[0] for seed in SEEDS]
    assert interval(signs)[1] < 60  # "ends below 60 %"


@pytest.mark.slow
def test_strengths_matter_with_a_constant_scale_that_is_too_small() -> None:
    def small(latent: np.ndarray) -> np.ndarray:
        return constant(latent) / np.float32(4)

    identity = [train(seed, small)[0] for seed in SEEDS]
    found = [train(seed, small, slopes=drawn(seed, "log-normal"))[0] for seed in SEEDS]
    low, high = interval(np.subtract(identity, found))
    assert len(SEEDS) == 10
    assert "over ten splits the log-normal ones cost it two to three points" in PROSE
    assert 1.5 < low < high < 3.5


@pytest.mark.slow
def test_a_large_initialisation_changes_few_trits_and_works() -> None:
    found = {}
    for size in (1, 10):
        runs = [train(seed, constant, 0.3, size) for seed in SEEDS]
        share = [100 * np.mean((film != film[0]).any(axis=0)) for _, film in runs]
        found[size] = [accuracy for accuracy, _ in runs], share
    assert "ends at about 97 % of the test digits, and 22 % of its trits change" in PROSE
    assert np.mean(found[1][0]) == pytest.approx(97, abs=0.6)
    assert np.mean(found[1][1]) == pytest.approx(22, abs=0.6)
    low, high = interval(found[10][1])
    assert (
        6 < low < high < 9
    )  # percent of the trits that ever change: "more than nine out of ten" stay
    low, high = interval(found[10][0])
    assert 92 < low < high < 96
    low, high = interval(np.subtract(found[1][0], found[10][0]))
    assert 1 < low < high < 5  # it costs something, and little


@pytest.mark.slow
def test_what_the_prose_says_of_the_digits(plain: list[float]) -> None:
    assert "The float one ends at about 97 %" in PROSE
    as_float = [train(seed, lambda w: w, 0.5)[0] for seed in SEEDS]
    assert np.mean(as_float) == pytest.approx(97, abs=0.7)
    low, high = interval(np.subtract(as_float, plain))
    assert -1 < low < high < 1
    assert interval([train(seed, weights_learn=False)[0] for seed in range(5)])[1] < 60
    _, film = train(0)
    changes = np.diff(film, axis=0)
    flips = (changes != 0).sum(axis=1)
    assert "more than 25,000 flips" in PROSE
    assert flips.sum() > 25_000
    per_epoch = flips.reshape(EPOCHS, BATCHES).sum(axis=1)
    assert min(per_epoch[:3]) > 2000
    assert per_epoch[-1] < 50
    took_back = solutions(LESSON)["oscillations"](film.astype(np.int8)).sum()
    assert took_back / flips.sum() > 0.75  # "Most flips take back an earlier one"
    after = [(a != b).sum() for a, b in pairwise(train(0, cosine=False)[1][-100:])]
    assert sum(after) > 5 * per_epoch[-5:].sum()


# ---- numbers of the prose -------------------------------------------------------------------


def test_the_network_has_the_numbers_it_is_said_to_have() -> None:
    x, _ = digits()
    assert HIDDEN + 10 == 138
    assert "138 biases" in PROSE
    blank = np.flatnonzero(x.max(axis=0) == 0)
    assert len(blank) > 0
    assert all(p % 8 in (0, 7) or p // 8 in (0, 7) for p in blank)


def test_the_log_normal_draws_spread_as_said() -> None:
    assert stats.lognorm(1).sf(5) == pytest.approx(1 / 20, abs=0.005)
    assert stats.lognorm(1).cdf(1 / 5) == pytest.approx(1 / 20, abs=0.005)


def test_where_the_two_scales_come_to_rest() -> None:
    def mean(function: Any, low: float, high: float) -> float:
        return 2 * integrate.quad(lambda w: function(w) * stats.norm.pdf(w), low, high)[0]

    def exact(a: float) -> float:
        return mean(lambda w: a - w, a / 2, 12)

    def lsq(
        a: float,
    ) -> float:  # within the clip (alpha t - w)(t - w / alpha), beyond it (alpha - w)
        inner = mean(lambda w: w * w / a, 0, a / 2) + mean(lambda w: (a - w) ** 2 / a, a / 2, a)
        return inner + mean(lambda w: a - w, a, 12)

    def lost(a: float) -> float:
        return mean(lambda w: w**2, 0, a / 2) + mean(lambda w: (a - w) ** 2, a / 2, 12)

    best, other = (optimize.brentq(rule, 0.5, 3) for rule in (exact, lsq))
    assert f"{best:.3f}" == "1.224"
    assert r"\alpha^\star = 1.224" in PROSE
    assert 100 * (other / best - 1) == pytest.approx(6.5, abs=0.3)
    assert 100 * (lost(other) - lost(best)) == pytest.approx(0.2, abs=0.03)
    assert "Six percent too large, and 0.2 points of energy poorer" in PROSE


def test_an_oscillation_does_not_depend_on_the_learning_rate() -> None:
    found = []
    for lr in (0.1, 0.01):
        w, trits = 0.5 - 0.01 * lr, []
        for _ in range(2000):
            trits.append(w > 0.5)
            w -= lr * (trits[-1] - 0.3)
        found.append(np.mean(np.diff(np.array(trits, int)) != 0))
        assert np.mean(trits) == pytest.approx(0.3, abs=0.01)  # its average is the ideal
    assert found == pytest.approx([0.6, 0.6], abs=0.02)
    assert "flips in 60 % of the steps" in PROSE


# ---- against the library --------------------------------------------------------------------


def test_ttqs_gradients_are_the_librarys() -> None:
    rng = np.random.default_rng(0)
    linear = Linear(8, 5)
    linear.weight.data[...] = rng.normal(size=(5, 8))
    layer = BitLinear(linear, LayerQuant(weight="ttq"), "layer")
    upstream = rng.normal(size=(5, 8)).astype(np.float32)
    layer.quantizer(layer.weight).backward(upstream)
    trits = layer.quantizer.quantize(layer.weight.data).trits
    plus, minus = solutions(LESSON)["ttq_gradients"](upstream, trits)
    root = np.sqrt(upstream.size)
    np.testing.assert_allclose(layer.quantizer.positive.grad, plus / root, rtol=1e-4)
    np.testing.assert_allclose(layer.quantizer.negative.grad, minus / root, rtol=1e-4)


def test_straight_through_and_the_gate_are_the_librarys() -> None:
    made = solutions(LESSON)
    w = np.random.default_rng(1).normal(size=(6, 7)).astype(np.float32)
    seen = made["StraightThrough"].apply(tt.Tensor(w))
    np.testing.assert_allclose(seen.data, tt.quant.absmean(w).dequantize(), rtol=1e-6)
    clipped = tt.quant.STRAIGHT_THROUGH["clipped"]
    alpha = np.float32(0.8)
    slope = clipped.slope(w, alpha, alpha / 2, 1.0)
    np.testing.assert_array_equal(made["gate"](np.ones_like(w), w, alpha), slope)


# ---- the notebook ---------------------------------------------------------------------------


def test_it_has_what_a_lesson_must_have() -> None:
    assert len(LESSON.exercises) >= 8
    assert LESSON.questions
    code = "\n".join(c.source for c in LESSON.cells if c.role == "demo")
    assert PROSE.count("**Predict, then run.**") == code.count("check.predicted(") >= 5
    sections = PROSE.split("\n## ")
    for needed in ("Recap", "Further reading"):
        assert any(section.startswith(needed) for section in sections)
    for source in ("1308.3432", "1511.00363", "1602.02830", "1903.05662", "2203.11086", "1902.08153",
                   "1612.01064"):  # fmt: skip
        assert source in PROSE
    points = {e.number: e.points for e in LESSON.exercises} | {
        q.number: q.points for q in LESSON.questions
    }
    for number, worth in points.items():
        assert f"| {number} |" in PROSE
        row = next(line for line in PROSE.splitlines() if f"| {number} |" in line)
        assert row.rstrip("|").split("|")[-1].strip() == f"{worth:g}"
