"""What is chosen is chosen on validation images, and what is judged is judged on test images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tinyternary import data, deploy, experiments, models, quant
from tinyternary.config import Task
from tinyternary.data import Dataset, Splits
from tinyternary.experiments.probabilities import calibrated, operating, prediction_sets
from tinyternary.experiments.subject import Network, Subject


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A student whose answers depend on the image, packed; nobody has trained it."""
    model = models.ViT(models.preset("lesson", num_classes=2, channels=3), seed=3)
    packed = deploy.pack(quant.ternarize(model, "all-linear"), class_names=("well", "ill"))
    return packed.save(tmp_path_factory.mktemp("packed") / "student.safetensors")


def splits(file, seed=0):
    """Phantoms with labels that the file's answers predict, more or less."""
    engine, rng = deploy.load(file), np.random.default_rng(seed)

    def part(split):
        images = data.phantoms(split).images[:160]
        logits = engine(images)
        gap = logits[:, 1] - logits[:, 0]
        gap = (gap - np.median(gap)) / gap.std()
        labels = (gap + rng.normal(0, 1, len(gap)) > 0).astype(np.int64)
        return Dataset(images, labels, Task.BINARY, ("well", "ill"), "own", split)

    return Splits(part("train"), part("val"), part("test"))


@pytest.fixture(scope="module")
def subject(file):
    return experiments.read_subject(file, data=splits(file))


def fresh(subject):
    """The same networks, not asked yet."""
    return {who: Network(each.engine, each.file_bytes) for who, each in subject.networks.items()}


def with_other_labels(subject, which):
    parts = {part.split: part for part in subject.data}
    parts[which] = replace(parts[which], labels=1 - parts[which].labels)
    return Subject(fresh(subject), Splits(**parts), "")


def chosen(subject):
    """Everything that is chosen after training."""
    points = operating(subject, 0, 50)["student"]["classes"]
    return [
        calibrated(subject, 0, 50)["student"]["temperature"],
        *(point["threshold"] for row in points for point in row["points"].values()),
        *(each["sizes"] for each in prediction_sets(subject)["student"]["sets"].values()),
    ]


def test_test_labels_choose_nothing(subject):
    assert chosen(with_other_labels(subject, "test")) == chosen(subject)


def test_validation_labels_choose(subject):
    assert chosen(with_other_labels(subject, "val")) != chosen(subject)


def test_a_temperature_does_not_raise_the_validation_loss_and_is_judged_on_test(subject):
    found = calibrated(subject, 0, 50)["student"]
    assert found["temperature"] != 1
    judged_on = replace(subject.data.val, split="test")
    same = Subject(fresh(subject), Splits(subject.data.train, subject.data.val, judged_on), "")
    # judged on the images that chose it, the temperature can only help
    alike = calibrated(same, 0, 50)["student"]
    assert alike["scaled"]["log_loss"] <= alike["as trained"]["log_loss"]


def test_answering_everything_is_accuracy_and_holding_back_answers_less(subject):
    risk = prediction_sets(subject)["student"]["risk"]
    assert risk["at"][0]["acc"] == pytest.approx(subject.test["student"].right.mean())
    assert [row["images"] for row in risk["at"]] == sorted(
        (row["images"] for row in risk["at"]), reverse=True
    )
    for row in risk["at"]:
        low, high = row["interval"]
        assert low <= row["acc"] <= high


def test_the_two_classes_of_a_task_mirror_each_other(subject):
    well, ill = operating(subject, 0, 50)["student"]["classes"]
    a, b = (each["points"]["one half"] for each in (well, ill))
    assert a["sensitivity"] == b["specificity"]
    assert a["ppv"] == pytest.approx(b["npv"])


def test_several_labels_have_neither_sets_nor_points(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 28, 28, 3), np.uint8)
    own = Dataset(images, rng.integers(0, 2, (60, 3)), Task.MULTI_LABEL, ("a", "b", "c"), "own")
    model = models.ViT(models.preset("lesson", num_classes=3, channels=3))
    path = deploy.pack(
        quant.ternarize(model, "all-linear"), task=Task.MULTI_LABEL, class_names=("a", "b", "c")
    ).save(tmp_path / "several.safetensors")
    subject = experiments.read_subject(path, data=own.divide(0.3, 0.3))
    assert prediction_sets(subject) is None
    assert operating(subject, 0, 20) is None
    assert calibrated(subject, 0, 20)["student"]["as trained"]["brier"] > 0
