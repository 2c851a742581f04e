"""Metrics: MedMNIST's own numbers, scikit-learn's, and intervals against resampling by hand."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import assume, given, strategies as st

from tinyternary.compiled.threads import using_threads
from tinyternary.config import Task
from tinyternary.errors import ConfigError, ShapeError, TinyTernaryError, TrainingError
from tinyternary.evaluate import choose_threshold
from tinyternary.evaluate.calibration import expected_calibration_error
from tinyternary.evaluate.confusion import class_rates, confusion, summary
from tinyternary.evaluate.intervals import bootstrap, bootstrap_intervals, mean_interval
from tinyternary.evaluate.judged import judge
from tinyternary.evaluate.metrics import (
    accuracy,
    auc,
    evaluate_scores,
)

OFFICIAL = {
    Task.BINARY: "binary-class", Task.MULTI_CLASS: "multi-class",
    Task.ORDINAL: "ordinal-regression", Task.MULTI_LABEL: "multi-label, binary-class",
}  # fmt: skip


def random_case(task, seed, count=60, classes=4, levels=20):
    """Labels as MedMNIST's files hold them, and scores with ties."""
    rng = np.random.default_rng(seed)
    if task is Task.MULTI_LABEL:
        return rng.integers(0, 2, (count, classes)), rng.integers(
            0, levels, (count, classes)
        ) / levels
    classes = 2 if task is Task.BINARY else classes
    labels = rng.integers(0, classes, (count, 1))
    scores = rng.integers(1, levels, (count, classes)) + (labels == np.arange(classes)) * levels / 3
    return labels, scores / scores.sum(1, keepdims=True)


cases = given(
    task=st.sampled_from(list(Task)), seed=st.integers(0, 2**32), count=st.integers(20, 90),
    classes=st.integers(3, 7),
)  # fmt: skip


@pytest.mark.slow  # the package imports torch
@pytest.mark.parity
@cases
def test_the_official_evaluator_gives_the_same(task, seed, count, classes):
    evaluator = pytest.importorskip("medmnist.evaluator")
    labels, scores = random_case(task, seed, count, classes)
    present = judge(labels, scores, task).one_hot.any(0) & ~judge(labels, scores, task).one_hot.all(
        0
    )
    assume(present.all())
    name = OFFICIAL[task]
    assert accuracy(labels, scores, task) == pytest.approx(
        evaluator.getACC(labels, scores, name), abs=1e-12
    )
    assert auc(labels, scores, task) == pytest.approx(
        evaluator.getAUC(labels, scores, name), abs=1e-12
    )


# getACC and getAUC of medmnist 3.0.2 on `random_case(task, 7)`
RECORDED = {
    Task.BINARY: (0.8, 0.8789592760180995),
    Task.MULTI_CLASS: (0.5833333333333334, 0.8263035859930269),
    Task.ORDINAL: (0.5833333333333334, 0.8263035859930269),
    Task.MULTI_LABEL: (0.5416666666666667, 0.5481666065081666),
}


@pytest.mark.parametrize("task", list(Task))
def test_recorded_numbers_of_the_official_evaluator(task):
    labels, scores = random_case(task, 7)
    assert (accuracy(labels, scores, task), auc(labels, scores, task)) == pytest.approx(
        RECORDED[task], abs=1e-12
    )


@cases
def test_scikit_learn_gives_the_same(task, seed, count, classes):
    labels, scores = random_case(task, seed, count, classes)
    judged = judge(labels, scores, task)
    assume(judged.one_hot.any(0).all())
    found = evaluate_scores(labels, scores, task, resamples=0)
    json.dumps(found, allow_nan=False)
    truth, decided = judged.truth, judged.decided
    how = "binary" if task is Task.BINARY else "macro"
    defined = (judged.one_hot.sum(0) > 0).all()
    if task is Task.MULTI_LABEL:
        np.testing.assert_array_equal(
            found["confusion"], sk.multilabel_confusion_matrix(truth, decided)
        )
    else:
        names = range(judged.classes)
        np.testing.assert_array_equal(
            found["confusion"], sk.confusion_matrix(truth, decided, labels=list(names))
        )
        assert found["balanced_accuracy"] == pytest.approx(
            sk.balanced_accuracy_score(truth, decided)
        )
    if defined:
        assert found["sensitivity"] == pytest.approx(sk.recall_score(truth, decided, average=how))
        assert found["f1"] == pytest.approx(sk.f1_score(truth, decided, average=how))
    if task is Task.ORDINAL:
        kappa = sk.cohen_kappa_score(truth, decided, weights="quadratic")
        assert found["kappa"] == pytest.approx(kappa)
    if task is Task.BINARY:
        assert found["specificity"] == pytest.approx(sk.recall_score(truth, decided, pos_label=0))
    assert found["per_class"]["images"] == judged.one_hot.sum(0).tolist()


def test_a_case_worked_out_by_hand():
    labels = [0, 0, 0, 1, 1]
    scores = [0.1, 0.6, 0.2, 0.7, 0.4]
    found = evaluate_scores(labels, scores, Task.BINARY, resamples=0)
    assert found["acc"] == 3 / 5
    assert found["auc"] == pytest.approx(5 / 6)  # one of six pairs, (0.6, 0.4), in the wrong order
    assert found["sensitivity"] == 1 / 2
    assert found["specificity"] == pytest.approx(2 / 3)
    assert found["balanced_accuracy"] == pytest.approx(7 / 12)
    assert found["f1"] == 1 / 2
    assert found["confusion"] == [[2, 1], [1, 1]]
    # confidences .9 .6 .8 .7 .6 of which right, wrong, right, right, wrong; .6 and .6 share a bin
    assert found["ece"] == pytest.approx((0.1 + 1.2 + 0.2 + 0.3) / 5)
    strict = evaluate_scores(labels, scores, Task.BINARY, threshold=0.65, resamples=0)
    assert strict["acc"] == 4 / 5
    assert strict["threshold"] == 0.65


def test_perfect_calibration_and_none():
    labels = np.array([0, 1] * 50)
    sure = np.eye(2)[labels]
    assert expected_calibration_error(judge(labels, sure, Task.BINARY)) == 0
    assert expected_calibration_error(judge(labels, sure[:, ::-1], Task.BINARY)) == 1
    even = np.full((100, 2), 0.5)
    assert expected_calibration_error(judge(labels, even, Task.BINARY)) == pytest.approx(0)


@cases
def test_a_resample_is_the_metric_of_repeated_images(task, seed, count, classes):
    """Counts as weights give what evaluating the drawn images one by one gives."""
    labels, scores = random_case(task, seed, count, classes)
    judged = judge(labels, scores, task)
    drawn = bootstrap(judged, seed, 5)
    rng = np.random.default_rng(seed)
    for i, picks in enumerate(rng.integers(0, count, (5, count))):
        again = evaluate_scores(labels[picks], scores[picks], task, resamples=0)
        for name, values in drawn.items():
            if again[name] is None:
                assert not np.isfinite(values[i])
            else:
                assert values[i] == pytest.approx(again[name], abs=1e-9), name


def test_intervals_are_seeded_and_cover():
    """About 95 of 100 intervals hold the true accuracy of a coin that is right at 0.8."""
    rng = np.random.default_rng(0)
    held = 0
    for run in range(100):
        labels = rng.integers(0, 2, 200)
        right = rng.random(200) < 0.8
        scores = np.where(right, labels, 1 - labels) * 0.8 + 0.1
        judged = judge(labels, scores, Task.BINARY)
        low, high = bootstrap_intervals(judged, run, 300)["acc"]
        held += low <= 0.8 <= high
    assert 87 <= held <= 100
    assert bootstrap_intervals(judged, 4, 50) == bootstrap_intervals(judged, 4, 50)
    assert bootstrap_intervals(judged, 4, 50) != bootstrap_intervals(judged, 5, 50)
    narrow = bootstrap_intervals(judged, 4, 300, level=0.5)["acc"]
    wide = bootstrap_intervals(judged, 4, 300, level=0.99)["acc"]
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@given(
    labels=st.lists(st.booleans(), min_size=2, max_size=25), data=st.data(),
    goal=st.sampled_from(["balanced_accuracy", "accuracy", "f1"]),
)  # fmt: skip
def test_no_threshold_does_better_than_the_chosen_one(labels, data, goal):
    scores = np.array(
        data.draw(st.lists(st.floats(0, 1), min_size=len(labels), max_size=len(labels)))
    )
    truth = np.array(labels, int)
    chosen = choose_threshold(truth, scores, Task.BINARY, goal)
    if truth.all() or not truth.any():
        assert chosen == 0.5
        return

    def merit(threshold):
        yes = scores > threshold
        hit, false = (yes & (truth == 1)).sum(), (yes & (truth == 0)).sum()
        if goal == "accuracy":
            return hit - false
        if goal == "f1":
            return 2 * hit / (hit + false + truth.sum())
        return hit / truth.sum() - false / (1 - truth).sum()

    best = max(merit(t) for t in [0, *scores])
    assert merit(chosen) == pytest.approx(best)


def test_thresholds_of_several_labels():
    labels = np.array([[0, 0], [0, 1], [1, 1], [1, 1]])
    scores = np.array([[0.1, 0.7], [0.2, 0.8], [0.3, 0.9], [0.4, 0.95]])
    limits = choose_threshold(labels, scores, Task.MULTI_LABEL)
    np.testing.assert_allclose(limits, [0.25, 0.75])
    assert accuracy(labels, scores, Task.MULTI_LABEL) == 5 / 8
    assert accuracy(labels, scores, Task.MULTI_LABEL, limits) == 1
    found = evaluate_scores(labels, scores, Task.MULTI_LABEL, threshold=limits, resamples=0)
    assert found["threshold"] == pytest.approx([0.25, 0.75])
    with pytest.raises(ConfigError, match="largest score"):
        choose_threshold([0, 1], np.eye(2), Task.MULTI_CLASS)
    with pytest.raises(ConfigError, match="Did you mean 'accuracy'"):
        choose_threshold([0, 1], [0.2, 0.8], Task.BINARY, "acuracy")


def test_absent_classes_leave_what_is_defined():
    labels, scores = np.array([0, 1, 0, 1]), np.eye(3)[[0, 1, 0, 0]]
    found = evaluate_scores(labels, scores, Task.MULTI_CLASS, resamples=50)
    json.dumps(found, allow_nan=False)
    assert found["balanced_accuracy"] == 3 / 4
    assert found["per_class"]["auc"] == [0.75, 0.75, None]
    assert found["per_class"]["sensitivity"] == [1.0, 0.5, None]
    only = evaluate_scores([1, 1], [0.4, 0.9], Task.BINARY, resamples=20)
    assert only["auc"] is None
    assert "auc" not in only["intervals"]
    assert np.isnan(auc([1, 1], [0.4, 0.9], Task.BINARY))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([0, 1], np.eye(3), Task.MULTI_CLASS), ShapeError, r"labels \(2,\) and scores \(3, 3\)"),
        (([], np.zeros((0, 2)), Task.BINARY), ShapeError, "do not fit"),
        (([0, 1], np.zeros((2, 3)), Task.BINARY), ShapeError, "binary-class"),
        ((np.zeros((2, 2), int), np.zeros((2, 3)), Task.MULTI_LABEL), ShapeError, "multi-label"),
        (([0, 3], np.eye(2), Task.MULTI_CLASS), ConfigError, "expected 0 to 1, got 0 to 3"),
        (
            ([0, 1], [[0, np.nan], [1, 0]], Task.MULTI_CLASS),
            TrainingError,
            "1 values are not finite",
        ),
    ],
)
def test_wrong_input_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        evaluate_scores(*arguments)


def test_wrong_options_are_named():
    for options in ({"resamples": -1}, {"level": 0.0}, {"level": 95}):
        with pytest.raises(TinyTernaryError, match="bootstrap"):
            evaluate_scores([0, 1], [0.1, 0.9], Task.BINARY, **options)
    with pytest.raises(ShapeError, match="threshold"):
        judge([[0, 1]], [[0.1, 0.2]], Task.MULTI_LABEL, [0.1, 0.2, 0.3])


@cases
def test_counts_of_many_samples_reduce_as_one_by_one(task, seed, count, classes):
    stacks = [
        confusion(judge(*random_case(task, seed + i, count, classes), task)) for i in range(3)
    ]
    together = summary(np.stack(stacks), task)
    for i, one in enumerate(stacks):
        for name, value in summary(one, task).items():
            np.testing.assert_allclose(together[name][i], value)
    assert class_rates(np.stack(stacks), task)["f1"].shape[0] == 3


def test_the_interval_of_a_mean_covers_it_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = [
        low < 0.5 < high
        for low, high in (
            mean_interval(rng.random(60), seed, resamples=200, level=0.9) for seed in range(300)
        )
    ]
    assert 0.85 < np.mean(covered) < 0.94
    with pytest.raises(ConfigError, match="level"):
        mean_interval(np.zeros(3), level=1.0)


@given(
    st.lists(st.floats(-1e3, 1e3, allow_subnormal=False), min_size=1, max_size=40),
    st.integers(0, 2**32 - 1),
)
def test_sums_of_resamples_do_not_depend_on_the_order(values, seed):
    from tinyternary.evaluate.intervals import _in_any_order

    before = np.array(values)
    rounded = _in_any_order(before)
    largest = np.abs(before).max()
    assert np.abs(rounded - before).max() <= len(before) * 2.0**-53 * largest
    rng = np.random.default_rng(seed)
    drawn = rounded[rng.integers(0, len(rounded), len(rounded))]
    exact = float(sum(map(Fraction, drawn.tolist())))
    for _ in range(5):
        total = 0.0
        for value in rng.permutation(drawn).tolist():
            total += value
        assert total == exact


def test_intervals_are_the_same_bits_on_any_number_of_threads(rng):
    """BLAS cuts the products of resamples among its threads."""
    truth = rng.integers(0, 3, 5_000)
    judged = judge(truth, rng.dirichlet([1, 1, 1], 5_000), Task.MULTI_CLASS)
    means = {"loss": rng.exponential(size=5_000)}
    found = []
    for threads in (1, 2, 3):
        with using_threads(threads):
            found.append(bootstrap_intervals(judged, resamples=200, means=means))
    assert found[0] == found[1] == found[2]
