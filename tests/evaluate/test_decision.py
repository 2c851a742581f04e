"""One decision rule: engine, judge, evaluate and a chosen threshold give the same answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.deploy.small_models import make_model
from tinyternary.config import Task
from tinyternary.data import Dataset
from tinyternary.deploy import pack
from tinyternary.deploy.engine import Engine
from tinyternary.errors import ConfigError, ShapeError
from tinyternary.evaluate import choose_threshold, decide, evaluate, scores
from tinyternary.evaluate.judged import judge
from tinyternary.evaluate.metrics import evaluate_scores

SHAPE = {"policy": None, "width": 8, "depth": 1, "heads": 1, "mlp_width": 8, "patch_size": 14}
MODELS = {classes: make_model(num_classes=classes, **SHAPE) for classes in (2, 3)}


class Telling(Engine):
    """An engine whose network answers what it is told; file, header and decision are real."""

    told: np.ndarray

    def _run(self, images, record):
        return self.told


@st.composite
def decisions(draw):
    """A task, logits with ties, and a threshold: often exactly a probability, or beside one."""
    task = draw(st.sampled_from([Task.BINARY, Task.MULTI_CLASS, Task.MULTI_LABEL]))
    classes = 2 if task is Task.BINARY else draw(st.sampled_from([2, 3]))
    value = st.one_of(
        st.sampled_from([0.0, 1.0, -1e-16, 1e-45, -90.0, 200.0]),
        st.floats(-30, 30, width=32),
    )
    logits = np.array(
        draw(st.lists(st.lists(value, min_size=classes, max_size=classes), min_size=2, max_size=6)),
        np.float32,
    )
    if task is not Task.MULTI_LABEL and classes != 2:
        return task, logits, None
    known = scores(logits, task)
    cut = st.one_of(
        st.floats(0, 1),
        st.sampled_from([0.0, 0.1, 0.5, 1.0]),
        st.sampled_from(list(known[:, -1])),
        st.sampled_from(list(known[:, -1].astype(np.float32).astype(float))),
        st.sampled_from(list(np.nextafter(known[:, -1], 0))),
    )
    count = classes if task is Task.MULTI_LABEL else 1
    several = st.lists(cut, min_size=count, max_size=count)
    return task, logits, draw(st.one_of(st.none(), several))


@given(decisions())
def test_engine_judge_and_evaluate_agree(case):
    task, logits, threshold = case
    classes = logits.shape[1]
    engine = Telling(pack(MODELS[classes], task=task, threshold=threshold).read(), threads=1)
    engine.told = logits
    images = np.zeros((len(logits), 28, 28, 3), np.uint8)
    answer = engine.predict(images)
    np.testing.assert_array_equal(answer.labels, engine.decide(logits).labels)
    np.testing.assert_array_equal(answer.labels, decide(scores(logits, task), task, threshold))
    # whoever goes on from the probabilities that users see decides the same
    limit = threshold if threshold is None or len(threshold) > 1 else threshold[0]
    judged = judge(answer.labels, answer.probabilities, task, limit)
    np.testing.assert_array_equal(judged.decided, answer.labels)
    names = tuple(f"class {i}" for i in range(classes))
    found = evaluate(engine, Dataset(images, answer.labels, task, names), resamples=0)
    assert found["acc"] == 1
    # the rule itself, in words
    if task is Task.MULTI_LABEL or classes == 2:
        limits = np.array(0.5 if threshold is None else threshold)
        yes = answer.probabilities > limits if task is Task.MULTI_LABEL else (
            answer.probabilities[:, 1] > limits
        )  # fmt: skip
        np.testing.assert_array_equal(answer.labels, yes)
        assert np.ravel(found["threshold"]).tolist() == limits.ravel().tolist()
    else:
        np.testing.assert_array_equal(answer.labels, answer.probabilities.argmax(1))
        assert "threshold" not in found


@given(decisions())
def test_one_half_is_no_threshold(case):
    task, logits, _ = case
    probabilities = scores(logits, task)
    np.testing.assert_array_equal(
        decide(probabilities, task), decide(probabilities, task, threshold=0.5)
    )


def test_a_tie_is_no():
    """The case that used to be answered in three ways."""
    logits = np.zeros((1, 2), np.float32)
    for task in (Task.BINARY, Task.MULTI_CLASS):
        for threshold in (None, 0.5):
            engine = Engine(pack(MODELS[2], task=task, threshold=threshold).read(), threads=1)
            assert engine.decide(logits).labels.tolist() == [0]
            assert judge([0], scores(logits, task), task, threshold).decided.tolist() == [0]
    engine = Engine(pack(MODELS[2], task="multi-label", threshold=[0.5, 0.4]).read(), threads=1)
    assert engine.decide(logits).labels.tolist() == [[0, 1]]
    assert decide([[0.4, 0.4, 0.2]], Task.MULTI_CLASS).tolist() == [0]


LOGIT = st.floats(-8, 8, width=32) | st.sampled_from([-1000.0, 1000.0])  # probabilities 0 and 1


@given(st.lists(st.tuples(st.booleans(), LOGIT), min_size=2, max_size=12),
       st.sampled_from(["balanced_accuracy", "accuracy", "f1"]))  # fmt: skip
def test_a_chosen_threshold_serves_the_file_as_it_served_the_choice(pairs, goal):
    labels = np.array([yes for yes, _ in pairs], np.int64)
    logits = np.array([[0, x] for _, x in pairs], np.float32)
    probabilities = scores(logits, Task.BINARY)
    chosen = choose_threshold(labels, probabilities, Task.BINARY, goal)
    engine = Engine(pack(MODELS[2], task=Task.BINARY, threshold=chosen).read(), threads=1)
    decided = engine.decide(logits).labels
    promised = evaluate_scores(labels, probabilities, Task.BINARY, threshold=chosen, resamples=0)
    assert promised["acc"] == pytest.approx((decided == labels).mean())


@pytest.mark.parametrize("goal", ["balanced_accuracy", "accuracy", "f1"])
def test_a_score_of_exactly_0_leads_to_no_threshold_below_it(goal):
    """Yes to all would serve accuracy and F1 best here, but no file can say so."""
    labels, score = np.array([1, 1, 1, 0]), np.array([0.0, 0.0, 0.0, 0.9])
    chosen = choose_threshold(labels, score, Task.BINARY, goal)
    assert 0 <= chosen <= 1
    pack(MODELS[2], task=Task.BINARY, threshold=chosen)
    both = choose_threshold(
        np.stack([labels] * 2, 1), np.stack([score] * 2, 1), "multi-label", goal
    )
    assert both.tolist() == [chosen] * 2


def test_thresholds_are_where_probabilities_are():
    for wrong in (-1.0, 1.5, np.nan):
        with pytest.raises(ConfigError, match=r"threshold: expected values in \[0, 1\]"):
            decide([[0.5, 0.5]], Task.BINARY, wrong)
    assert decide([[1.0, 0.0], [0.0, 1.0]], Task.BINARY, 0).tolist() == [0, 1]
    assert decide([[1.0, 0.0], [0.0, 1.0]], Task.BINARY, 1).tolist() == [0, 0]
    with pytest.raises(ConfigError, match=r"probabilities in \[0, 1\], got -3 to 4"):
        choose_threshold([0, 1], [-3.0, 4.0], Task.BINARY)


def test_thresholds_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="expected a number or 2"):
        decide([[0.5, 0.5]], Task.MULTI_LABEL, [0.1, 0.2, 0.3])
    with pytest.raises(ShapeError, match="expected a number or 1"):
        decide([[0.5, 0.5]], Task.BINARY, [0.1, 0.2])
    with pytest.raises(ConfigError, match="3 classes are told apart by the largest probability"):
        pack(MODELS[3], threshold=0.5)
