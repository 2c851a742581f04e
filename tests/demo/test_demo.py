"""The demo's numbers agree with each other, with the files, and on a second run."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tinyternary import data, deploy, experiments
from tinyternary.config import Task
from tinyternary.data import Dataset, Splits
from tinyternary.demo import comparison_rows, run_demo, summary
from tinyternary.demo.numbers import majority_share

pytestmark = pytest.mark.slow

FILES = ("student.safetensors", "teacher.safetensors", "metrics.json", "report.html")


@pytest.fixture(scope="module")
def few_phantoms() -> Splits:
    splits = data.load("phantoms")
    return Splits(*(part.subset(slice(0, size)) for part, size in zip(splits, (256, 64, 96))))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, few_phantoms):
    """A demo on few images, seen a few times: every step is real, only shorter."""
    plan = experiments.read_experiment("demo").model_copy(update={"images": 4096})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load", lambda *_, **__: few_phantoms)
        patch.setattr(experiments, "read_experiment", lambda _: plan)
        out = tmp_path_factory.mktemp("demo")
        run_demo("phantoms", out=out, quick=True, progress=False)
        yield out


@pytest.fixture(scope="module")
def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_every_file_is_there_and_nothing_else(folder) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)


def test_table_holds_nothing_that_metrics_lack(metrics) -> None:
    header, *rows = comparison_rows(metrics)
    assert header[1:] == ["float teacher", "ternary student"]
    assert len(rows) == 8
    assert f"{metrics['student']['bytes_on_disk']:,}" in {row[2] for row in rows}
    assert "not for clinical use" in summary(metrics)


def test_bytes_are_those_of_the_files_and_of_the_cost_model(folder, metrics) -> None:
    for name in ("teacher", "student"):
        on_disk = (folder / f"{name}.safetensors").stat().st_size
        assert metrics[name]["bytes_on_disk"] == on_disk
    student = metrics["student"]
    assert student["tensor_bytes"] == student["predicted_tensor_bytes"]
    # two bits a weight, and one float32 scale for each of the 16 ternary matrices
    assert student["ternary_bytes"] == student["ternary_weights"] // 4 + 16 * 4


def test_accuracy_is_that_of_the_packed_file(folder, metrics, few_phantoms) -> None:
    engine = deploy.load(folder / "student.safetensors")
    labels = engine.predict(few_phantoms.test.images).labels
    assert metrics["student"]["accuracy"] == np.mean(labels == few_phantoms.test.labels)


def test_engine_agrees_with_the_training_model(metrics) -> None:
    agreement = metrics["agreement"]
    assert agreement["images"] == 96
    assert agreement["equal_predictions"] >= 0.99
    assert agreement["largest_difference"] < 0.1 * agreement["logit_spread"]


def test_report_shows_the_numbers_and_the_warnings(folder, metrics) -> None:
    html = (folder / "report.html").read_text()
    assert f"{metrics['student']['accuracy']:.1%}" in html
    assert "synthetic phantoms, not patients" in html
    assert "not for clinical use" in html
    assert html.count("<img ") >= 6


def test_second_run_gives_the_same_files(folder, tmp_path) -> None:
    run_demo("phantoms", out=tmp_path, quick=True, progress=False)
    for name in ("student.safetensors", "teacher.safetensors"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("name", ["breastmnist", "pneumoniamnist", "bloodmnist"])
def test_majority_share_of_real_files(name, medmnist_root) -> None:
    test = data.medmnist(name, "test", root=medmnist_root)
    assert majority_share(test) == max(np.mean(test.labels == c) for c in range(test.num_classes))


def test_majority_share_of_many_labels_takes_each_label_alone() -> None:
    labels = np.array([[1, 0], [1, 0], [1, 1], [0, 0]])
    images = np.zeros((4, 28, 28, 1), np.uint8)
    assert majority_share(Dataset(images, labels, Task.MULTI_LABEL, ("a", "b"))) == 0.75
