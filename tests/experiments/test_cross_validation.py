"""Cross-validation: every image is judged once, by networks that have not seen it."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.train.small import splits
from tinyternary.config import Task
from tinyternary.data import Splits
from tinyternary.errors import ConfigError
from tinyternary.experiments import Experiment, cross_validate
from tinyternary.experiments.cross_validation import deal, fold_splits
from tinyternary.train import Pretraining, Recipe, load_run

QUICK = Recipe(epochs=1, batch_size=16, augment="none")
PLAN = Experiment(
    name="plan", dataset="phantoms", pretraining=Pretraining(epochs=1), teacher=QUICK,
    student=QUICK.model_copy(update={"start_from_teacher": True, "feature": "none"}),
    model={"patch_size": 4, "width": 16, "depth": 1, "heads": 2, "mlp_width": 32},
)  # fmt: skip


@given(st.lists(st.integers(0, 4), min_size=12, max_size=90), st.integers(2, 7), st.integers(0, 9))
def test_parts_hold_each_class_alike(labels, folds, seed):
    labels = np.array(labels)
    part = deal(labels, folds, seed)
    for kind in [labels == label for label in np.unique(labels)] + [labels >= 0]:
        sizes = np.bincount(part[kind], minlength=folds)
        assert len(sizes) == folds
        assert sizes.max() - sizes.min() <= 1
    np.testing.assert_array_equal(part, deal(labels, folds, seed))


def test_multi_label_rows_are_dealt_as_classes():
    labels = np.array([[0, 1], [1, 0]] * 8)
    part = deal(labels, 4, 0)
    for k in range(4):
        assert labels[part == k].sum(0).tolist() == [2, 2]


@pytest.mark.parametrize("task", [Task.MULTI_CLASS, Task.MULTI_LABEL])
def test_every_image_is_held_out_once_and_test_images_never_come_in(task):
    data = splits(task=task)
    # brand the images, to know them again
    pool = [*data.train.images, *data.val.images]
    for number, image in enumerate(pool):
        image[0, 0, 0] = number
    for image in data.test.images:
        image[0, 0, 0] = 255
    held_out = []
    for split in fold_splits(data, 3, seed=1):
        train, test = (part.images[:, 0, 0, 0].tolist() for part in (split.train, split.test))
        assert sorted(train + test) == list(range(len(pool)))
        assert not len(split.val)
        for part in (split.train, split.test):
            known = np.concatenate([data.train.labels, data.val.labels])
            np.testing.assert_array_equal(part.labels, known[part.images[:, 0, 0, 0]])
        held_out += test
    assert sorted(held_out) == list(range(len(pool)))


def test_numbers_are_those_of_the_runs_and_folds_can_be_shared(tmp_path):
    data = splits(64)
    whole = cross_validate(PLAN, data=data, folds=2, out=tmp_path / "a", progress=False)
    for k, fold in whole["folds"].items():
        for who in ("teacher", "student"):
            test = load_run(tmp_path / "a" / f"fold-{k}" / who).metrics["test"]
            assert fold[who] == {name: test[name] for name in fold[who]}
    assert sum(fold["student"]["images"] for fold in whole["folds"].values()) == 64 + 40
    accuracies = [fold["student"]["acc"] for fold in whole["folds"].values()]
    assert whole["mean"]["student"]["acc"] == pytest.approx(np.mean(accuracies))
    one = cross_validate(PLAN, data=data, folds=2, chosen=[1], progress=False)
    assert one["folds"] == {"1": whole["folds"]["1"]}


def test_what_cannot_be_dealt_is_refused():
    data = splits(32)
    few = Splits(data.train.subset(range(3)), data.val.subset(range(0)), data.test)
    for wrong, given_data in ((1, data), (4, few)):
        with pytest.raises(ConfigError, match="folds"):
            cross_validate(PLAN, data=given_data, folds=wrong, progress=False)
    with pytest.raises(ConfigError, match="some of 0 to 2"):
        cross_validate(PLAN, data=data, folds=3, chosen=[3], progress=False)
