"""Logit adjustment: what the loss adds, the network need not say (Menon et al., ICLR 2021)."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.train.small import dataset, model
from tinyternary.autograd import Tensor
from tinyternary.config import Task
from tinyternary.data import Dataset, Splits, fit_preprocessing, targets
from tinyternary.errors import ConfigError
from tinyternary.evaluate import predict_logits, scores
from tinyternary.train import Recipe, distill, fit, make_recipe
from tinyternary.train._identity import current_settings
from tinyternary.train._objective import logit_offset, prior_logits, task_loss
from tinyternary.train.distill import Distillation
from tinyternary.train.fit import training_batches

counts = st.lists(st.integers(1, 40), min_size=2, max_size=6)


def labels_of(shares):
    return np.repeat(np.arange(len(shares)), shares)


@given(counts)
def test_they_are_the_answer_without_an_image(shares):
    goal = targets(labels_of(shares), Task.MULTI_CLASS, len(shares))
    found = np.exp(prior_logits(goal, Task.MULTI_CLASS).astype(np.float64))
    np.testing.assert_allclose(found / found.sum(), np.array(shares) / sum(shares), rtol=1e-5)


@given(st.integers(1, 30), st.integers(1, 30))
def test_of_labels_they_are_log_odds(yes, no):
    labels = np.stack([labels_of([no, yes]), 1 - labels_of([no, yes])], 1)
    found = scores(prior_logits(targets(labels, Task.MULTI_LABEL, 2), Task.MULTI_LABEL)[None],
                   Task.MULTI_LABEL)  # fmt: skip
    np.testing.assert_allclose(found[0], [yes / (yes + no), no / (yes + no)], rtol=1e-5)


@pytest.mark.parametrize("task", [Task.MULTI_CLASS, Task.MULTI_LABEL])
def test_a_class_without_images_has_finite_ones(task):
    labels = np.zeros((5, 3), np.int64) if task is Task.MULTI_LABEL else np.zeros(5, np.int64)
    assert np.isfinite(prior_logits(targets(labels, task, 3), task)).all()


def slope(shares, task, strength):
    """Gradient of the mean loss over all images at equal logits: where training pulls first."""
    labels = labels_of(shares)
    goal = targets(np.eye(len(shares), dtype=np.int64)[labels] if task is Task.MULTI_LABEL
                   else labels, task, len(shares))  # fmt: skip
    logits = Tensor(np.zeros(goal.shape, np.float32), requires_grad=True)
    task_loss(logits, goal, task, 0.0, prior_logits(goal, task) * np.float32(strength)).backward()
    return logits.grad.sum(0)


@given(counts, st.sampled_from([Task.MULTI_CLASS, Task.BINARY, Task.ORDINAL, Task.MULTI_LABEL]))
def test_at_full_strength_class_shares_pull_at_nothing(shares, task):
    np.testing.assert_allclose(slope(shares, task, 1.0), 0, atol=1e-6)


@given(counts.filter(lambda shares: max(shares) > min(shares)))
def test_without_it_they_pull_towards_the_common_class(shares):
    pull = -slope(shares, Task.MULTI_CLASS, 0.0)
    assert pull[np.argmax(shares)] > 0 > pull[np.argmin(shares)]


def blank(count, split):
    """Images that say nothing, three of four in class 1."""
    images = np.full((count, 8, 8, 1), 90, np.uint8)
    labels = (np.arange(count) % 4 > 0).astype(np.int64)
    return Dataset(images, labels, Task.BINARY, ("rare", "common"), "blank", split, True)


def test_a_network_that_sees_nothing_is_even_handed_or_names_the_common_class():
    data = Splits(blank(256, "train"), blank(64, "val"), blank(64, "test"))
    recipe = Recipe(epochs=10, batch_size=32, lr=5e-3, augment="none", keep="last")

    def mean_score(run):
        logits = predict_logits(run.model, data.test.images, run.preprocessing)
        return scores(logits, data.test.task)[:, 1].mean()

    found = {}
    for strength in (0.0, 1.0):
        teacher = fit(model(num_classes=2), data, recipe, logit_adjustment=strength, progress=False)
        student = distill(model("all-linear", num_classes=2), teacher, data, recipe,
                          logit_adjustment=strength, feature="none", progress=False)  # fmt: skip
        found[strength] = mean_score(teacher), mean_score(student)
    assert found[0.0] == pytest.approx((0.75, 0.75), abs=0.05)
    assert found[1.0] == pytest.approx((0.5, 0.5), abs=0.05)


def test_distillation_adds_them_to_the_labels_term_alone():
    data = dataset(24, task=Task.BINARY).subset(np.arange(20))
    recipe = Recipe(batch_size=8, augment="none", alpha=0.4, feature="none", logit_adjustment=0.7)
    student, teacher = model(num_classes=2), model(num_classes=2, seed=1)
    prepare = fit_preprocessing(data)
    batch = training_batches(data, prepare, recipe, 0).batch(0)
    student.eval()
    losses = {
        strength: float(Distillation(student, teacher, data, prepare, recipe.model_copy(
            update={"logit_adjustment": strength, "alpha": alpha}), 0)(batch))
        for strength, alpha in ((0.7, 0.4), (0.0, 1.0))
    }  # fmt: skip
    s = student(batch.images).data.astype(np.float64) + logit_offset(data, recipe)
    logs = s - np.log(np.exp(s).sum(1, keepdims=True))
    hard = -(batch.goal * logs).sum(1).mean()
    assert losses[0.7] == pytest.approx(0.6 * hard + 0.4 * losses[0.0], rel=1e-4)


def test_one_remedy_at_a_time():
    with pytest.raises(ConfigError, match="use one"):
        make_recipe(balanced=True, logit_adjustment=0.5)


def test_runs_from_before_it_go_on():
    recipe = current_settings({"recipe": Recipe().to_dict()})["recipe"]
    old = {**recipe, "loss": {n: v for n, v in recipe["loss"].items() if n != "logit_adjustment"}}
    assert current_settings({"recipe": old})["recipe"] == recipe
