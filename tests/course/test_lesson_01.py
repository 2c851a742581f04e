"""Lesson 01: the numbers its prose states, and the untouched notebook from top to bottom."""

from __future__ import annotations

import tempfile
from pathlib import Path

import nbformat
import numpy as np
import pytest
from scipy import integrate, optimize

from tests.course.solved import solutions
from tinyternary import course
from tinyternary.course.authoring.build import records
from tinyternary.course.authoring.kernel import kernel

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


def test_it_has_what_a_lesson_must_have() -> None:
    assert len(LESSON.exercises) >= 8
    code = "\n".join(c.source for c in LESSON.cells if c.role == "demo")
    assert PROSE.count("**Predict, then run.**") == code.count("check.predicted(") >= 5
    sections = PROSE.split("\n## ")
    for needed in ("Recap", "Further reading"):
        assert any(section.startswith(needed) for section in sections)
    for source in ("2402.17764", "1605.04711", "2510.13760", "Horowitz"):
        assert source in PROSE


@pytest.mark.slow
def test_run_all_on_the_untouched_notebook() -> None:
    notebook = nbformat.read(CHECKOUT / "lessons" / f"{LESSON.name}.ipynb", 4)
    seen, figures, seconds = [], 0, 0.0
    with tempfile.TemporaryDirectory() as folder, kernel(Path(folder)) as session:
        for cell in notebook.cells:
            if cell.cell_type == "code":
                ran = session.run(cell, 60)
                seconds += ran.seconds
                assert ran.ending == "done", (cell.source, ran.error)
                for outcome in records(cell):
                    assert outcome["status"] == "not attempted"
                    seen.append(outcome["exercise"])
                figures += sum("image/png" in o.get("data", {}) for o in cell.outputs)
                assert not any(o.get("name") == "stderr" for o in cell.outputs), cell.outputs
    assert seen == [exercise.number for exercise in LESSON.exercises]
    assert figures >= 8
    assert seconds < 90
