import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tests.train.small import splits
from tinyternary.config import Task
from tinyternary.data import Splits, most_similar
from tinyternary.errors import CheckpointError, ConfigError
from tinyternary.evaluate.calibration import expected_calibration_error, reliability
from tinyternary.evaluate.evaluation import predict_logits
from tinyternary.evaluate.judged import judge
from tinyternary.experiments import (
    Experiment,
    collect,
    published,
    read_results,
    run_experiment,
    write_collected,
)
from tinyternary.experiments.collect import CURVE_POINTS, thinned
from tinyternary.train import History, Recipe, load_run

QUICK = Recipe(epochs=2, batch_size=16, augment="none", flips="horizontal")
PLAN = Experiment(
    name="quick", preset="tiny", model={"patch_size": 4, "width": 16, "depth": 1, "heads": 2, "mlp_width": 32},
    teacher=QUICK, student=QUICK.model_copy(update={"start_from_teacher": True, "feature": "none"}),
)  # fmt: skip


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for seed in (0, 3):
        run_experiment(PLAN, splits(), seed=seed, out=folder / f"seed-{seed}", progress=False)
    return folder


def test_a_single_pass_is_the_models_own_answer(out):
    data = splits()
    record = collect(out, data=data)
    assert record["seeds"] == read_results(out).seeds
    once, missed = record["single_pass"], {"teacher": [], "student": []}
    for row in record["seeds"]:
        for who in missed:
            found = once["seeds"][str(row["seed"])][who]
            run = load_run(out / f"seed-{row['seed']}" / who)
            found_by_hand = run.model(run.preprocessing(data.test.images)).data.argmax(1)
            missed[who].append(found_by_hand != data.test.labels)
            assert found["acc"] == (found_by_hand == data.test.labels).mean()
            assert sum(found["reliability"]["images"]) == len(data.test)
    for who, lists in missed.items():
        counts = np.bincount(np.sum(lists, axis=0), minlength=3)
        assert once["wrong"][who] == counts.tolist()
    everybody = np.logical_and.reduce([*missed["teacher"], *missed["student"]])
    assert once["wrong"]["shared"] == everybody.sum()


def test_without_copies_the_recorded_numbers_come_out_again(tmp_path):
    plain = PLAN.model_copy(
        update={
            w: getattr(PLAN, w).model_copy(update={"flips": "none"}) for w in ("teacher", "student")
        }
    )
    run_experiment(plain, splits(), seed=1, out=tmp_path / "seed-1", progress=False)
    record = collect(tmp_path, data=splits())
    for who in ("teacher", "student"):
        for metric in ("acc", "auc"):
            assert (
                record["single_pass"]["seeds"]["1"][who][metric] == record["seeds"][0][who][metric]
            )


def test_thresholds_are_chosen_by_validation_images_and_judged_by_test_images(tmp_path):
    data = splits(task=Task.BINARY)
    plan = PLAN.model_copy(update={
        w: getattr(PLAN, w).model_copy(update={"shifts": 1}) for w in ("teacher", "student")
    })  # fmt: skip
    teacher, _ = run_experiment(plan, data, out=tmp_path / "seed-0", progress=False)
    record = collect(tmp_path, data=data)
    found = record["thresholds"]["0"]["teacher"]
    assert found["half"] == {
        "threshold": 0.5,
        **{name: teacher.metrics["test"][name] for name in ("acc", "balanced_accuracy")},
    }

    def positive(part):
        logits = predict_logits(
            teacher.model, part.images, teacher.preprocessing, flips="horizontal", shifts=1
        ).astype(np.float64)
        return 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))

    # no cut between two validation scores does better than the chosen one
    score = positive(data.val)
    cuts = np.concatenate(([-1.0], np.sort(score) + 1e-9))
    best = max(((score > cut) == data.val.labels).mean() for cut in cuts)
    cut = found["accuracy"]["threshold"]
    assert ((score > cut) == data.val.labels).mean() == best
    assert found["accuracy"]["acc"] == ((positive(data.test) > cut) == data.test.labels).mean()


def test_only_binary_tasks_have_a_threshold(out):
    assert "thresholds" not in collect(out, data=splits())


def test_it_can_do_without_images_and_fits_into_a_small_file(out, tmp_path):
    record = collect(out, images=False)
    assert "single_pass" not in record
    assert set(record["curves"]["3"]) == {"teacher", "student"}
    assert record["curves"]["3"]["student"][-1]["epoch"] == 2
    write_collected(tmp_path / "x.json", record)
    assert json.loads((tmp_path / "x.json").read_text()) == json.loads(json.dumps(record))
    assert str(out) not in (tmp_path / "x.json").read_text()
    with pytest.raises(CheckpointError, match="no finished seed"):
        collect(tmp_path)


@pytest.mark.parametrize("epochs", [0, 1, 49, 50, 51, 400])
def test_curves_are_thinned_evenly_and_keep_both_ends(epochs):
    history = History()
    for epoch in range(1, epochs + 1):
        history.append({"epoch": epoch, "train_loss": 1 / 3, "val_acc": None, "lr": 0.1})
    rows = thinned(history)
    assert len(rows) == min(epochs, CURVE_POINTS)
    if epochs:
        assert (rows[0]["epoch"], rows[-1]["epoch"]) == (1, epochs)
        assert rows[0] == {"epoch": 1, "train_loss": 0.33333, "val_acc": None}


@pytest.mark.parametrize("task", [Task.MULTI_CLASS, Task.BINARY, Task.MULTI_LABEL])
def test_reliability_adds_up_to_the_calibration_error(rng, task):
    columns = 2 if task is Task.BINARY else 4
    scores = rng.dirichlet(np.ones(columns), 200)
    shape = (200, columns) if task is Task.MULTI_LABEL else 200
    judged = judge(rng.integers(0, 2, shape), scores, task)
    bins = reliability(judged)
    assert sum(bins["images"]) == judged.truth.size
    error = sum(
        n * abs(a - c)
        for n, a, c in zip(bins["images"], bins["accuracy"], bins["confidence"]) if n
    )  # fmt: skip
    assert error / judged.truth.size == pytest.approx(expected_calibration_error(judged))
    for place, (n, confidence) in enumerate(zip(bins["images"], bins["confidence"])):
        assert (confidence is None) == (n == 0)
        assert confidence is None or place / 15 <= confidence <= (place + 1) / 15 + 1e-12


def test_published_numbers_are_those_of_the_leaderboard():
    blood = published("bloodmnist")
    assert blood["ResNet-18 (28)"] == {"acc": 0.958, "auc": 0.998}
    assert blood["BitMedViT (224)"] == {"acc": 0.975}
    assert published("breastmnist")["auto-sklearn"] == {"acc": 0.803, "auc": 0.836}
    with pytest.raises(ConfigError, match="Did you mean 'bloodmnist'"):
        published("bloodmnst")


def test_test_images_are_sorted_by_the_training_image_they_look_like(out):
    data = splits()
    # half of the test images are training images, a little paler
    half = len(data.test) // 2
    images = data.test.images.copy()
    images[:half] = data.train.images[:half] // 2 + 60
    labels = data.test.labels.copy()
    labels[:half] = data.train.labels[:half]
    known = Splits(data.train, data.val, replace(data.test, images=images, labels=labels))
    record = collect(out, data=known)["similarity"]
    correlation, index = most_similar(images, data.train.images)
    assert (correlation[:half] > 0.99).all()
    edges = [-1, *record["above"], 1.01]
    for i, (low, high) in enumerate(pairwise(edges)):
        band = (correlation > low) & (correlation <= high)
        assert record["images"][i] == band.sum()
        if not band.any():
            assert record["student"][i] is None
            continue
        assert record["nearest"][i] == np.mean(data.train.labels[index[band]] == labels[band])
        right = []
        for seed in (0, 3):
            run = load_run(out / f"seed-{seed}" / "student")
            logits = predict_logits(run.model, images, run.preprocessing)
            right.append(np.mean(logits.argmax(1)[band] == labels[band]))
        assert record["student"][i] == pytest.approx(np.mean(right))
    assert record["nearest"][-1] == 1
    assert sum(record["images"]) == len(images)
