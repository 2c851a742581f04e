"""Lesson 07: the numbers its prose states, its claims over seeds, and the library beside it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from threadpoolctl import threadpool_limits

import tinyternary as tt
from tests.course.solved import solutions
from tinyternary import course

CHECKOUT = Path(__file__).parents[2]
LESSON = course.read_lesson("07_distillation", CHECKOUT)
PROSE = "\n".join(cell.source for cell in LESSON.cells if cell.role == "prose")
SEEDS = range(12)
"""More splits than the lesson shows."""


# ---- the lesson's experiment, written anew ---------------------------------------------------


def digits() -> tuple[np.ndarray, np.ndarray]:
    datasets = pytest.importorskip("sklearn.datasets")
    images, labels = datasets.load_digits(return_X_y=True)
    return (images / 16).astype(np.float32), labels


def absmean(latent: np.ndarray) -> np.ndarray:
    alpha = np.abs(latent).mean()
    return np.float32(alpha) * np.clip(np.rint(latent / alpha), -1, 1)


def soft(scores: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    odds = np.exp((scores - scores.max(axis=1, keepdims=True)) / temperature)
    return odds / odds.sum(axis=1, keepdims=True)


def split(seed: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.random.default_rng(seed).permutation(1797)
    return order[:1297], order[1297:]


def scores(network: Any, ternary: bool) -> np.ndarray:
    first, b1, second, b2 = (absmean(p) if ternary and p.ndim == 2 else p for p in network)
    return np.maximum(digits()[0] @ first.T + b1, 0) @ second.T + b2


def train(
    seed: int, rows: np.ndarray, epochs: int, lr: float, ternary: bool = True,
    teacher: np.ndarray | None = None, alpha: float = 0.0, temperature: float = 4.0, start: Any = None,
) -> list[np.ndarray]:  # fmt: skip
    x, y = digits()
    rng = np.random.default_rng([seed, 1])
    fresh = [
        rng.normal(0, 1 / 8, (128, 64)),
        np.zeros(128),
        rng.normal(0, 128**-0.5, (10, 128)),
        np.zeros(10),
    ]
    network = [np.array(part, np.float32) for part in (start or fresh)]
    rng = np.random.default_rng([seed, 2])
    batches, done = max(1, len(rows) // 65), 0
    for _ in range(epochs):
        for batch in np.array_split(rng.permutation(rows), batches):
            first, b1, second, b2 = (absmean(p) if ternary and p.ndim == 2 else p for p in network)
            hidden = np.maximum(x[batch] @ first.T + b1, 0)
            z = hidden @ second.T + b2
            back = (1 - alpha) * (soft(z) - np.eye(10)[y[batch]])
            if teacher is not None:
                back += (
                    alpha * temperature * (soft(z, temperature) - soft(teacher[batch], temperature))
                )
            back = (back / len(batch)).astype(np.float32)
            below = (back @ second) * (hidden > 0)
            rate = np.float32(lr * (1 + np.cos(np.pi * done / (epochs * batches))) / 2)
            done += 1
            slopes = below.T @ x[batch], below.sum(axis=0), back.T @ hidden, back.sum(axis=0)
            for part, slope in zip(network, slopes, strict=True):
                part -= rate * slope
    return network


def right_of(network: Any, seed: int, ternary: bool = True) -> float:
    rows = split(seed)[1]
    return 100 * float(np.mean(scores(network, ternary).argmax(axis=1)[rows] == digits()[1][rows]))


def interval(values: Any) -> tuple[float, float]:
    """95 % interval of the mean, by Student's t."""
    found = stats.ttest_1samp(values, 0.0).confidence_interval()
    return float(found.low), float(found.high)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with threadpool_limits(1):  # small products: BLAS's threads would only wait for each other
        yield


@pytest.fixture(scope="module")
def teachers() -> list[list[np.ndarray]]:
    return [train(s, split(s)[0], 20, 0.5, ternary=False) for s in SEEDS]


def clinic(
    teachers: Any, epochs: int = 60, lr: float = 1.0, alpha: float = 0.0, start: bool = False
) -> np.ndarray:
    found = []
    for s in SEEDS:
        said = scores(teachers[s], False) if alpha else None
        network = train(s, split(s)[0][:200], epochs, lr, teacher=said, alpha=alpha,
                        start=teachers[s] if start else None)  # fmt: skip
        found.append(right_of(network, s))
    return np.array(found)


@pytest.fixture(scope="module")
def alone(teachers: Any) -> np.ndarray:
    """The student alone, at the best of three learning rates."""
    return max(
        (clinic(teachers, lr=lr) for lr in (0.5, 1.0, 2.0)), key=lambda found: float(found.mean())
    )


@pytest.mark.slow
def test_a_teacher_helps_even_against_the_best_rate_alone(teachers: Any, alone: np.ndarray) -> None:
    low, _ = interval(clinic(teachers, alpha=0.5) - alone)
    assert low > 0.5
    reports = [right_of(teacher, s, ternary=False) for s, teacher in enumerate(teachers)]
    assert abs(np.mean(reports) - 96) < 1
    assert "right on about 96 %" in PROSE


@pytest.mark.slow
def test_half_the_time_from_the_teacher_beats_all_of_it_alone(
    teachers: Any, alone: np.ndarray
) -> None:
    """The lesson's claim, and what does not hold: answers without the weights only draw level."""
    started = clinic(teachers, epochs=30, start=True)
    both = clinic(teachers, epochs=30, start=True, alpha=0.5)
    answers = clinic(teachers, epochs=30, alpha=0.5)
    assert interval(started - alone)[0] > 0
    assert interval(both - alone)[0] > 0.5
    assert interval(both - started)[0] > 0
    low, high = interval(answers - alone)
    assert low < 0.5
    assert high > -0.5
    # what answers add to a fresh start, and to one from the teacher: less than half of it
    fresh = answers - clinic(teachers, epochs=30)
    assert interval(fresh)[0] > 1
    assert np.mean(both - started) < np.mean(fresh) / 2


@pytest.mark.slow
def test_a_student_learns_a_digit_that_it_never_saw(teachers: Any) -> None:
    y = digits()[1]
    found: dict[float, list[float]] = {1.0: [], 4.0: []}
    for s, t in product(range(6), found):
        rows, test = split(s)
        seen, threes = rows[y[rows] != 3], test[y[test] == 3]
        network = train(
            s, seen, 20, 1.0, teacher=scores(teachers[s], False), alpha=1.0, temperature=t
        )
        found[t].append(100 * float(np.mean(scores(network, True)[threes].argmax(axis=1) == 3)))
    print(found)
    assert np.mean(found[4.0]) > 60
    assert interval(found[4.0])[0] > 45
    assert np.mean(found[1.0]) < 20


# ---- what the prose says -----------------------------------------------------------------------


def test_the_warm_limit_is_a_match_of_logits() -> None:
    rng = np.random.default_rng(0)
    z, v = rng.normal(size=(5, 10)), rng.normal(size=(5, 10))
    z, v = z - z.mean(axis=1, keepdims=True), v - v.mean(axis=1, keepdims=True)
    t = 1e4
    gradient = 5 * t**2 * solutions(LESSON)["soft_gradient"](z, v, t)
    np.testing.assert_allclose(gradient, (z - v) / 10, rtol=2e-3, atol=1e-4)
    assert r"\frac{z_c - v_c}{C}" in PROSE


def test_teacher_in_front_is_cross_entropy_up_to_a_constant() -> None:
    kl = solutions(LESSON)["kl"]
    rng = np.random.default_rng(1)
    p = np.repeat(rng.dirichlet(np.ones(4), size=1), 6, axis=0)
    q = rng.dirichlet(np.ones(4), size=6)
    constant = -(p * np.log(q)).sum(axis=1) - kl(p, q)
    np.testing.assert_allclose(constant, -(p[0] * np.log(p[0])).sum())


def test_the_joint_loss_is_the_librarys() -> None:
    joint_loss = solutions(LESSON)["joint_loss"]
    rng = np.random.default_rng(2)
    z, v, y = rng.normal(0, 3, (6, 5)), rng.normal(0, 3, (6, 5)), rng.integers(5, size=6)
    scores_ = tt.Tensor(z, requires_grad=True)
    hard = tt.autograd.cross_entropy(scores_, y)
    whole = hard * 0.3 + tt.autograd.kl_divergence(scores_, v, 3.0) * 0.7
    whole.backward()
    loss, gradient = joint_loss(z, v, y, 0.7, 3.0)
    np.testing.assert_allclose(loss, float(whole.data), rtol=1e-6)
    np.testing.assert_allclose(gradient, scores_.grad, rtol=1e-5, atol=1e-7)


def test_the_librarys_defaults_are_the_ones_named() -> None:
    plan = tt.train.Recipe().distillation
    assert (plan.alpha, plan.temperature, plan.gamma) == (0.5, 2.0, 0.5)
    assert r"$\alpha = 0.5$, $T = 2$ and half of the" in PROSE


def test_a_warm_sigmoid_matches_logits_over_four() -> None:
    repaired = solutions(LESSON)["repaired_gradient"]
    z, v = np.array([[1.0, -2.0]]), np.array([[0.5, 3.0]])
    np.testing.assert_allclose(repaired(z, v, np.zeros((1, 2)), 1.0, 1e4), (z - v) / 4, rtol=1e-5)
