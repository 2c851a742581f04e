"""Prediction sets: their promise counted out, MAPIE's answers, and what too few images lead to."""

import itertools
import warnings
from fractions import Fraction
from math import inf

import numpy as np
import pytest
from hypothesis import example, given, strategies as st
from scipy import stats

from tinyternary.config import Task
from tinyternary.errors import ConfigError
from tinyternary.evaluate import (
    class_limits,
    conformal_limit,
    conformal_rank,
    conformal_sets,
    coverage_interval,
    judge_sets,
    nonconformity,
    risk_coverage,
)

COVERAGES = st.integers(1, 99).map(lambda percent: percent / 100)
RULES = pytest.mark.parametrize("rule", ["lac", "aps"])


@st.composite
def answers(draw, least=2, most=12):
    """Labels and probabilities of some images; few distinct numbers, so that many are equal."""
    count, width = draw(st.integers(least, most)), draw(st.integers(2, 4))
    row = st.lists(st.integers(0, 5), min_size=width, max_size=width).filter(any)
    rows = np.array(draw(st.lists(row, min_size=count, max_size=count)), float)
    labels = draw(st.lists(st.integers(0, width - 1), min_size=count, max_size=count))
    return np.array(labels), rows / rows.sum(1, keepdims=True)


@example(images=19, percent=55)  # 20 x 0.55 is more than 11 in floats
@given(images=st.integers(1, 400), percent=st.integers(1, 99))
def test_the_rank_is_the_first_place_with_enough_below(images, percent):
    rank = conformal_rank(images, percent / 100)
    assert 100 * rank >= percent * (images + 1)
    assert 100 * (rank - 1) < percent * (images + 1)


@RULES
@given(case=answers(), coverage=COVERAGES)
def test_of_exchangeable_images_a_share_of_at_least_the_coverage_is_held(rule, case, coverage):
    """Each image is the new one as often as any other: all of them are tried, and counted."""
    labels, probabilities = case
    held = 0
    for new in range(len(labels)):
        rest = np.arange(len(labels)) != new
        limits = class_limits(
            labels[rest], probabilities[rest], Task.MULTI_CLASS, coverage, rule, by_class=False
        )
        held += conformal_sets(probabilities[[new]], limits, rule)[0, labels[new]]
    assert Fraction(int(held), len(labels)) >= Fraction(str(coverage))


@given(numbers=st.lists(st.integers(), min_size=2, max_size=12, unique=True), coverage=COVERAGES)
def test_without_equal_scores_the_share_held_is_exactly_the_rank(numbers, coverage):
    held = [
        number <= conformal_limit([x for x in numbers if x != number], coverage)
        for number in numbers
    ]
    rank = conformal_rank(len(numbers) - 1, coverage)
    assert sum(held) == rank
    assert rank / len(numbers) < coverage + 1 / len(numbers) + 1e-12


@RULES
@given(case=answers(least=4), coverage=COVERAGES)
def test_by_class_the_share_is_held_in_each(rule, case, coverage):
    labels, probabilities = case
    held = np.zeros(len(labels), bool)
    for new in range(len(labels)):
        rest = np.arange(len(labels)) != new
        limits = class_limits(labels[rest], probabilities[rest], Task.MULTI_CLASS, coverage, rule)
        held[new] = conformal_sets(probabilities[[new]], limits, rule)[0, labels[new]]
    for label in set(labels.tolist()):
        mine = held[labels == label]
        assert Fraction(int(mine.sum()), len(mine)) >= Fraction(str(coverage))


@RULES
@given(case=answers(), asked=st.lists(COVERAGES, min_size=2, max_size=2), by_class=st.booleans())
def test_sets_grow_with_the_coverage(rule, case, asked, by_class):
    small, large = (
        conformal_sets(
            case[1], class_limits(*case, Task.MULTI_CLASS, c, rule, by_class=by_class), rule
        )
        for c in sorted(asked)
    )
    assert (small <= large).all()


@RULES
@given(case=answers(most=30), by_class=st.booleans())
def test_too_few_images_lead_to_every_class_and_it_is_said(rule, case, by_class):
    labels, probabilities = case
    images = np.bincount(labels, minlength=probabilities.shape[1])
    limits = class_limits(labels, probabilities, Task.MULTI_CLASS, 0.9, rule, by_class=by_class)
    few = images < 9 if by_class else np.full(len(images), len(labels) < 9)
    assert (limits == inf).tolist() == few.tolist()
    sets = conformal_sets(probabilities, limits, rule)
    assert sets[:, few].all()
    assert coverage_interval(8, 0.9) == [1, 1]
    assert coverage_interval(9, 0.9)[0] < 0.9


@given(case=answers())
def test_sets_by_what_was_left_out_of_the_formula(case):
    """The likeliest class has no larger one; the sum over larger ones by a loop."""
    labels, probabilities = case
    scores = nonconformity(probabilities, "aps")
    for row, found in zip(probabilities, scores):
        wanted = [sum(x for x in row if x > p) for p in row]
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-15)
    limits = class_limits(labels, probabilities, Task.MULTI_CLASS, 0.5, "aps")
    sets = conformal_sets(probabilities, np.maximum(limits, 0), "aps")
    assert sets[np.arange(len(sets)), probabilities.argmax(1)].all()


def given_network(rng, images, classes):
    logits = 2 * rng.standard_normal((images, classes))
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return rng.permuted([np.arange(images) % classes])[0], probabilities


def mapies(labels, probabilities, coverage, new):
    """MAPIE's quantile and its sets of new images; its network repeats what it is given."""
    classification = pytest.importorskip("mapie.classification")
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Repeats(ClassifierMixin, BaseEstimator):
        def fit(self, x, y):
            self.classes_ = np.arange(x.shape[1])
            self.n_features_in_ = x.shape[1]
            return self

        def predict_proba(self, x):
            return x

        def predict(self, x):
            return x.argmax(1)

    network = Repeats().fit(probabilities, labels)
    mapie = classification.SplitConformalClassifier(network, coverage, "lac", prefit=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # images of a single class are meant
        mapie.conformalize(probabilities, labels)
    sets = mapie.predict_set(new)[1][:, :, 0].astype(bool)
    return mapie._mapie_classifier.conformity_score_function_.quantiles_[0], sets


@pytest.mark.parity
@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95, 0.98])
@pytest.mark.parametrize("images", [78, 203])
def test_limits_and_sets_are_mapies(coverage, images, rng):
    labels, probabilities = given_network(rng, images, 4)
    _, new = given_network(rng, 500, 4)
    limits = class_limits(labels, probabilities, Task.MULTI_CLASS, coverage, by_class=False)
    quantile, theirs = mapies(labels, probabilities, coverage, new)
    # their score is 1 - p, this one -p
    assert 1 + limits[0] == pytest.approx(quantile, rel=0, abs=1e-12)
    np.testing.assert_array_equal(conformal_sets(new, limits), theirs)


@pytest.mark.parity
@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.95])
def test_class_by_class_limits_are_mapies_of_the_images_of_each(coverage, rng):
    labels, probabilities = given_network(rng, 300, 3)
    _, new = given_network(rng, 200, 3)
    limits = class_limits(labels, probabilities, Task.MULTI_CLASS, coverage)
    sets = conformal_sets(new, limits)
    for c in range(3):
        mine = labels == c
        quantile, theirs = mapies(labels[mine], probabilities[mine], coverage, new)
        assert 1 + limits[c] == pytest.approx(quantile, rel=0, abs=1e-12)
        np.testing.assert_array_equal(sets[:, c], theirs[:, c])


@pytest.mark.parity
def test_adaptive_scores_are_mapies_before_its_random_number(rng):
    scores = pytest.importorskip("mapie.conformity_scores.sets.aps").APSConformityScore
    labels, probabilities = given_network(rng, 200, 5)
    sums, _ = scores.get_true_label_cumsum_proba(labels, probabilities, np.arange(5))
    own = np.take_along_axis(probabilities, labels[:, None], 1)
    mine = np.take_along_axis(nonconformity(probabilities, "aps"), labels[:, None], 1)
    np.testing.assert_allclose(mine, sums - own, rtol=0, atol=1e-12)  # the random number is 1


@pytest.mark.parametrize(("images", "tested"), [(4, 5), (9, 3), (6, 6)])
@pytest.mark.parametrize("coverage", [0.5, 0.7, 0.9])
def test_the_interval_of_the_coverage_counts_every_order(images, tested, coverage):
    """Which of n + m places in order the n images have: all are equally likely, and tried."""
    rank = conformal_rank(images, coverage)
    low, high = coverage_interval(images, coverage, test_images=tested, level=0.8)
    if rank > images:
        assert (low, high) == (1, 1)
        return
    held = np.array(
        [
            places[rank - 1] - (rank - 1)
            for places in itertools.combinations(range(images + tested), images)
        ]
    )
    # the smallest shares that at least a tenth, and nine tenths, of the orders do not exceed
    shares = [np.mean(held <= count) for count in range(tested + 1)]
    wanted = [next(c for c, s in enumerate(shares) if s >= q - 1e-12) for q in (0.1, 0.9)]
    assert [low * tested, high * tested] == pytest.approx(wanted)


def test_over_endlessly_many_images_the_coverage_is_beta():
    low, high = coverage_interval(78, 0.9)
    drawn = np.random.default_rng(0).random((20_000, 78))
    drawn.sort(axis=1)
    coverage = drawn[:, conformal_rank(78, 0.9) - 1]  # of uniform scores the limit itself
    assert np.mean((coverage >= low) & (coverage <= high)) == pytest.approx(0.95, abs=0.006)
    assert coverage_interval(78, 0.9, test_images=10**5) == pytest.approx([low, high], abs=1e-3)


@given(case=answers(), coverage=COVERAGES)
def test_what_sets_are_worth_by_a_loop(case, coverage):
    labels, probabilities = case
    sets = conformal_sets(
        probabilities, class_limits(*case, Task.MULTI_CLASS, coverage, by_class=False)
    )
    found = judge_sets(labels[:, None], sets, images=len(labels), coverage=coverage)
    held = [row[label] for label, row in zip(labels, sets)]
    alone = [h for h, row in zip(held, sets) if row.sum() == 1]
    assert found["coverage"] == pytest.approx(np.mean(held))
    assert found["mean_size"] == pytest.approx(
        sum(i * n for i, n in enumerate(found["sizes"])) / len(labels)
    )
    assert sum(found["sizes"]) == len(labels)
    assert found["singletons"] * len(labels) == pytest.approx(len(alone))
    assert found["singleton_accuracy"] == (pytest.approx(np.mean(alone)) if alone else None)
    assert found["empty"] * len(labels) == pytest.approx(found["sizes"][0])
    each = found["per_class"]
    weighted = sum(n * (c or 0) for n, c in zip(each["images"], each["coverage"]))
    assert weighted == pytest.approx(sum(held))
    assert found["expected"] == coverage_interval(len(labels), coverage, test_images=len(labels))


def test_each_class_is_expected_by_its_own_images():
    sets = np.array([[True, False], [True, True], [False, True]])
    found = judge_sets([0, 0, 0], sets, images=[20, 40])
    assert found["expected"] == [coverage_interval(20, 0.9, test_images=3), None]
    assert found["per_class"]["coverage"] == [pytest.approx(2 / 3), None]


@given(
    pairs=st.lists(st.tuples(st.booleans(), st.integers(0, 2)), min_size=1, max_size=6),
    shuffle=st.randoms(use_true_random=False),
)
def test_risk_is_the_mean_over_all_orders_of_equally_sure_answers(pairs, shuffle):
    right, confidence = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    orders = [
        list(order)
        for order in itertools.permutations(range(len(pairs)))
        if all(confidence[a] >= confidence[b] for a, b in itertools.pairwise(order))
    ]
    risks = np.mean(
        [np.cumsum(~right[order]) / np.arange(1, len(pairs) + 1) for order in orders], axis=0
    )
    curve = risk_coverage(right, confidence)
    np.testing.assert_allclose(curve["risk"], risks, atol=1e-12)
    assert curve["area"] == pytest.approx(risks.mean())
    assert curve["coverage"][-1] == 1
    assert curve["risk"][-1] == pytest.approx(np.mean(~right))
    assert risk_coverage(right, right)["area"] == pytest.approx(curve["best_area"])
    assert curve["best_area"] <= curve["area"] + 1e-12
    mixed = list(pairs)
    shuffle.shuffle(mixed)
    again = risk_coverage([p[0] for p in mixed], [p[1] for p in mixed])
    np.testing.assert_allclose(again["risk"], curve["risk"], atol=1e-12)


def test_what_cannot_be_is_refused():
    for wrong in (0, 1, -0.1, 1.5, np.nan):
        with pytest.raises(ConfigError, match=r"coverage: expected a share in \(0, 1\)"):
            conformal_rank(10, wrong)
    with pytest.raises(ConfigError, match="unknown rule 'lca'"):
        nonconformity([[0.5, 0.5]], "lca")
    with pytest.raises(ConfigError, match="one label an image"):
        class_limits([[0, 1]], [[0.5, 0.5]], Task.MULTI_LABEL, 0.9)


def test_coverage_on_new_images_of_a_network_that_is_too_sure(rng):
    """The promise does not ask how good the probabilities are."""
    labels, probabilities = given_network(rng, 4000, 3)
    sure = probabilities**8 / (probabilities**8).sum(1, keepdims=True)
    limits = class_limits(labels[:2000], sure[:2000], Task.MULTI_CLASS, 0.9)
    found = judge_sets(labels[2000:], conformal_sets(sure[2000:], limits))
    low, high = stats.binom.ppf([1e-5, 1 - 1e-5], 1000, 0.9) / 1000
    assert low <= found["coverage"] <= high
