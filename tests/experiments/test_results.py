import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.train.small import splits
from tinyternary.data import Splits
from tinyternary.errors import CheckpointError, ConfigError
from tinyternary.experiments import (
    Results,
    over_seeds,
    read_results,
    reproduce,
    results as results_module,
)

PLAN = """
name = "plan"
dataset = "phantoms"
seeds = [0, 1]
[model]
patch_size = 4
width = 16
depth = 1
heads = 2
mlp_width = 32
[pretraining]
epochs = 1
[teacher]
epochs = 1
augment = "none"
warmup_epochs = 0
[student]
epochs = 1
augment = "none"
warmup_epochs = 0
"""


@pytest.fixture
def plan(tmp_path, monkeypatch):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    monkeypatch.setattr("tinyternary.experiments.reproduction.load", lambda name, root: splits())
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The run folders of two seeds; tests that change them copy them first."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "plan.toml").write_text(PLAN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tinyternary.experiments.reproduction.load", lambda name, root: splits())
        reproduce(folder / "plan.toml", out=folder / "out", progress=False)
    return folder / "out"


def test_intervals_are_those_of_the_t_test():
    values = np.random.default_rng(0).normal(0.8, 0.02, 5)
    found = over_seeds(values, level=0.9)
    wanted = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert found["interval"] == pytest.approx([wanted.low, wanted.high])
    assert (found["mean"], found["std"]) == pytest.approx((values.mean(), values.std(ddof=1)))
    assert over_seeds([0.7]) == {"mean": 0.7, "std": 0.0, "interval": None, "n": 1}
    with pytest.raises(ConfigError, match="seeds"):
        over_seeds([])


def test_differences_are_paired_by_seed():
    rng = np.random.default_rng(1)
    teacher, student = rng.normal(0.9, 0.02, (2, 4))
    result = Results("x", "x", [
        {"seed": i, "teacher": {"acc": t, "auc": t}, "student": {"acc": s, "auc": s}}
        for i, (t, s) in enumerate(zip(teacher, student))
    ])  # fmt: skip
    wanted = stats.ttest_rel(student, teacher).confidence_interval(0.95)
    assert result.paired("acc")["interval"] == pytest.approx([wanted.low, wanted.high])
    assert result.summary()["student - teacher"]["auc"] == result.paired("auc")
    assert "ACC" in result.difference()


def test_all_stages_are_counted_and_read_back_alike(finished):
    result = read_results(finished)
    assert [row["seed"] for row in result.seeds] == [0, 1]
    for row in result.seeds:
        assert list(row["stages"]) == ["pretraining", "teacher", "student"]
        assert all(seconds > 0 for seconds in row["stages"].values())
        assert row["seconds"] == pytest.approx(sum(row["stages"].values()))
        assert len(row["student"]["intervals"]["acc"]) == 2
        assert row["validation"]["teacher"]["images"] == 40
    written = json.loads((finished / "results.json").read_text())
    assert written == json.loads(json.dumps(result.to_dict()))
    assert written["experiment"] == "plan"
    assert written["config"]["student"]["recipe"]["epochs"] == 1
    assert written["config"]["student"]["policy"]
    assert str(finished) not in json.dumps(written)
    assert Results.from_dict(written) == result
    table = result.table()
    assert [row[0] for row in table] == ["seed", "0", "1", "mean", "95 % t"]
    assert {len(row) for row in table} == {6}
    assert result.config["teacher"]["policy"] == {}


def test_resumed_stages_keep_their_recorded_seconds(finished, tmp_path, plan):
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    before = read_results(out).seeds
    shutil.rmtree(out / "seed-0" / "student")
    again = reproduce(plan, seeds=[0], out=out, progress=False)
    assert [row["seed"] for row in again.seeds] == [0, 1]
    assert again.seeds[0]["stages"]["teacher"] == before[0]["stages"]["teacher"]
    assert again.seeds[0]["stages"]["pretraining"] == before[0]["stages"]["pretraining"]
    assert again.seeds[0]["student"]["acc"] == before[0]["student"]["acc"]


def test_without_a_folder_the_same_results(finished, plan):
    free, kept = reproduce(plan, seeds=[1], progress=False), read_results(finished)
    assert free.seeds[0]["student"] == kept.seeds[1]["student"]
    assert free.config == kept.config
    assert free.seeds[0]["stages"].keys() == kept.seeds[1]["stages"].keys()


def test_seeds_that_are_missing_or_not_done_are_left_out(finished, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    (out / "results.json").unlink()
    (out / "seed-7").mkdir()
    (out / "seed-0" / "student" / "metrics.json").unlink()
    left = read_results(out)
    assert [row["seed"] for row in left.seeds] == [1]
    assert (left.experiment, left.dataset) == ("quarters", "quarters")
    assert left.summary()["student"]["acc"]["interval"] is None
    assert left.table()[-1][0] == "mean"
    metrics = out / "seed-1" / "student" / "metrics.json"
    metrics.write_text(json.dumps({"val": json.loads(metrics.read_text())["val"]}))
    with pytest.raises(CheckpointError, match="no finished seed"):
        read_results(out)
    with pytest.raises(CheckpointError, match="no finished seed"):
        read_results(tmp_path / "nowhere")


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_seeds_of_other_images_are_not_added(finished, plan, monkeypatch, split):
    parts = {"train": splits().train, "val": splits().val, "test": splits().test}
    labels = parts[split].labels.copy()
    labels[0] = (labels[0] + 1) % 4
    parts[split] = replace(parts[split], labels=labels)
    monkeypatch.setattr(
        "tinyternary.experiments.reproduction.load", lambda name, root: Splits(**parts)
    )
    names = {"train": "data", "val": "validation_images", "test": "test_images"}
    with pytest.raises(CheckpointError, match=f"is of another experiment: {names[split]} was"):
        reproduce(plan, seeds=[2], out=finished, progress=False)
    assert not (finished / "seed-2").exists()


def test_seeds_of_different_recipes_have_no_mean(finished, tmp_path, plan):
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    path = out / "seed-1" / "student" / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "library": "0.0.1"}))
    assert read_results(out).seeds[1]["library"] == "0.0.1"
    config["recipe"]["lr"] = 7.0
    path.write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"seed-1 .* student\.recipe\.optimizer\.lr is 7\.0"):
        read_results(out)
    plan.write_text(PLAN.replace("epochs = 1\naugment", "epochs = 2\naugment", 1))
    with pytest.raises(CheckpointError, match=r"seed-0/teacher .* recipe\.epochs was 1, now 2"):
        reproduce(plan, seeds=[5], out=out, progress=False)
    assert not (out / "seed-5").exists()


def test_a_seed_finished_by_another_process_meanwhile_is_not_lost(finished, tmp_path, monkeypatch):
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    shutil.move(out / "seed-1", tmp_path / "seed-1")
    write = results_module.write_json

    def late(path, value):
        if (tmp_path / "seed-1").exists():  # the other one ends between our reading and writing
            shutil.move(tmp_path / "seed-1", out / "seed-1")
        write(path, value)

    monkeypatch.setattr(results_module, "write_json", late)
    assert [row["seed"] for row in results_module.write_results(out, "plan").seeds] == [0, 1]
    assert len(json.loads((out / "results.json").read_text())["seeds"]) == 2


def test_bad_seeds(plan):
    with pytest.raises(ConfigError, match="at least one"):
        reproduce(plan, seeds=[], progress=False)
    with pytest.raises(ConfigError, match="at least 0, got -1"):
        reproduce(plan, seeds=[-1], progress=False)
    with pytest.raises(ConfigError, match="for any data set"):
        reproduce("default", progress=False)
