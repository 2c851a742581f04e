"""Lesson 01: the numbers its prose states."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from tests.course.solved import solutions
from tinyternary import course

CHECKOUT = Path(__file__).parents[2]
LESSON = course.read_lesson("01_ternary_basics", CHECKOUT)
PROSE = "\n".join(cell.source for cell in LESSON.cells if cell.role == "prose")


def density(x: float) -> float:
    return float(np.exp(-x * x / 2) / np.sqrt(2 * np.pi))


def loss(parameters: np.ndarray) -> float:
    """Squared error of a unit Gaussian at a threshold and a scale, by quadrature alone."""
    delta, alpha = parameters
    inside = integrate.quad(lambda x: x**2 * density(x), 0, delta)[0]
    beyond = integrate.quad(lambda x: (x - alpha) ** 2 * density(x), delta, 12)[0]
    return 2 * (inside + beyond)


def zeros(delta: float) -> float:
    return 2 * integrate.quad(density, 0, delta)[0]


MEAN = float(np.sqrt(2 / np.pi))


def test_the_gaussians_best_threshold_and_scale() -> None:
    best = optimize.minimize(loss, [0.5, 1.0], method="Nelder-Mead", options={"xatol": 1e-6})
    delta, alpha = best.x
    assert f"{delta:.3f}" == "0.612"
    assert f"{alpha:.3f}" == "1.224"
    assert rf"\delta^\star = {delta:.3f}\,\sigma" in PROSE
    assert rf"\alpha^\star = {alpha:.3f}\,\sigma" in PROSE
    assert f"{100 * (1 - best.fun):.0f} % of the energy kept" in PROSE
    assert f"the threshold is {delta / MEAN:.3f}" in PROSE


def test_what_the_rules_lose_on_a_gaussian() -> None:
    assert f"absmean loses {100 * loss(np.array([MEAN / 2, MEAN])):.0f} %" in PROSE
    p = zeros(MEAN / 2)
    assert f"sets {100 * p:.0f} % of a Gaussian to zero" in PROSE
    entropy = -p * np.log2(p) - (1 - p) * np.log2((1 - p) / 2)
    assert f"{entropy:.3f} of at most {np.log2(3):.3f} bits" in PROSE


def test_the_best_threshold_of_laplace_and_uniform_weights() -> None:
    rng = np.random.default_rng(0)
    best_threshold = solutions(LESSON)["best_threshold"]
    laplace, uniform = rng.laplace(size=400_000), rng.uniform(-1, 1, size=400_000)
    assert best_threshold(laplace) == pytest.approx(1.0, abs=0.03)
    assert best_threshold(uniform) == pytest.approx(1 / 3, abs=0.01)


def run_cells(*beginnings: str) -> dict[str, Any]:
    """Run the demonstration cells that hold these texts, with the lesson's solutions as `my`."""
    names = solutions(LESSON)
    names["my"] = SimpleNamespace(**names)
    for text in beginnings:
        (cell,) = (c for c in LESSON.cells if c.role == "demo" and text in c.source)
        exec(compile(cell.source, "<demonstration>", "exec"), names)
    return names


@pytest.fixture(scope="module")
def digits() -> dict[str, Any]:
    """What section 4 makes of the digits, a trained network among it."""
    names = solutions(LESSON)
    draws = np.random.default_rng(4)
    names["populations"] = {"Gaussian": draws.normal(size=200_000)}
    names["my"] = SimpleNamespace(**names)
    (cell,) = (c for c in LESSON.cells if c.role == "demo" and "MLPClassifier(" in c.source)
    exec(compile(cell.source, "<demonstration>", "exec"), names)
    return names


def test_theory_holds_for_layers_that_have_learned_and_not_for_pixels_without_ink(digits) -> None:
    my = digits["my"]
    sigmas, lost = {}, {}
    for name, w in digits["real"].items():
        best = my.best_threshold(w)
        sigmas[name], lost[name] = best / np.std(w), my.relative_error(w, best)
    for name in ("hidden layer", "output layer"):
        assert sigmas[name] == pytest.approx(0.612, abs=0.03)
        assert lost[name] == pytest.approx(0.19, abs=0.05)
        p = my.absmean(digits["real"][name])[0]
        assert 1.56 < my.entropy_bits(p) <= np.log2(3)
    assert lost["output layer"] < lost["hidden layer"] < 0.19
    assert sigmas["never any ink"] > 2 * 0.612
    trits = my.absmean(digits["hidden"])[0]
    assert not trits[:, ~digits["inked"]].any()


def test_the_exhibits_have_their_symptoms(digits) -> None:
    names = run_cells("def linear(", "def quantize(")
    ones, inputs = np.ones((1, 200), np.int8), np.full(200, 2.0)
    assert names["linear"](ones[:, :18], 1.0, inputs[:18]) == pytest.approx(36)
    came = [float(names["linear"](ones[:, :k], 1.0, inputs[:k])[0]) for k in range(1, 200)]
    assert min(came) < 0  # sums of positive numbers
    hidden = digits["hidden"]
    assert 0.93 < np.mean(names["quantize"](hidden, 2)[0] == 0) < 0.97
    assert np.mean(names["quantize"](hidden, 4)[0] == 0) < 0.3
    (cell,) = (c for c in LESSON.cells if "def network_accuracy" in c.source)
    names |= {k: digits[k] for k in ("digits", "labels", "network", "held_out")}
    exec(cell.source[: cell.source.index("all_bits")], names)
    accuracy = names["network_accuracy"]
    whole = digits["network"].score(digits["digits"][digits["held_out"]],
                                    digits["labels"][digits["held_out"]])  # fmt: skip
    for bits in (8, 4):
        assert accuracy(lambda W, b=bits: names["quantize"](W, b)) > whole - 0.02
    assert accuracy(lambda W: names["quantize"](W, 2)) < 0.6
    repaired = accuracy(lambda W: names["repaired_quantize"](W, 2))
    assert whole > repaired > 0.9 * whole  # "lost less than a tenth of its accuracy"
    assert "less than a tenth of its accuracy" in PROSE


@pytest.mark.slow
def test_rounding_a_trained_classifier_hurts_and_training_with_it_heals(digits) -> None:
    names = dict(digits)
    (cell,) = (c for c in LESSON.cells if c.role == "demo" and "def train(" in c.source)
    exec(compile(cell.source, "<demonstration>", "exec"), names)
    train, accuracy, ternary = names["train"], names["accuracy"], names["ternary"]
    rows = []
    for seed in range(10):
        learned, held_out = names["split"](seed)
        W, bias = train(learned, seed)
        latent, latent_bias = train(learned, seed, quantize=ternary)
        rows.append([
            accuracy(W, bias, held_out), accuracy(ternary(W), bias, held_out),
            accuracy(ternary(latent), latent_bias, held_out),
            accuracy(latent, latent_bias, held_out),
        ])  # fmt: skip
    whole, rounded, trained, latents = 100 * np.array(rows).T

    def interval(values: np.ndarray) -> tuple[float, float]:
        """Return the mean's 95 % interval, by Student's t."""
        low, high = stats.t.interval(
            0.95, len(values) - 1, np.mean(values), stats.sem(values)
        )  # fmt: skip
        return float(low), float(high)

    low, high = interval(whole - rounded)
    assert 20 < low < 24 < high < 28  # "about 24 points"
    low, high = interval(whole - trained)
    assert 3 < low < high < 6  # "within about 4"
    assert np.all(trained > rounded + 8)
    low, _ = interval(trained - latents)  # "clearly worse than their own rounded version"
    assert low > 5
    assert 0.2 < np.mean((whole - rounded) / whole) < 0.3  # "a quarter of theirs"


def test_it_has_what_a_lesson_must_have() -> None:
    assert len(LESSON.exercises) >= 8
    assert all(len(exercise.hints) >= 2 for exercise in LESSON.exercises)
    assert len(LESSON.questions) == 1
    assert LESSON.questions[0].rubric
    assert PROSE.count("### Exhibit") == 2
    code = "\n".join(c.source for c in LESSON.cells if c.role == "demo")
    assert PROSE.count("**Predict, then run.**") == code.count("check.predicted(") >= 5
    sections = PROSE.split("\n## ")
    for needed in ("Recap", "Further reading"):
        assert any(section.startswith(needed) for section in sections)
    for source in ("2402.17764", "1605.04711", "2510.13760", "Horowitz"):
        assert source in PROSE
