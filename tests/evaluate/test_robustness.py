"""Balanced errors over a baseline's: definitions, the bootstrap, and ``medmnistc``'s evaluator."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinyternary.config import Task
from tinyternary.data import MEDMNIST_C, Dataset, medmnist_c, phantoms
from tinyternary.errors import ConfigError, DataFileError, ShapeError
from tinyternary.evaluate import (
    CorruptedAnswers,
    answers_under_corruption,
    baseline_errors,
    compare_robustness,
    robustness,
)

KINDS = ("pixelate", "bubble", "saturate")


def made(seed, task=Task.MULTI_CLASS, images=60, classes=3, right=0.7, truth_seed=None):
    """Random decisions, mostly right."""
    labels_from = np.random.default_rng(seed if truth_seed is None else truth_seed)
    rng = np.random.default_rng([seed, 1])
    shape = (images, classes) if task is Task.MULTI_LABEL else (images,)
    values = 2 if task in (Task.MULTI_LABEL, Task.BINARY) else classes
    truth = labels_from.integers(0, values, shape)
    truth[:values] = np.arange(values)[:, None] if task is Task.MULTI_LABEL else np.arange(values)

    def decided(*lead):
        other = rng.integers(0, values, (*lead, *shape))
        return np.where(rng.random((*lead, *shape)) < right, truth, other)

    return CorruptedAnswers("x", task, truth, decided(), {kind: decided(5) for kind in KINDS})


def baseline_of(seed):
    rng = np.random.default_rng(seed)
    return {
        "clean": float(rng.uniform(0.05, 0.2)),
        "errors": {kind: rng.uniform(0.25, 0.6, 5).tolist() for kind in KINDS},
    }


@given(st.integers(0, 2**32), st.sampled_from([Task.BINARY, Task.MULTI_CLASS, Task.MULTI_LABEL]))
def test_errors_are_sklearns_and_quotients_their_definition(seed, task):
    from sklearn.metrics import balanced_accuracy_score

    answers, baseline = made(seed, task), baseline_of(seed)

    def error(decided):
        if task is Task.MULTI_LABEL:
            return np.mean([1 - balanced_accuracy_score(t, d)
                            for t, d in zip(answers.truth.T, decided.T)])  # fmt: skip
        return 1 - balanced_accuracy_score(answers.truth, decided)

    found = robustness(answers, baseline, resamples=0)
    clean = error(answers.clean)
    assert found["clean"] == pytest.approx(clean, abs=1e-12)
    quotients, relative = [], []
    for kind in KINDS:
        errors = [error(decided) for decided in answers.corrupted[kind]]
        np.testing.assert_allclose(found["by_corruption"][kind]["errors"], errors, atol=1e-12)
        base = np.mean(baseline["errors"][kind])
        quotients.append(np.mean(errors) / base)
        relative.append((np.mean(errors) - clean) / (base - baseline["clean"]))
    assert found["be"] == pytest.approx(np.mean(quotients), abs=1e-12)
    assert found["rbe"] == pytest.approx(np.mean(relative), abs=1e-12)
    assert json.loads(json.dumps(found)) == found


@given(st.integers(0, 2**32))
def test_the_baseline_has_one_of_both(seed):
    answers = made(seed)
    alone = robustness(answers, baseline_of(0), resamples=0)
    own = {
        "clean": alone["clean"],
        "errors": {kind: each["errors"] for kind, each in alone["by_corruption"].items()},
    }
    found = robustness(answers, own, resamples=0)
    assert found["be"] == pytest.approx(1)
    rbe = [each["rbe"] for each in found["by_corruption"].values()]
    assert [value for value in rbe if value is not None] == pytest.approx(
        [1.0] * sum(value is not None for value in rbe)
    )


def test_what_is_undefined_is_none_and_without_a_baseline_there_is_no_quotient():
    answers = made(0)
    found = robustness(answers, resamples=10)  # nobody measured a set "x"
    assert found["be"] is found["rbe"] is found["intervals"]["be"] is found["baseline"] is None
    zero = {"clean": 0.1, "errors": {kind: [0.0] * 5 for kind in KINDS}}
    zero["errors"]["bubble"] = [0.1, 0.1, 0.1, 0.1, 0.1]
    found = robustness(answers, zero, resamples=0)
    assert found["by_corruption"]["pixelate"]["be"] is None
    assert found["be"] == found["by_corruption"]["bubble"]["be"]
    with pytest.raises(ConfigError, match="no errors under pixelate"):
        robustness(answers, {"clean": 0.1, "errors": {}})


def test_intervals_are_those_of_resampled_images():
    """Against a bootstrap written out, image by image."""
    answers, baseline = made(1, images=40), baseline_of(1)
    found = robustness(answers, baseline, resamples=4000, seed=5)
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(1000):
        pick = rng.integers(0, 40, 40)
        again = CorruptedAnswers("x", answers.task, answers.truth[pick], answers.clean[pick],
            {kind: each[:, pick] for kind, each in answers.corrupted.items()})  # fmt: skip
        each = robustness(again, baseline, resamples=0)
        drawn.append([each[name] for name in ("clean", "drop", "be")])
    for name, values in zip(("clean", "drop", "be"), np.array(drawn).T):
        low, high = found["intervals"][name]
        wanted = np.quantile(values, (0.025, 0.975))
        np.testing.assert_allclose((low, high), wanted, atol=0.15 * (wanted[1] - wanted[0]))
        assert low <= found[name] <= high


def test_two_networks_are_compared_on_the_same_images():
    one, two = made(2, right=0.9, images=200), made(3, right=0.6, images=200, truth_seed=2)
    both = compare_robustness(one, two, baseline_of(0), resamples=300)
    for name in ("clean", "corrupted", "drop", "be", "rbe"):
        a, b = (robustness(each, baseline_of(0), resamples=0)[name] for each in (one, two))
        assert (both[name]["first"], both[name]["second"]) == (a, b)
        assert both[name]["difference"] == pytest.approx(b - a)
    low, high = both["corrupted"]["interval"]
    assert 0 < low < both["corrupted"]["difference"] < high
    kind = both["by_corruption"]["bubble"]
    assert kind["interval"][0] <= kind["difference"] <= kind["interval"][1]
    same = compare_robustness(one, one, baseline_of(0), resamples=50)
    assert same["be"]["difference"] == 0
    assert same["be"]["interval"] == [0, 0]
    assert json.loads(json.dumps(both)) == both
    with pytest.raises(ShapeError, match="same images"):
        compare_robustness(one, made(3))


def test_every_network_sees_the_same_damaged_bytes():
    data = phantoms("test", 0, 12)
    seen = {"a": [], "b": []}

    def ask(who):
        def answer(images):
            seen[who].append(images.copy())
            return np.eye(8)[images[:, 14, 14, 0] % 8] * 5

        return answer

    found = answers_under_corruption({who: ask(who) for who in seen}, data, seed=4,
        amounts_of="retinamnist")  # fmt: skip
    kinds = list(MEDMNIST_C["retinamnist"])
    assert list(found["a"].corrupted) == kinds
    assert len(seen["a"]) == 1 + 5 * len(kinds)
    for i, (one, other) in enumerate(zip(seen["a"], seen["b"])):
        np.testing.assert_array_equal(one, other)
        if i:
            kind, severity = kinds[(i - 1) // 5], (i - 1) % 5 + 1
            wanted = medmnist_c(data, kind, severity, 4, amounts_of="retinamnist").images
            np.testing.assert_array_equal(one, wanted)
            np.testing.assert_array_equal(
                found["b"].corrupted[kind][severity - 1], wanted[:, 14, 14, 0] % 8
            )
    np.testing.assert_array_equal(found["a"].truth, data.labels)


def test_a_threshold_is_that_of_its_network():
    images = np.full((4, 28, 28, 1), 200, np.uint8)
    data = Dataset(images, np.array([0, 1, 0, 1]), Task.BINARY, ("a", "b"), "octmnist", "test")

    def sure(images):
        return np.tile([0.0, 1.0], (len(images), 1))  # class 1 by 0.73

    found = answers_under_corruption({"low": sure, "high": sure}, data, thresholds={"high": 0.8})
    assert found["low"].clean.tolist() == [1] * 4
    assert found["high"].clean.tolist() == [0] * 4


def test_wrong_calls_are_named():
    with pytest.raises(ConfigError, match="MedMNIST-C set"):
        answers_under_corruption({}, phantoms("test", 0, 2))
    with pytest.raises(DataFileError, match="no images"):
        answers_under_corruption({}, phantoms("test", 0, 2).subset([]), amounts_of="bloodmnist")


def test_recorded_baselines_have_every_corruption_of_their_set():
    measured = [name for name in MEDMNIST_C if baseline_errors(name) is not None]
    assert {"breastmnist", "pneumoniamnist"} <= set(measured)
    for name in measured:
        baseline = baseline_errors(name)
        assert list(baseline["errors"]) == list(MEDMNIST_C[name])
        assert all(len(each) == 5 for each in baseline["errors"].values())
        assert 0 < baseline["clean"] < np.mean(list(baseline["errors"].values())) < 1
    assert baseline_errors("no such set") is None


@pytest.mark.parity
@given(st.integers(0, 2**32))
def test_be_and_rbe_are_medmnistcs(seed):
    evaluator = pytest.importorskip("medmnistc.eval")
    answers, baseline = made(seed), baseline_of(seed)
    tables = pytest.importorskip("medmnistc.utils.baselines").BASELINES
    tables["x"] = {
        "clean_score": baseline["clean"],
        "raw_scores": {kind: np.mean(each) for kind, each in baseline["errors"].items()},
    }
    theirs = evaluator.Evaluator("x", answers.truth[:, None], list(KINDS), "", "", "multi-class")
    theirs.evaluate_clean(np.eye(3)[answers.clean])
    for kind in KINDS:
        theirs.evaluate(np.eye(3)[answers.corrupted[kind].ravel()], kind)
    theirs.output_log = {}
    theirs.populate_summary()
    found = robustness(answers, baseline, resamples=0)
    for ours, wanted in (("clean", "clean_score"), ("be", "be"), ("rbe", "rbe")):
        assert found[ours] == pytest.approx(theirs.output_log["metrics"][wanted], abs=1e-12)
