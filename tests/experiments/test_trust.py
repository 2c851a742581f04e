"""What a report measures is what the packed files answer."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tinyternary import data, deploy, experiments, models, quant, train
from tinyternary.config import Task
from tinyternary.data import Dataset, Splits
from tinyternary.errors import CheckpointError, ConfigError
from tinyternary.evaluate import judge
from tinyternary.experiments.trust import PARTS, mistakes


def small(splits: Splits, sizes=(96, 48, 64)) -> Splits:
    return Splits(*(part.subset(slice(0, size)) for part, size in zip(splits, sizes)))


@pytest.fixture(scope="module")
def phantoms() -> Splits:
    return small(data.load("phantoms"))


@pytest.fixture(scope="module")
def runs(phantoms, tmp_path_factory):
    """A teacher and a student of one epoch, as `reproduce` lays them out."""
    folder = tmp_path_factory.mktemp("runs") / "seed-0"
    config = models.preset("lesson", num_classes=8, channels=3)
    teacher = train.fit(
        models.ViT(config), phantoms, epochs=1, run_dir=folder / "teacher", progress=False
    )
    student = quant.ternarize(models.ViT(config), "all-linear")
    train.distill(student, teacher, phantoms, epochs=1, run_dir=folder / "student", progress=False)
    return folder


@pytest.fixture(scope="module")
def subject(runs, phantoms):
    # no other set lies there: the record does not depend on the machine's files
    return experiments.read_subject(runs, data=phantoms, root=runs)


@pytest.fixture(scope="module")
def record(subject):
    return experiments.measure_trust(subject, quick=True)


def test_a_record_is_json_and_has_every_part(record):
    assert json.loads(json.dumps(record)) == record
    assert set(PARTS) - {"robustness"} <= set(record)  # phantoms have no corruptions of their own
    assert record["networks"] == ["teacher", "student"]


def test_the_numbers_are_those_of_the_packed_file(record, runs, phantoms, tmp_path):
    run = train.load_run(runs / "student")
    path = deploy.pack(
        run.model, preprocessing=run.preprocessing, task=run.task, class_names=run.class_names,
        metrics=run.metrics, dataset=run.dataset, temperature=run.temperature,
    ).save(tmp_path / "student.safetensors")  # fmt: skip
    right = deploy.load(path).predict(phantoms.test.images).labels == phantoms.test.labels
    assert record["accuracy"]["student"]["acc"] == right.mean()
    assert record["cost"]["student"]["file_bytes"] == path.stat().st_size


def test_a_packed_file_is_reported_like_its_run(runs, phantoms, subject, record, tmp_path):
    run = train.load_run(runs / "student")
    packed = deploy.pack(run.model, preprocessing=run.preprocessing, class_names=run.class_names,
                         temperature=run.temperature)  # fmt: skip
    path = packed.save(tmp_path / "student.safetensors")
    alone = experiments.measure_trust(experiments.read_subject(path, data=phantoms), quick=True)
    assert alone["networks"] == ["student"]
    assert alone["accuracy"]["student"] == record["accuracy"]["student"]
    assert "difference" not in alone["accuracy"]
    beside = experiments.read_subject(path, runs / "teacher", data=phantoms)
    assert list(beside.networks) == ["teacher", "student"]


def test_the_difference_is_that_of_the_two(record):
    found = record["accuracy"]
    for name, difference in found["difference"].items():
        if difference["value"] is not None:
            assert difference["value"] == pytest.approx(
                found["student"][name] - found["teacher"][name]
            )
            low, high = difference["interval"]
            assert low <= high


def test_parts_of_the_test_images_add_up(record, phantoms):
    for name, rows in record["strata"].items():
        if name == "edges":
            continue
        assert sum(row["images"] for row in rows) == len(phantoms.test)
        for who in record["networks"]:
            hits = sum(row[who]["acc"] * row["images"] for row in rows if row["images"])
            assert hits / len(phantoms.test) == pytest.approx(record["accuracy"][who]["acc"])


def test_every_image_that_stands_in_training_too_is_found(runs, phantoms):
    twice = Splits(phantoms.train, phantoms.val, Dataset(
        phantoms.train.images[:20], phantoms.train.labels[:20], phantoms.test.task,
        phantoms.test.class_names, "phantoms", "test", True))  # fmt: skip
    found = PARTS["strata"](experiments.read_subject(runs, data=twice), 0, True)
    assert found["similarity"][-1]["images"] == 20


def test_mistakes_are_mistakes_and_the_surest_come_first(subject):
    found = mistakes(subject, count=5)
    assert 0 < len(found["images"]) <= 5
    assert all(a != b for a, b in zip(found["labels"], found["predictions"]))
    assert found["confidences"] == sorted(found["confidences"], reverse=True)


def test_the_seed_makes_the_record(subject, record):
    assert experiments.measure_trust(subject, quick=True) == record
    assert experiments.measure_trust(subject, seed=1, quick=True)["accuracy"] != record["accuracy"]


def test_a_folder_without_a_run_is_refused(tmp_path, phantoms):
    with pytest.raises(CheckpointError, match="not a run folder"):
        experiments.read_subject(tmp_path, data=phantoms)


def test_data_of_other_classes_are_refused(runs, phantoms):
    names = tuple(reversed(phantoms.class_names))
    other = Splits(*(
        Dataset(p.images, p.labels, p.task, names, p.name, p.split, True) for p in phantoms
    ))  # fmt: skip
    with pytest.raises(ConfigError, match="another order"):
        experiments.read_subject(runs, data=other)


def test_several_labels_an_image(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 28, 28, 1), np.uint8)
    labels = rng.integers(0, 2, (60, 3))
    splits = Dataset(images, labels, Task.MULTI_LABEL, ("a", "b", "c"), "own").divide(0.3, 0.3)
    model = models.ViT(models.preset("lesson", num_classes=3, channels=1))
    train.fit(quant.ternarize(model, "all-linear"), splits, epochs=1, batch_size=8,
              run_dir=tmp_path / "run", progress=False)  # fmt: skip
    subject = experiments.read_subject(tmp_path / "run", data=splits)
    record = experiments.measure_trust(subject, quick=True)
    assert "classes" not in record["strata"]
    judged = judge(splits.test.labels, subject.test["student"].scores, Task.MULTI_LABEL)
    whole = sum(row["images"] * row["student"]["acc"] for row in record["strata"]["contrast"])
    assert whole == pytest.approx(judged.right.all(1).sum())


def test_damage_is_measured_on_sets_that_have_corruptions(runs, subject):
    assert PARTS["robustness"](subject, 0, True) is None  # phantoms have none of their own
    renamed = Splits(*(replace(part, name="bloodmnist") for part in subject.data))
    found = PARTS["robustness"](experiments.read_subject(runs, data=renamed), 0, True)
    assert found["student"]["set"] == "bloodmnist"
    assert found["student"]["images"] == len(renamed.test)
    wrong = found["student"]["by_corruption"]
    assert np.mean([each["error"] for each in wrong.values()]) == pytest.approx(
        found["student"]["corrupted"]
    )
    difference = found["difference"]["corrupted"]["difference"]
    assert difference == pytest.approx(
        found["student"]["corrupted"] - found["teacher"]["corrupted"]
    )
