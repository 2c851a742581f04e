"""Calibration: bins of equal mass, the Brier score, and a temperature that nothing beats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn import metrics as sk
from sklearn.base import BaseEstimator, ClassifierMixin

from tests.evaluate.test_metrics import random_case
from tinyternary.config import Task
from tinyternary.errors import ConfigError, NonFiniteError, ShapeError
from tinyternary.evaluate import (
    auc,
    calibration_by_chance,
    decide,
    evaluate_scores,
    expected_calibration_error,
    fit_temperature,
    judge,
    reliability,
    scores,
)
from tinyternary.evaluate.calibration import calibration
from tinyternary.evaluate.proper_scores import brier_scores, log_losses
from tinyternary.evaluate.temperature import LEAST, MOST

TASKS = list(Task)


def answers(task, seed, count=40, classes=4, sharp=1.0):
    """Labels, and logits that know something of them."""
    rng = np.random.default_rng(seed)
    classes = 2 if task is Task.BINARY else classes
    if task is Task.MULTI_LABEL:
        labels = rng.integers(0, 2, (count, classes))
        told = 2.0 * labels - 1
    else:
        labels = rng.integers(0, classes, (count, 1))
        told = 1.5 * (labels == np.arange(classes))
    return labels, (sharp * (told + rng.normal(0, 1, (count, classes)))).astype(np.float32)


drawn = given(
    task=st.sampled_from(TASKS), seed=st.integers(0, 2**32), count=st.integers(1, 60),
    sharp=st.sampled_from([0.1, 0.5, 1.0, 4.0, 30.0]),
)  # fmt: skip


def loss(labels, logits, task, temperature=1.0):
    goal = judge(labels, scores(logits, task), task).one_hot
    return log_losses(np.asarray(logits, np.float64) / temperature, goal, task).mean()


@drawn
def test_no_temperature_has_less_loss_than_the_chosen_one(task, seed, count, sharp):
    labels, logits = answers(task, seed, count, sharp=sharp)
    chosen = fit_temperature(labels, logits, task)
    assert LEAST <= chosen <= MOST
    found = loss(labels, logits, task, chosen)
    assert found <= loss(labels, logits, task) + 1e-12
    if chosen != 1:
        grid = np.geomspace(LEAST, MOST, 300)
        losses = [loss(labels, logits, task, t) for t in grid]
        assert found <= min(losses) + 1e-12
        # and the grid's best is its neighbour
        assert abs(np.log(chosen / grid[np.argmin(losses)])) <= 1.01 * np.log(grid[1] / grid[0])


@drawn
def test_a_temperature_changes_no_decision_and_no_order(task, seed, count, sharp):
    labels, logits = answers(task, seed, count, sharp=min(sharp, 1.0))
    chosen = max(fit_temperature(labels, logits, task), 0.3)  # colder, and float64 ends at 1
    before, after = scores(logits, task), scores(logits / np.float64(chosen), task)
    np.testing.assert_array_equal(decide(after, task), decide(before, task))
    np.testing.assert_array_equal(after.argsort(1, kind="stable"),
                                  before.argsort(1, kind="stable"))  # fmt: skip
    if task in (Task.BINARY, Task.MULTI_LABEL):  # of more classes, images may change places
        assert auc(labels, after, task) == pytest.approx(auc(labels, before, task), nan_ok=True)


@drawn
def test_logits_of_another_scale_get_the_temperature_that_undoes_it(task, seed, count, sharp):
    labels, logits = answers(task, seed, count)
    chosen = fit_temperature(labels, logits, task)
    scaled = fit_temperature(labels, logits.astype(np.float64) * sharp, task)
    if chosen not in (1, LEAST, MOST) and LEAST < chosen * sharp < MOST:
        assert scaled == pytest.approx(chosen * sharp, rel=1e-9)
    # several labels are that many tasks of two classes, whose logits are 0 and x
    if task is Task.MULTI_LABEL:
        pairs = np.stack((np.zeros(logits.size), logits.ravel()), 1)
        assert fit_temperature(labels.ravel(), pairs, Task.BINARY) == pytest.approx(chosen)


@pytest.mark.parity
@drawn
def test_the_loss_and_where_its_gradient_vanishes_are_torchs(task, seed, count, sharp):
    torch = pytest.importorskip("torch")
    labels, logits = answers(task, seed, count, sharp=sharp)
    chosen = fit_temperature(labels, logits, task)
    inverse = torch.tensor(1 / chosen, dtype=torch.float64, requires_grad=True)
    z = torch.tensor(logits, dtype=torch.float64) * inverse
    if task is Task.MULTI_LABEL:
        wanted = torch.nn.functional.binary_cross_entropy_with_logits(
            z, torch.tensor(labels, dtype=torch.float64)
        )
    else:
        wanted = torch.nn.functional.cross_entropy(z, torch.tensor(labels[:, 0]))
    assert loss(labels, logits, task, chosen) == pytest.approx(wanted.item(), abs=1e-12)
    wanted.backward()
    slope = inverse.grad.item()
    if chosen == MOST:
        assert slope >= 0
    elif chosen == LEAST or chosen == 1:
        assert slope <= 1e-12
    else:
        assert slope == pytest.approx(0, abs=1e-9 * max(1.0, float(np.abs(logits).max())))


def test_scikit_learns_temperature_is_the_same():
    pytest.importorskip("sklearn", "1.8")  # the first that scales by a temperature
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    class Told(ClassifierMixin, BaseEstimator):
        """Answers with its input."""

        def __init__(self):
            self.classes_ = np.arange(4)

        def fit(self, x, y):
            return self

        def decision_function(self, x):
            return x

        def predict(self, x):
            return x.argmax(1)

    labels, logits = answers(Task.MULTI_CLASS, 3, 200, sharp=3.0)
    logits = logits.astype(np.float64)
    theirs = CalibratedClassifierCV(FrozenEstimator(Told()), method="temperature")
    theirs.fit(logits, labels[:, 0])
    chosen = fit_temperature(labels, logits, Task.MULTI_CLASS)
    assert chosen > 1.5
    mine = scores(logits / chosen, Task.MULTI_CLASS)
    np.testing.assert_allclose(theirs.predict_proba(logits), mine, atol=1e-4)


@pytest.mark.parametrize("task", TASKS)
def test_what_images_cannot_say(task):
    labels, _ = answers(task, 0, 12)
    classes = 2 if task is Task.BINARY else 4
    right = 2.0 * labels - 1 if task is Task.MULTI_LABEL else 1.0 * (labels == np.arange(classes))
    assert fit_temperature(labels, right, task) == 1  # all right: no end to how sure
    assert fit_temperature(labels, 0 * right, task) == 1  # nothing said: nothing to scale
    assert fit_temperature(labels, -right, task) == MOST  # all wrong: the less sure the better
    assert fit_temperature(labels[:1], right[:1], task) == 1
    assert fit_temperature(labels[:1], -right[:1], task) == MOST
    barely = np.tile(1e-4 * right, (50, 1))
    barely[0] *= -1  # 1 of 600 wrong, and all nearly unsure
    assert fit_temperature(np.tile(labels, (50, 1)), barely, task) == LEAST


def test_what_is_no_answer_is_refused():
    task = Task.MULTI_CLASS
    for bad in (np.nan, np.inf):
        with pytest.raises(NonFiniteError, match="NaN or infinity for 1 of 2"):
            fit_temperature([0, 1], [[0, 1], [bad, 0]], task)
    with pytest.raises(NonFiniteError, match="overflow"):
        fit_temperature([0, 1], [[8e307, 0], [0, 0]], task)
    with pytest.raises(ShapeError, match="do not fit"):
        fit_temperature([], np.zeros((0, 2)), task)
    with pytest.raises(ShapeError, match="expected"):
        fit_temperature([0, 1], [0.1, 0.2], Task.BINARY)
    with pytest.raises(ShapeError, match="expected 2 columns"):
        fit_temperature([0, 1], [[0.1], [0.2]], Task.BINARY)
    with pytest.raises(ConfigError, match="labels"):
        fit_temperature([0, 2], np.eye(2), task)


@given(
    levels=st.lists(st.integers(0, 30), min_size=1, max_size=60), seed=st.integers(0, 2**32),
    bins=st.integers(1, 20),
)  # fmt: skip
def test_bins_of_equal_mass(levels, seed, bins):
    """Against sorting and cutting by hand; equal confidences must share a bin."""
    rng = np.random.default_rng(seed)
    yes = 0.5 + (1 + np.array(levels)) / 64  # exact
    truth = rng.integers(0, 2, len(yes))
    judged = judge(truth, yes, Task.BINARY)
    which, _ = calibration(judged, bins, equal_mass=True)
    for i, value in enumerate(yes):
        assert which[i] == int(bins * np.sum(yes < value) / len(yes) + 1e-9)
    wanted = sum(
        np.sum(which == b) / len(yes) * abs(truth[which == b].mean() - yes[which == b].mean())
        for b in set(which.tolist())
    )
    assert expected_calibration_error(judged, bins, equal_mass=True) == pytest.approx(wanted)
    drawn = reliability(judged, bins, equal_mass=True)
    assert drawn["images"] == np.bincount(which, minlength=bins).tolist()
    order = rng.permutation(len(yes))  # whatever order images come in
    again = judge(truth[order], yes[order], Task.BINARY)
    assert expected_calibration_error(again, bins, equal_mass=True) == pytest.approx(wanted)


@given(seed=st.integers(0, 2**32), bins=st.integers(1, 15), each=st.integers(1, 6))
def test_different_confidences_fill_bins_equally(seed, bins, each):
    yes = np.random.default_rng(seed).permutation(np.linspace(0.55, 0.95, bins * each))
    which, _ = calibration(judge(np.ones(len(yes), int), yes, Task.BINARY), bins, equal_mass=True)
    assert np.bincount(which, minlength=bins).tolist() == [each] * bins


@given(
    task=st.sampled_from(TASKS), seed=st.integers(0, 2**32), count=st.integers(20, 90),
    classes=st.integers(3, 7),
)  # fmt: skip
def test_brier_scores_are_scikit_learns(task, seed, count, classes):
    labels, probabilities = random_case(task, seed, count, classes)
    judged = judge(labels, probabilities, task)
    each = [
        sk.brier_score_loss(judged.one_hot[:, i], judged.scores[:, i], pos_label=True)
        for i in range(judged.classes)
        if task is not Task.BINARY or i == 1
    ]
    wanted = np.mean(each) if task is Task.MULTI_LABEL else np.sum(each)
    assert brier_scores(judged).mean() == pytest.approx(wanted)
    found = evaluate_scores(labels, probabilities, task, resamples=30)
    assert found["brier"] == pytest.approx(wanted)
    low, high = found["intervals"]["brier"]
    assert 0 <= low <= found["brier"] <= high <= 2


def test_log_loss_is_scikit_learns():
    labels, logits = answers(Task.MULTI_CLASS, 5, 50)
    wanted = sk.log_loss(labels[:, 0], scores(logits, Task.MULTI_CLASS), labels=range(4))
    assert loss(labels, logits, Task.MULTI_CLASS) == pytest.approx(wanted)
    impossible = np.array([[-np.inf, 0.0]])
    assert log_losses(impossible, np.array([[0, 1]]), Task.BINARY).tolist() == [0]
    assert log_losses([[5000.0, 0.0]], np.array([[0, 1]]), Task.BINARY).tolist() == [5000]


@pytest.mark.parametrize("equal_mass", [False, True])
def test_by_chance_a_calibrated_forecaster_is_within(equal_mass):
    """Forecasters who are right as often as they say lie in 95 % of chance about 19 times in 20."""
    rng, inside = np.random.default_rng(0), 0
    for trial in range(60):
        yes = rng.uniform(0.5, 1, 120)
        judged = judge((rng.random(120) < yes).astype(int), yes, Task.BINARY)
        chance = calibration_by_chance(judged, equal_mass=equal_mass, seed=trial, draws=200)
        found = expected_calibration_error(judged, equal_mass=equal_mass)
        inside += found <= np.quantile(chance, 0.95)
    assert 52 <= inside <= 60
    boaster = judge(rng.integers(0, 2, 120), np.full(120, 0.95), Task.BINARY)
    chance = calibration_by_chance(boaster, equal_mass=equal_mass, draws=200)
    assert expected_calibration_error(boaster, equal_mass=equal_mass) > chance.max()
    again = calibration_by_chance(boaster, equal_mass=equal_mass, draws=200)
    np.testing.assert_array_equal(chance, again)
