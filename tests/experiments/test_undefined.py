"""One class only in validation or test: what is undefined is None in every file, and never ends a run.

A practitioner's own file, all of one hospital's healthy patients, say.
"""

import json
import warnings

import numpy as np
import pytest

from tests.data.test_medmnist import small_file
from tinyternary.cli import main
from tinyternary.config import Task
from tinyternary.evaluate import auc, evaluate_scores
from tinyternary.experiments import (
    collect,
    factorial_effects,
    over_seeds,
    read_ablation,
    read_results,
    write_collected,
)
from tinyternary.report.effects import interaction_lines, size_against
from tinyternary.report.result_figures import against_published, seed_pairs, stage_curves

PLAN = """
dataset = "breastmnist"
seeds = [0, 1]
[model]
patch_size = 14
width = 16
depth = 1
heads = 2
mlp_width = 32
[teacher]
epochs = 2
augment = "none"
[student]
epochs = 2
augment = "none"
"""
ABLATION = """
dataset = "breastmnist"
quantizer = ["absmean", "twn"]
granularity = ["tensor"]
distillation = [true, false]
[policy]
all-linear = {}
[recipe]
batch_size = 16
epochs = 1
augment = "none"
"""
ONE = np.ones((6, 1), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data file of whose validation and test images all are of class 1, and its experiment."""
    path = tmp_path_factory.mktemp("one")
    mixed = (np.arange(32) % 2).astype(np.uint8)[:, None]
    images = np.random.default_rng(1).integers(0, 256, (32, 28, 28), np.uint8)
    changes = {"val_labels": ONE, "test_labels": ONE, "train_labels": mixed, "train_images": images}
    small_file(path / "breastmnist.npz", "breastmnist", **changes)
    (path / "plan.toml").write_text(PLAN)
    (path / "ablation.toml").write_text(ABLATION)
    run("reproduce", path / "plan.toml", "--root", path, "--out", path / "runs")
    return path


def run(*words):
    """The command line, in this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the file is not the official one
        with pytest.raises(SystemExit) as ended:
            main([*map(str, words), "--quiet"])
    assert not ended.value.code


def strict(path):
    def refuse(constant):
        raise AssertionError(f"{path}: {constant}")

    return json.loads(path.read_text(), parse_constant=refuse)


def test_all_seeds_run_and_their_auc_is_none(folder, capsys):
    results = read_results(folder / "runs")
    assert [row["seed"] for row in results.seeds] == [0, 1]
    assert results.values("student", "auc") == [None, None]
    nothing = {"mean": None, "std": None, "interval": None, "n": 0}
    summary = results.summary()
    assert all(each["auc"] == nothing for each in summary.values())
    assert all(each["acc"]["n"] == 2 for each in summary.values())
    assert [row[2] for row in results.table()[1:]] == ["-"] * 4
    assert "AUC -" in results.difference()
    run("reproduce", folder / "plan.toml", "--root", folder, "--out", folder / "runs")
    assert "AUC -" in " ".join(capsys.readouterr().out.split())


def test_every_file_is_json_for_a_strict_reader(folder):
    files = [*(folder / "runs").rglob("*.json")]
    assert len(files) == 1 + 2 * 2 * 3
    for path in files:
        found = strict(path)
        if path.name == "history.json":
            assert [row["val_auc"] for row in found["rows"]] == [None, None]
            assert all(row["val_acc"] is not None for row in found["rows"])
        if path.name == "metrics.json":
            for split in ("val", "test"):
                assert found[split]["auc"] is None
                assert found[split]["specificity"] is None
                assert found[split]["per_class"]["auc"] == [None, None]


def test_what_is_collected_can_be_drawn(folder, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        record = collect(folder / "runs", folder)
    write_collected(tmp_path / "one.json", record)
    record = strict(tmp_path / "one.json")
    assert record["single_pass"]["seeds"]["0"]["student"]["auc"] is None
    results = read_results(folder / "runs")
    values = {w: {m: results.values(w, m) for m in ("acc", "auc")} for w in ("teacher", "student")}
    published = {"theirs": {"acc": 0.9, "auc": 0.9}}
    figures = [
        against_published("one", values, results.summary(), published),
        seed_pairs({"one": values}, {"one": results.summary()["student - teacher"]}),
        stage_curves(record["curves"], name="one"),
    ]
    for figure in figures:
        figure.savefig(tmp_path / "a.png")
        assert "nan" not in "".join(t.get_text() for t in figure.findobj(match=_is_text))


def _is_text(artist):
    return hasattr(artist, "get_text")


def test_evaluate_and_crossvalidate_show_a_dash(folder, capsys):
    student = folder / "runs" / "seed-0" / "student"
    run("evaluate", student, "--root", folder)
    lines = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()
             if len(line.split()) > 1}  # fmt: skip
    assert lines["auc"] == lines["specificity"] == ["-"]
    assert float(lines["acc"][0]) >= 0
    run("evaluate", student, "--root", folder, "--json")
    assert json.loads(capsys.readouterr().out)["test"]["auc"] is None


def test_an_ablation_says_that_there_are_no_effects(folder, tmp_path, capsys):
    teacher = folder / "runs" / "seed-0" / "teacher"
    words = ("--teacher", teacher, "--root", folder, "--out", tmp_path)
    run("ablate", folder / "ablation.toml", *words)
    shown = capsys.readouterr()
    assert "no effects yet: test_auc: expected one finite value per cell" in shown.err
    assert "AUC -" in " ".join(shown.out.split())
    assert len(strict(tmp_path / "ablation.json")["cells"]) == 4
    found = read_ablation(tmp_path)
    assert found.column("test_auc") == [None] * 4
    for figure in (
        interaction_lines(found.cells, found.column("test_auc"), ("quantizer", "distillation"),
                          response="test_auc"),
        size_against(found.cells, found.column("test_auc"), response="test_auc"),
    ):  # fmt: skip
        figure.savefig(tmp_path / "a.png")


@pytest.mark.parametrize("task", list(Task))
def test_metrics_of_one_class_are_numbers_or_none(task):
    wide = task is Task.MULTI_LABEL
    labels = np.ones((6, 3) if wide else 6, int)
    scores = np.random.default_rng(0).random((6, 2 if task is Task.BINARY else 3))
    scores = scores if wide else scores / scores.sum(1, keepdims=True)
    found = evaluate_scores(labels, scores, task, resamples=20)
    json.dumps(found, allow_nan=False)
    assert found["auc"] is None
    assert found["specificity"] is None if wide or task is Task.BINARY else True
    assert "auc" not in found["intervals"]
    assert np.isnan(auc(labels, scores, task))  # a number to compute with


def test_the_mean_is_over_the_seeds_that_have_a_number():
    assert over_seeds([0.5, None, 0.7]) == over_seeds([0.5, 0.7])
    assert over_seeds([None, 0.7]) == over_seeds([0.7])
    assert over_seeds([None, float("nan")])["mean"] is None
    with pytest.raises(ValueError, match="finite value"):
        factorial_effects([{"a": 1}, {"a": 2}, {"a": 1}], ["a"], [0.1, None, 0.2])
