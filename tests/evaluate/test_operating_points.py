"""Operating points against counts of people, scikit-learn and SciPy; net benefit by its formula."""

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from scipy import stats
from sklearn import metrics as sk

from tinyternary.config import Task
from tinyternary.errors import ConfigError
from tinyternary.evaluate import (
    choose_threshold,
    decision_curve,
    operating_point,
    wilson_interval,
)
from tinyternary.evaluate.thresholds import read_goal

PAIRS = st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=2, max_size=30)
SHARES = st.integers(1, 19).map(lambda i: i / 20)


def split(pairs):
    truth = np.array([p[0] for p in pairs], int)
    assume(0 < truth.sum() < len(truth))
    return truth, np.array([p[1] for p in pairs]) / 20


@given(images=st.integers(1, 300), data=st.data(), level=st.sampled_from([0.8, 0.95, 0.99]))
def test_wilsons_interval_is_scipys(images, data, level):
    hits = data.draw(st.integers(0, images))
    theirs = stats.binomtest(hits, images).proportion_ci(level, method="wilson")
    assert wilson_interval(hits, images, level) == pytest.approx(list(theirs), abs=1e-12)
    assert wilson_interval(0, 0) is None


@given(pairs=PAIRS, threshold=SHARES)
def test_rates_are_scikit_learns(pairs, threshold):
    truth, score = split(pairs)
    point = operating_point(truth, score, Task.BINARY, threshold)
    said = score > threshold
    counts = point["counts"]
    assert [[counts["tn"], counts["fp"]], [counts["fn"], counts["tp"]]] == (
        sk.confusion_matrix(truth, said, labels=[0, 1]).tolist()
    )
    assert point["sensitivity"] == pytest.approx(sk.recall_score(truth, said))
    assert point["specificity"] == pytest.approx(sk.recall_score(truth, said, pos_label=0))
    if said.any():
        assert point["ppv"] == pytest.approx(sk.precision_score(truth, said))
    else:
        assert point["ppv"] is None
    if not said.all():
        assert point["npv"] == pytest.approx(sk.precision_score(truth, said, pos_label=0))
    for name, (low, high) in point["intervals"].items() if said.any() and not said.all() else ():
        assert 0 <= low <= point[name] <= high <= 1


@given(pairs=PAIRS, threshold=SHARES, ill=st.integers(1, 9), well=st.integers(1, 9))
def test_predictive_values_count_people_where_the_ill_are_rarer(pairs, threshold, ill, well):
    """A ward with every ill image `ill` times and every other one `well` times."""
    truth, score = split(pairs)
    ward = np.where(truth == 1, ill, well)
    share = (ward * truth).sum() / ward.sum()
    there = operating_point(truth.repeat(ward), score.repeat(ward), Task.BINARY, threshold)
    here = operating_point(truth, score, Task.BINARY, threshold, prevalence=share)
    for name in ("sensitivity", "specificity", "ppv", "npv"):
        assert here[name] == pytest.approx(there[name])


@pytest.mark.parametrize(
    ("se", "sp", "ill", "well", "prevalence"),
    [(0.9, 0.8, 25, 30, 0.1), (0.95, 0.95, 42, 30, 0.02), (0.7, 0.99, 20, 40, 0.3)],
)
def test_intervals_of_predictive_values_hold_the_truth_often_enough(se, sp, ill, well, prevalence):
    """Every outcome of the two samples, by its probability."""
    ppv = se * prevalence / (se * prevalence + (1 - sp) * (1 - prevalence))
    npv = sp * (1 - prevalence) / (sp * (1 - prevalence) + (1 - se) * prevalence)
    truth = np.arange(ill + well) < ill
    inside = {"ppv": 0.0, "npv": 0.0}
    for tp in range(ill + 1):
        for fp in range(well + 1):
            chance = stats.binom.pmf(tp, ill, se) * stats.binom.pmf(fp, well, 1 - sp)
            if chance < 1e-6:
                continue
            said = np.concatenate([np.arange(ill) < tp, np.arange(well) < fp])
            found = operating_point(
                truth.astype(int), said.astype(float), Task.BINARY, prevalence=prevalence
            )
            for name, value in (("ppv", ppv), ("npv", npv)):
                low, high = found["intervals"].get(name) or (0, 1)
                inside[name] += chance * (low <= value <= high)
    assert min(inside.values()) > 0.93


def test_one_class_of_several_against_the_rest():
    labels = [0, 1, 2, 2]
    scores = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7], [0.5, 0.2, 0.3]])
    point = operating_point(labels, scores, Task.MULTI_CLASS, 0.25, positive=2)
    assert point["counts"] == {"tp": 2, "fp": 1, "fn": 0, "tn": 1}
    alone = operating_point(np.equal(labels, 2).astype(int), scores[:, 2], Task.BINARY, 0.25)
    assert point == alone


def test_without_the_class_there_is_no_sensitivity():
    point = operating_point([0, 0], [0.1, 0.9], Task.BINARY)
    assert point["sensitivity"] is None
    assert point["ppv"] is None
    assert point["intervals"] == {
        "sensitivity": None, "specificity": wilson_interval(1, 2),
    }  # fmt: skip


@given(pairs=PAIRS, thresholds=st.lists(SHARES, min_size=1, max_size=5))
def test_net_benefit_by_its_published_formula(pairs, thresholds):
    """Vickers and Elkin (2006): TP / N - FP / N t / (1 - t)."""
    truth, score = split(pairs)
    curve = decision_curve(truth, score, Task.BINARY, thresholds, resamples=0)
    n = len(truth)
    for t, net, treat_all, none in zip(
        thresholds, curve["net_benefit"], curve["treat_all"], curve["treat_none"]
    ):
        (_, fp), (_, tp) = sk.confusion_matrix(truth, score > t, labels=[0, 1])
        assert net == pytest.approx(tp / n - fp / n * t / (1 - t))
        ill = truth.sum()
        assert treat_all == pytest.approx(ill / n - (n - ill) / n * t / (1 - t))
        assert none == 0
    everyone = decision_curve(truth, np.ones(n), Task.BINARY, thresholds, resamples=0)
    assert everyone["net_benefit"] == pytest.approx(everyone["treat_all"])
    nobody = decision_curve(truth, np.zeros(n), Task.BINARY, thresholds, resamples=0)
    assert nobody["net_benefit"] == nobody["treat_none"]


@given(pairs=PAIRS, ill=st.integers(1, 9), well=st.integers(1, 9))
def test_net_benefit_where_the_ill_are_rarer(pairs, ill, well):
    truth, score = split(pairs)
    ward = np.where(truth == 1, ill, well)
    share = (ward * truth).sum() / ward.sum()
    there = decision_curve(truth.repeat(ward), score.repeat(ward), Task.BINARY, resamples=0)
    here = decision_curve(truth, score, Task.BINARY, prevalence=share, resamples=0)
    for name in ("net_benefit", "treat_all"):
        assert here[name] == pytest.approx(there[name])


def test_intervals_of_net_benefit_are_those_of_explicit_resamples():
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, 60)
    score = np.clip(0.5 * truth + 0.6 * rng.random(60), 0, 1)
    curve = decision_curve(truth, score, Task.BINARY, [0.3, 0.6], seed=5, resamples=400)
    picks = np.random.default_rng(5).integers(0, 60, (400, 60))
    drawn = [
        decision_curve(truth[p], score[p], Task.BINARY, [0.3, 0.6], resamples=0)["net_benefit"]
        for p in picks
    ]
    wanted = np.quantile(drawn, (0.025, 0.975), axis=0).T
    np.testing.assert_allclose(curve["intervals"], wanted, atol=1e-12)
    fixed = decision_curve(
        truth, score, Task.BINARY, [0.3, 0.6], prevalence=0.1, seed=5, resamples=400
    )
    assert np.ptp(fixed["intervals"], axis=1).max() < np.ptp(curve["intervals"], axis=1).min()


def cuts(score):
    values = np.unique(score)
    found = [values[0] / 2, *(values[1:] + values[:-1]) / 2, (values[-1] + 1) / 2]
    return found[1:] if values[0] == 0 else found  # no threshold is below 0


def rates(truth, score, cut):
    point = operating_point(truth, score, Task.BINARY, cut)
    return point["sensitivity"], point["specificity"]


@given(pairs=PAIRS, wanted=SHARES)
def test_a_wanted_sensitivity_and_then_the_best_specificity(pairs, wanted):
    truth, score = split(pairs)
    tried = [rates(truth, score, cut) for cut in cuts(score)]
    for goal, first in (("sensitivity", 0), ("specificity", 1)):
        found = rates(truth, score, choose_threshold(truth, score, Task.BINARY, goal, wanted))
        enough = [pair for pair in tried if pair[first] >= wanted - 1e-12]
        if enough:
            assert found[first] >= wanted - 1e-12
            assert found[1 - first] == max(pair[1 - first] for pair in enough)
        else:  # scores of exactly 0: no threshold reaches it
            assert found[first] == max(pair[first] for pair in tried)


@given(pairs=PAIRS, tenths=st.integers(1, 100))
def test_the_cost_of_a_miss_is_a_threshold_probability(pairs, tenths):
    """The least cost is the highest net benefit at the probability with these odds."""
    truth, score = split(pairs)
    cost = tenths / 10
    said = score > choose_threshold(truth, score, Task.BINARY, "cost", cost)

    def total(said):
        return cost * (~said & (truth == 1)).sum() + (said & (truth == 0)).sum()

    assert total(said) == pytest.approx(min(total(score > cut) for cut in cuts(score)))
    t = 1 / (1 + cost)
    best = decision_curve(truth, said.astype(float), Task.BINARY, [t], resamples=0)
    assert best["net_benefit"][0] == pytest.approx((truth.sum() - total(said) / cost) / len(truth))


@given(pairs=PAIRS)
def test_youdens_index_is_served_by_balanced_accuracy(pairs):
    truth, score = split(pairs)
    found = sum(rates(truth, score, choose_threshold(truth, score, Task.BINARY)))
    assert found == pytest.approx(max(sum(rates(truth, score, cut)) for cut in cuts(score)))


def test_a_goal_as_the_command_line_has_it():
    assert read_goal("f1") == ("f1", None)
    assert read_goal("sensitivity=.95") == ("sensitivity", 0.95)
    for wrong, said in (
        ("cost", "goal cost: None, expected false alarms"),
        ("cost=", "goal cost: '', expected a number"),
        ("f1=0.5", "goal f1: 0.5, expected no value"),
        ("sensitivity=95", r"goal sensitivity: 95.0, expected a share in \(0, 1\]"),
        ("sensitivity=nan", "goal sensitivity: nan"),
        ("youden", "unknown goal 'youden'"),
    ):
        with pytest.raises(ConfigError, match=said):
            read_goal(wrong)


def test_what_cannot_be_is_refused():
    truth, score = [0, 1], [0.2, 0.8]
    for goal, value in (("sensitivity", None), ("specificity", 1.2), ("cost", 0), ("f1", 0.5)):
        with pytest.raises(ConfigError, match=f"goal {goal}: "):
            choose_threshold(truth, score, Task.BINARY, goal, value)
    with pytest.raises(ConfigError, match="prevalence: expected a share"):
        operating_point(truth, score, Task.BINARY, prevalence=2)
    with pytest.raises(ConfigError, match="threshold: expected a value"):
        operating_point(truth, score, Task.BINARY, 1.5)
    with pytest.raises(ConfigError, match="positive: expected a class from 0 to 1"):
        operating_point(truth, score, Task.BINARY, positive=2)
    with pytest.raises(ConfigError, match=r"thresholds: expected values in \(0, 1\)"):
        decision_curve(truth, score, Task.BINARY, [0.0])
    with pytest.raises(ConfigError, match="needs images in class 1 and out of it"):
        decision_curve([0, 0], score, Task.BINARY)
    with pytest.raises(ConfigError, match="prevalence: expected a share"):
        decision_curve(truth, score, Task.BINARY, prevalence=-1)
