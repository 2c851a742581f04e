"""A run chooses its temperature on validation images alone, of answers as a packed file gives them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.train.small import model, splits
from tinyternary import deploy
from tinyternary.config import Task
from tinyternary.data import Splits
from tinyternary.evaluate import evaluate, fit_temperature, predict_logits
from tinyternary.train import Recipe, fit, load_run

# so short and smoothed that answers are unsure, and averaged over copies that move the image
RECIPE = Recipe(epochs=4, batch_size=16, lr=3e-3, augment="none", label_smoothing=0.3, shifts=1)


def noisy(task):
    """Labels of which one in five is another image's: no network is right about all."""
    rng, parts = np.random.default_rng(0), []
    for part in splits(96, task=task):
        labels = part.labels.copy()
        swapped = rng.permutation(len(part))[: len(part) // 5]
        labels[swapped] = labels[np.roll(swapped, 1)]
        parts.append(type(part)(part.images, labels, task, part.class_names, part.name, part.split,
                                part.synthetic))  # fmt: skip
    return Splits(*parts)


@pytest.mark.parametrize("task", [Task.MULTI_CLASS, Task.MULTI_LABEL, Task.ORDINAL])
def test_the_run_records_it_and_the_file_answers_with_it(task, tmp_path):
    data = noisy(task)
    net = model("all-linear", num_classes=data.num_classes)
    run = fit(net, data, RECIPE, run_dir=tmp_path / "run", progress=False)
    single = predict_logits(run.model, data.val.images, run.preprocessing)
    assert run.temperature == fit_temperature(data.val.labels, single, task) != 1
    assert load_run(tmp_path / "run").temperature == run.temperature
    assert run.metrics["test"]["calibrated"]["temperature"] == run.temperature

    packed = deploy.pack(
        run.model, preprocessing=run.preprocessing, task=task, class_names=data.class_names,
        temperature=run.temperature, metrics=run.metrics,
    )  # fmt: skip
    engine = deploy.Engine(packed.read())
    recorded = run.metrics["test"]["calibrated"]
    found = evaluate(engine, data.test)
    for name in ("loss", "brier", "ece", "ece_equal_mass"):
        assert found[name] == pytest.approx(recorded[name], abs=2e-3)
        low, high = recorded["intervals"][name]
        assert low < high
    assert "intervals" not in run.metrics["val"]["calibrated"]  # it was chosen there
    better = evaluate(engine, data.val, resamples=0)["loss"]
    assert better < evaluate(engine, data.val, resamples=0, temperature=1.0)["loss"]
    card = deploy.model_card(packed.read())
    assert f"divided by {run.temperature:.3g} (a temperature chosen on validation data)" in card
    assert "| test calibrated ece |" in card


def test_test_images_have_no_say(tmp_path):
    data = noisy(Task.MULTI_CLASS)
    other = Splits(data.train, data.val, data.test.subset(range(7)))
    runs = [fit(model(), part, RECIPE, progress=False) for part in (data, other)]
    assert runs[0].temperature == runs[1].temperature
    unseen = fit(model(), data, RECIPE, progress=False, test=False)
    assert unseen.temperature == runs[0].temperature
    assert list(unseen.metrics) == ["val"]


def test_a_run_without_one_has_none(tmp_path):
    data = splits()
    run = fit(model(), data, RECIPE, run_dir=tmp_path / "run", progress=False)
    path = tmp_path / "run" / "metrics.json"
    metrics = json.loads(path.read_text())
    for split in metrics.values():
        del split["calibrated"]
    path.write_text(json.dumps(metrics))
    assert run.temperature is not None
    assert load_run(tmp_path / "run").temperature is None
