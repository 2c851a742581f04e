"""Files of earlier versions are read: `format_1.json` is what such a version wrote, without values.

The values do not matter for what things are called; they are drawn here.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.train.small import splits
from tinyternary.errors import CheckpointError
from tinyternary.experiments import read_ablation, read_experiment
from tinyternary.experiments.factors import read_ablation_plan
from tinyternary.train import Recipe, build_model, fit, load_checkpoint, load_run, save_checkpoint
from tinyternary.train.checkpoints import READABLE
from tinyternary.train.recipe import FLAT

OLD = json.loads((Path(__file__).parent / "format_1.json").read_text())
ARRAYS = {
    name: np.random.default_rng([7, i]).uniform(0.01, 0.1, shape).astype(np.float32)
    for i, (name, shape) in enumerate(OLD["arrays"].items())
}


def write(path, header, arrays):
    save_file(arrays, str(path), metadata={"tinyternary": json.dumps(header)})


@pytest.fixture
def old_run(tmp_path):
    """The folder of a run that was stopped after three of six steps."""
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(OLD["config"]))
    write(folder / "last.safetensors", OLD["header"], ARRAYS)
    header = {"kind": "weights", "format": 1, "epoch": 1, "settings": OLD["header"]["settings"]}
    weights = {name: a for name, a in ARRAYS.items() if name.startswith("model/")}
    write(folder / "best.safetensors", header, weights)
    return folder


def test_the_fixture_is_of_the_old_format():
    text = json.dumps(OLD)
    assert OLD["header"]["format"] == 1
    for old in (
        '"optimiser": "adamw"',
        '"lr": 0.001',
        "optimiser_steps",
        "optimiser/",
        ".quantiser.",
    ):
        assert old in text


def test_no_field_of_an_old_recipe_was_lost():
    old = {name.replace("optimiser", "optimizer") for name in OLD["config"]["recipe"]}
    later = {"answers"}
    assert old == {*FLAT, "epochs", "batch_size", "save_seconds"} - later


def test_an_old_run_is_loaded(old_run):
    run = load_run(old_run)
    assert run.recipe == Recipe(
        epochs=2, batch_size=32, ema=0.9, augment="none", flips="horizontal", save_seconds=0
    )
    state = run.model.state_dict()
    for name, array in ARRAYS.items():
        if name.startswith("model/"):
            now = name.removeprefix("model/").replace(".quantiser.", ".quantizer.")
            now = now.replace(".beta", ".delta")
            found = state.pop(now)
            np.testing.assert_array_equal(found, array.reshape(found.shape))
    assert not state


def go_on(folder):
    config = load_checkpoint(folder / "last.safetensors").field("settings")
    network = build_model(config["model"], config["policy"], seed=3)
    return fit(network, splits(), load_run(folder).recipe, seed=3, run_dir=folder, progress=False)


def test_an_old_run_goes_on_as_one_of_today(old_run, tmp_path):
    new_run = tmp_path / "new"
    for name in ("last", "best"):
        saved = load_checkpoint(old_run / f"{name}.safetensors")
        header = {n: v for n, v in saved.header.items() if n not in ("kind", "format", "library")}
        save_checkpoint(new_run / f"{name}.safetensors", saved.field("kind"), saved.arrays, header)
    (new_run / "config.json").write_text((old_run / "config.json").read_text())
    old, new = go_on(old_run), go_on(new_run)
    assert [row["step"] for row in old.history] == [3, 6]
    for name, array in new.model.state_dict().items():
        np.testing.assert_array_equal(array, old.model.state_dict()[name], err_msg=name)
    assert load_checkpoint(old_run / "last.safetensors").field("format") == READABLE[-1]


def test_a_format_of_the_future_is_refused(old_run):
    path = old_run / "last.safetensors"
    future = READABLE[-1] + 1
    write(path, {**OLD["header"], "format": future}, ARRAYS)
    with pytest.raises(CheckpointError, match=f"format {future}, expected {READABLE[-1]}"):
        load_checkpoint(path)


def test_old_plans_are_read(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[teacher]\noptimiser = "sgd"\nlr = 0.5\n[few.student]\nmixup = 0.25\n')
    plan = read_experiment(path)
    assert (plan.teacher.optimizer.kind, plan.teacher.optimizer.lr) == ("sgd", 0.5)
    assert plan.for_images(10).student.augmentation.mixup == 0.25
    path.write_text(
        'dataset = "phantoms"\nquantiser = ["absmean"]\ngranularity = ["tensor"]\n'
        'distillation = [true]\n[policy]\nall-linear = {}\n[recipe]\nflips = "both"\n'
    )
    ablation = read_ablation_plan(path)
    assert ablation.quantizer == ["absmean"]
    assert ablation.recipe.evaluation.flips == "both"
    old = {"ablation": "x", "dataset": "phantoms", "config": {}, "teacher": {}, "skipped": {},
           "planned": 1, "cells": [{"quantiser": "absmean"}]}  # fmt: skip
    (tmp_path / "ablation.json").write_text(json.dumps(old))
    assert read_ablation(tmp_path).cells == [{"quantizer": "absmean"}]
