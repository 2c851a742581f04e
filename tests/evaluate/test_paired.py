"""Intervals of shares and of paired differences, beside other implementations and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinyternary.config import Task
from tinyternary.errors import ShapeError
from tinyternary.evaluate import evaluate_scores, judge
from tinyternary.evaluate.intervals import bootstrap_intervals
from tinyternary.evaluate.paired import paired_intervals, share_difference
from tinyternary.evaluate.strata import by_group


def table(both, only_a, only_b, neither):
    a = [True] * (both + only_a) + [False] * (only_b + neither)
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return a, b


def test_a_paired_difference_is_that_of_newcombes_paper():
    # 36, 12, 2, 0 of 50 pairs: method 10 of Statistics in Medicine 17 (1998) gives .0569 to .3404
    a, b = table(36, 2, 12, 0)
    assert share_difference(a, b) == pytest.approx([0.0569, 0.3404], abs=5e-5)


cells = st.tuples(*[st.integers(0, 30)] * 4).filter(any)


@given(cells)
def test_a_paired_difference_lies_in_its_interval_and_turns_with_its_sides(counts):
    a, b = table(*counts)
    low, high = share_difference(a, b)
    assert -1 <= low <= np.mean(b) - np.mean(a) <= high <= 1
    back = share_difference(b, a)
    assert back == pytest.approx([-high, -low], abs=1e-12)


def test_a_paired_difference_is_covered_as_often_as_it_says():
    rng, inside, rounds = np.random.default_rng(0), 0, 2000
    for _ in range(rounds):
        hard = rng.random(60)  # images are hard for both
        a, b = hard < 0.85, (hard + rng.normal(0, 0.1, 60)) < 0.8
        low, high = share_difference(a, b)
        inside += low <= TRUE <= high
    assert 0.93 <= inside / rounds <= 0.99


TRUE = float(
    np.mean(
        (h := np.random.default_rng(1).random(2_000_000))
        + np.random.default_rng(2).normal(0, 0.1, 2_000_000)
        < 0.8
    )
    - np.mean(h < 0.85)
)


def answers(seed, images=120, classes=3, noise=1.0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, images)
    logits = 2 * np.eye(classes)[labels] + noise * rng.normal(size=(images, classes))
    p = np.exp(logits)
    return labels, p / p.sum(1, keepdims=True)


def test_a_network_does_not_differ_from_itself():
    judged = judge(*answers(0), Task.MULTI_CLASS)
    assert set(map(tuple, paired_intervals(judged, judged, resamples=50).values())) == {(0.0, 0.0)}


def test_the_interval_of_a_difference_is_narrower_where_answers_are_alike():
    labels, first = answers(0)
    # nearly the same answers
    second = 0.98 * first + 0.02 * np.random.default_rng(1).dirichlet(np.ones(3), 120)
    a, b = (judge(labels, each, Task.MULTI_CLASS) for each in (first, second))
    paired = np.diff(paired_intervals(a, b)["auc"])
    alone = np.diff(bootstrap_intervals(a)["auc"])
    assert paired < 0.3 * alone


def test_a_difference_lies_in_its_interval():
    labels, first = answers(0)
    rng = np.random.default_rng(5)
    second = 0.3 * first + 0.7 * rng.dirichlet(np.ones(3), 120)
    a, b = (judge(labels, each, Task.MULTI_CLASS) for each in (first, second))
    found = paired_intervals(a, b)
    one, two = (evaluate_scores(labels, s, Task.MULTI_CLASS, resamples=0) for s in (first, second))
    for name in ("acc", "auc", "balanced_accuracy"):
        low, high = found[name]
        assert low <= two[name] - one[name] <= high < 0  # the second was made worse


def test_answers_about_other_images_have_no_difference():
    first, second = (judge(*answers(seed), Task.MULTI_CLASS) for seed in (0, 1))
    with pytest.raises(ShapeError, match="same images"):
        paired_intervals(first, second)


@given(st.integers(0, 2**32 - 1))
def test_groups_are_judged_by_their_own_images(seed):
    rng = np.random.default_rng(seed)
    labels, scores = answers(seed, images=40)
    judged = {"a": judge(labels, scores, Task.MULTI_CLASS)}
    group = rng.integers(-1, 3, 40)
    rows = by_group(judged, group, ("x", "y", "z"))
    for number, row in enumerate(rows):
        inside = group == number
        assert row["images"] == inside.sum()
        if inside.any():
            assert row["a"]["acc"] == np.mean(scores[inside].argmax(1) == labels[inside])
        else:
            assert row["a"] == {"acc": None, "interval": None}
        assert "difference" not in row
