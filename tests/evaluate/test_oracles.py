"""Metrics against scikit-learn, formulas of papers, and searches that try everything."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn import metrics as sk

from tinyternary.config import Task
from tinyternary.evaluate import choose_threshold, evaluate_scores, judge
from tinyternary.evaluate.calibration import calibration, expected_calibration_error, reliability

GOALS = {
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "f1": lambda truth, said: sk.f1_score(truth, said, zero_division=0.0),
}


def ece(right, confidence, bins):
    """Guo et al., ICML 2017, equation 3: bin m holds confidences in ((m - 1) / M, m / M]."""
    total = 0.0
    for m in range(1, bins + 1):
        inside = (confidence > (m - 1) / bins) & (confidence <= m / bins)
        if inside.any():
            total += inside.sum() * abs(right[inside].mean() - confidence[inside].mean())
    return total / len(right)


@given(
    pairs=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 16)), min_size=1, max_size=40),
    bins=st.sampled_from([2, 4, 8, 16]),
)
def test_calibration_error_with_confidences_on_the_edges_of_bins(pairs, bins):
    """Sixteenths are exact, and so are the edges: half of these confidences lie on one."""
    truth, sixteenths = np.array(pairs).T
    yes = sixteenths / 16
    judged = judge(truth, yes, Task.BINARY)
    decided = yes > 0.5  # a tie is no
    wanted = ece(decided == truth, np.where(decided, yes, 1 - yes), bins)
    assert expected_calibration_error(judged, bins) == pytest.approx(wanted)
    drawn = reliability(judged, bins)
    weights = np.array(drawn["images"]) / len(truth)
    gaps = [0 if a is None else abs(a - c) for a, c in zip(drawn["accuracy"], drawn["confidence"])]
    assert weights @ gaps == pytest.approx(wanted)


def test_an_edge_belongs_to_the_bin_below():
    judged = judge([1, 1, 0, 1], [0.75, 0.7500001, 1.0, 0.5000001], Task.BINARY)
    assert calibration(judged, 4)[0].tolist() == [2, 3, 3, 2]


@pytest.mark.parametrize("goal", GOALS)
@given(pairs=st.lists(st.tuples(st.booleans(), st.integers(1, 19)), min_size=2, max_size=14))
def test_of_equally_good_thresholds_the_one_nearest_one_half(goal, pairs):
    truth, score = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs]) / 20
    if truth.all() or not truth.any():
        return
    chosen = choose_threshold(truth.astype(int), score, Task.BINARY, goal)
    values = np.unique(score)
    cuts = [values[0] / 2, *(values[1:] + values[:-1]) / 2, (values[-1] + 1) / 2]
    merits = np.array([GOALS[goal](truth, score > cut) for cut in cuts])
    best = [cut for cut, merit in zip(cuts, merits) if merit >= merits.max() - 1e-9]
    assert chosen == pytest.approx(min(best, key=lambda cut: (abs(cut - 0.5), cut)))


def test_neither_the_lowest_nor_the_highest_of_equal_thresholds():
    truth, score = [0, 1, 0, 1, 0, 1], [0.1, 0.2, 0.45, 0.55, 0.8, 0.9]
    assert choose_threshold(truth, score, Task.BINARY) == pytest.approx(0.5)
    assert choose_threshold(truth, score, Task.BINARY, "accuracy") == pytest.approx(0.5)


@given(seed=st.integers(0, 2**32), labels=st.integers(1, 5), count=st.integers(4, 60))
def test_balanced_accuracy_of_several_labels_is_scikit_learns_of_each(seed, labels, count):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, (count, labels))
    truth[0], truth[1] = 0, 1  # each label is there and is absent
    scores = rng.random((count, labels))
    said = evaluate_scores(truth, scores, Task.MULTI_LABEL, resamples=0)
    each = [sk.balanced_accuracy_score(truth[:, i], scores[:, i] > 0.5) for i in range(labels)]
    assert said["balanced_accuracy"] == pytest.approx(np.mean(each))
    recall = [sk.recall_score(truth[:, i], scores[:, i] > 0.5) for i in range(labels)]
    assert said["sensitivity"] == pytest.approx(np.mean(recall))
    absent = [sk.recall_score(1 - truth[:, i], scores[:, i] <= 0.5) for i in range(labels)]
    assert said["specificity"] == pytest.approx(np.mean(absent))


@given(seed=st.integers(0, 2**32), classes=st.integers(2, 6), count=st.integers(6, 60))
def test_rates_and_kappa_are_scikit_learns(seed, classes, count):
    rng = np.random.default_rng(seed)
    truth = np.append(np.arange(classes), rng.integers(0, classes, count))
    scores = rng.dirichlet(np.ones(classes), len(truth))
    said = evaluate_scores(truth, scores, Task.ORDINAL, resamples=0)
    decided = scores.argmax(1)
    assert said["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(truth, decided))
    assert said["f1"] == pytest.approx(sk.f1_score(truth, decided, average="macro"))
    assert said["kappa"] == pytest.approx(
        sk.cohen_kappa_score(truth, decided, weights="quadratic"), abs=1e-12
    )
    assert said["confusion"] == sk.confusion_matrix(truth, decided).tolist()
    precision = sk.precision_score(truth, decided, average=None, zero_division=np.nan)
    found = [np.nan if p is None else p for p in said["per_class"]["precision"]]
    np.testing.assert_allclose(found, precision)


@given(seed=st.integers(0, 2**32), labels=st.integers(1, 4), count=st.integers(1, 30))
def test_of_several_labels_each_no_is_as_confident_as_its_score_is_low(seed, labels, count):
    rng = np.random.default_rng(seed)
    truth, scores = rng.integers(0, 2, (count, labels)), rng.random((count, labels))
    said = scores > 0.5
    wanted = ece((said == truth).ravel(), np.where(said, scores, 1 - scores).ravel(), 15)
    found = expected_calibration_error(judge(truth, scores, Task.MULTI_LABEL), 15)
    assert found == pytest.approx(wanted)
