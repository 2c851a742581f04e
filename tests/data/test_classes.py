"""What labels stand for is compared by name, wherever labels meet a model."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.cli.test_command_line import run as command
from tests.data.test_medmnist import small_file
from tests.train.small import model, splits
from tinyternary import deploy, evaluate, train
from tinyternary.config import Task
from tinyternary.data import Dataset, Splits
from tinyternary.data.classes import check_classes
from tinyternary.errors import CheckpointError, ConfigError

NAMES = ("a", "b", "c", "d")


def renamed(data, names):
    return replace(data, class_names=names)


@given(ours=st.permutations(NAMES), theirs=st.permutations([*NAMES, "e"]), count=st.integers(2, 4))
def test_only_the_same_names_in_the_same_order_pass(ours, theirs, count):
    labels = np.zeros(1, np.int64)
    images = np.zeros((1, 2, 2, 1), np.uint8)
    data = Dataset(images, labels, Task.MULTI_CLASS, tuple(ours[:count]))
    check_classes(data, [f"class {i}" for i in range(count)], Task.ORDINAL, "model")
    if ours[:count] == theirs[:count]:
        check_classes(data, theirs[:count], Task.ORDINAL, "model")
    else:
        order = sorted(ours[:count]) == sorted(theirs[:count])
        with pytest.raises(
            ConfigError, match="classes in another order" if order else "other classes"
        ):
            check_classes(data, theirs[:count], Task.ORDINAL, "model")
    with pytest.raises(ConfigError, match=f"has {count} classes, the model knows 5"):
        check_classes(data, theirs, Task.ORDINAL, "model")
    with pytest.raises(ConfigError, match="was trained for multi-label"):
        check_classes(data, ours[:count], Task.MULTI_LABEL, "model")


def test_a_packed_file_a_teacher_and_a_run_folder(tmp_path):
    """Every place where labels meet a model refuses them in another order."""
    data = splits()
    other = Splits(*(renamed(part, ("b", "a", "c", "d")) for part in data))
    run = train.fit(model(), data, epochs=1, run_dir=tmp_path / "run", progress=False)
    engine = deploy.Engine(
        deploy.pack(run.model, class_names=NAMES, preprocessing=run.preprocessing).read()
    )
    evaluate.evaluate(engine, data.test)
    with pytest.raises(ConfigError, match="number 0 is 'a' to the packed model and 'b' in the"):
        evaluate.evaluate(engine, other.test)
    with pytest.raises(ConfigError, match="in another order than the teacher"):
        train.distill(model("all-linear"), run, other, epochs=1, progress=False)
    with pytest.raises(CheckpointError, match="class_names"):
        train.fit(model(), other, epochs=2, run_dir=tmp_path / "run", progress=False)
    unnamed = deploy.Engine(deploy.pack(run.model, preprocessing=run.preprocessing).read())
    evaluate.evaluate(unnamed, other.test)


@pytest.mark.filterwarnings("ignore::tinyternary.data.DataFileWarning")
def test_a_size_and_other_classes_on_the_command_line(tmp_path):
    """PneumoniaMNIST's two classes are not BreastMNIST's, for a run as for a packed file."""
    for name in ("breastmnist", "pneumoniamnist"):
        small_file(tmp_path / f"{name}_64.npz", name, size=64, count=64)
    where = ["--root", str(tmp_path), "--json"]
    done = command(
        "train", "--data", "BreastMNIST", "--size", "64", "--epochs", "1", "--quiet",
        "--preset", "lesson", "--out", str(tmp_path / "run"), *where,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run/config.json").read_text())["dataset"] == "breastmnist_64"
    run = train.load_run(tmp_path / "run")
    packed = deploy.pack(
        run.model, class_names=run.class_names, preprocessing=run.preprocessing, task=run.task,
        dataset=run.dataset,
    ).save(tmp_path / "packed.safetensors")  # fmt: skip
    for source in (tmp_path / "run", packed):
        done = command("evaluate", str(source), *where)
        assert done.returncode == 0, done.stderr
        done = command("evaluate", str(source), "--data", "pneumoniamnist", "--size", "64", *where)
        assert done.returncode == 2
        assert "data set 'pneumoniamnist_64' has other classes" in done.stderr
