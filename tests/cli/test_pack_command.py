"""`tinyternary pack --decide-for`: a threshold that validation images choose, kept in the file."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.cli.test_command_line import run as command
from tinyternary import data, deploy, models, quant, train
from tinyternary.evaluate import set_limits


def write_breastmnist(folder):
    """Few, noisy images whose brightness says the class, and more of class 1."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 96), ("val", 48), ("test", 48)):
        labels = (np.arange(count) % 4 > 0).astype(np.uint8)[:, None]
        noise = rng.integers(0, 160, (count, 28, 28))
        arrays[f"{split}_images"] = (noise + 12 * labels[..., None]).astype(np.uint8)
        labels[5::12] ^= 1  # whoever sees brightness is wrong about these
        arrays[f"{split}_labels"] = labels
    np.savez(folder / "breastmnist.npz", **arrays)


def trained(folder, splits, classes, channels):
    shape = models.preset(
        "tiny", image_size=28, channels=channels, num_classes=classes, depth=1, patch_size=7
    )
    student = quant.ternarize(models.ViT(shape, seed=0), "all-linear")
    return train.fit(student, splits, epochs=3, batch_size=16, run_dir=folder, progress=False)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::tinyternary.data.medmnist.archives.DataFileWarning")
def test_the_file_decides_where_validation_images_are_served_best(tmp_path):
    write_breastmnist(tmp_path)
    splits = data.load("breastmnist", root=tmp_path)
    trained(tmp_path / "run", splits, 2, 1)
    out, here = tmp_path / "model.safetensors", ("--root", str(tmp_path))
    done = command("pack", str(tmp_path / "run"), "--out", str(out), "--json",
                   "--decide-for", "balanced_accuracy", *here)  # fmt: skip
    assert done.returncode == 0, done.stderr
    (threshold,) = json.loads(done.stdout)["threshold"]

    engine = deploy.load(out)
    assert engine.header.threshold == (threshold,)
    # of probabilities at the temperature that the run chose, as below
    temperature = train.load_run(tmp_path / "run").temperature
    assert json.loads(done.stdout)["temperature"] == engine.header.temperature == temperature
    assert 0.05 <= temperature != 1
    truth = splits.val.labels.reshape(-1)
    yes = engine.predict(splits.val.images).probabilities[:, 1]

    def balanced(cut):
        right = (yes > cut) == (truth == 1)
        return (right[truth == 0].mean() + right[truth == 1].mean()) / 2

    assert balanced(threshold) >= max(balanced(cut) for cut in (-1, 0.5, *yes)) - 1e-9
    assert f"probability above {threshold:.3g}" in out.with_suffix(".md").read_text()

    done = command("evaluate", str(out), "--json", *here)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["test"]
    assert found["threshold"] == threshold
    decided = engine.predict(splits.test.images).labels
    assert found["acc"] == pytest.approx(np.mean(decided == splits.test.labels.reshape(-1)))
    assert found["temperature"] == temperature
    before = json.loads(command("evaluate", str(out), "--json", "--temperature", "1", *here).stdout)
    assert before["test"]["auc"] == pytest.approx(found["auc"])
    assert before["test"]["loss"] != found["loss"]
    assert "divided by" in command("inspect", str(out)).stderr

    # chosen once more, for a run folder of an older version that recorded none
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    for split in metrics.values():
        del split["calibrated"]
    (tmp_path / "run" / "metrics.json").write_text(json.dumps(metrics))
    for how, wanted in (("run", None), ("fit", pytest.approx(temperature)), ("none", None)):
        done = command(
            "pack", str(tmp_path / "run"), "--out", str(out), "--temperature", how, *here
        )
        assert done.returncode == 0, done.stderr
        assert ("recorded no temperature" in done.stderr) == (how == "run")
        assert deploy.load(out).header.temperature == wanted


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::tinyternary.data.medmnist.archives.DataFileWarning")
def test_the_file_keeps_sets_of_its_own_answers_to_validation_images(tmp_path):
    write_breastmnist(tmp_path)
    splits = data.load("breastmnist", root=tmp_path)
    trained(tmp_path / "run", splits, 2, 1)
    out = tmp_path / "model.safetensors"
    # everything in int8: other answers than the run's, and limits of these
    done = command("pack", str(tmp_path / "run"), "--out", str(out), "--json", "--sets",
                   "--rest", "int8", "--root", str(tmp_path))  # fmt: skip
    assert done.returncode == 0, done.stderr
    engine = deploy.load(out)
    probabilities = engine.predict(splits.val.images).probabilities
    wanted = set_limits(splits.val.labels, probabilities, splits.val.task)
    assert engine.header.prediction_sets == wanted
    assert json.loads(done.stdout)["prediction_sets"] == wanted.to_dict()
    counts = np.bincount(splits.val.labels.reshape(-1)).tolist()
    assert list(wanted.images) == counts

    done = command("inspect", str(out))
    assert "prediction sets: for coverages 0.5, 0.6" in done.stderr
    np.save(tmp_path / "test.npy", splits.test.images)
    done = command("predict", str(out), str(tmp_path / "test.npy"), "--coverage", "0.9", "--json")
    assert done.returncode == 0, done.stderr
    assert f"with only {min(counts)} of" in done.stderr
    sets = engine.predict(splits.test.images, 0.9).sets
    assert [
        [n in row["set"] for n in engine.class_names] for row in json.loads(done.stdout)
    ] == sets.tolist()


@pytest.mark.slow
def test_a_task_without_a_threshold_is_refused(tmp_path):
    phantoms = data.load("phantoms")
    few = data.Splits(*(phantoms[part].subset(range(32)) for part in ("train", "val", "test")))
    trained(tmp_path / "run", few, 8, 3)
    done = command("pack", str(tmp_path / "run"), "--out", str(tmp_path / "m.safetensors"),
                   "--decide-for", "f1")  # fmt: skip
    assert done.returncode == 2
    assert "decides by the largest score" in done.stderr
    assert not (tmp_path / "m.safetensors").exists()
