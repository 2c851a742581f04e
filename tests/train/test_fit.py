import json
import os
import signal

import numpy as np
import pytest

from tests.train.small import dataset, model, no_images, splits
from tinyternary.config import Task
from tinyternary.data import Splits, balanced_order, mixup, targets
from tinyternary.errors import CheckpointError, ConfigError, DataFileError, TrainingError
from tinyternary.train import Recipe, fit, load_run
from tinyternary.train.fit import training_batches

QUICK = Recipe(epochs=3, batch_size=16, lr=5e-3, warmup_epochs=0.5, augment="none")


@pytest.mark.parametrize("policy", [None, "all-linear"])
@pytest.mark.parametrize("task", [Task.MULTI_CLASS, Task.BINARY, Task.MULTI_LABEL, Task.ORDINAL])
def test_every_task_is_learned(task, policy):
    data = splits(192, task=task)
    net = model(policy, num_classes=data.num_classes, width=32, dropout=0.0, drop_path=0.0)
    run = fit(net, data, QUICK, epochs=20, progress=False)
    assert run.metrics["test"]["acc"] > 0.9
    assert run.metrics["test"]["auc"] > 0.95
    assert run.history["train_loss"][-1] < run.history["train_loss"][0]
    assert set(run.history.rows[0]) >= {
        "epoch", "step", "lr", "train_loss", "val_loss", "val_acc", "val_auc", "seconds",
    }  # fmt: skip


def test_same_seed_same_bits_other_seed_other_bits():
    runs = [fit(model(), splits(), QUICK, seed=s, progress=False) for s in (1, 1, 2)]
    states = [run.model.state_dict() for run in runs]
    for name, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][name])
    assert any((states[0][n] != states[2][n]).any() for n in states[0])


def test_run_folder_is_read_back(tmp_path):
    data = splits()
    run = fit(model("all-linear"), data, QUICK, run_dir=tmp_path / "run", progress=False)
    back = load_run(tmp_path / "run")
    for name, array in run.model.state_dict().items():
        np.testing.assert_array_equal(array, back.model.state_dict()[name])
    assert back.preprocessing == run.preprocessing
    assert back.task is data.task
    assert back.class_names == data.class_names
    assert back.history.rows == run.history.rows
    assert back.metrics == json.loads(json.dumps(run.metrics))
    assert {k: v.to_dict() for k, v in back.model.policy.items()} == {
        k: v.to_dict() for k, v in run.model.policy.items()
    }
    x = run.preprocessing(data.test.images)
    np.testing.assert_array_equal(run.model(x).data, back.model(x).data)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ema": 0.9, "mixup": 0.3, "schedule": "two-phase", "keep": "last"},
        {"optimizer": "sgd", "balanced": True, "gradual_epochs": 1.0},
    ],
)
@pytest.mark.parametrize("stop_at", [2, 7, 12])
def test_stopped_anywhere_and_resumed_gives_the_same_bits(tmp_path, options, stop_at):
    recipe = Recipe(**{**QUICK.to_dict(), **options, "save_seconds": 0.0})
    whole = fit(model("all-linear"), splits(), recipe, run_dir=tmp_path / "a", progress=False)

    def stop(step, net):
        if step == stop_at:
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        fit(
            model("all-linear"),
            splits(),
            recipe,
            run_dir=tmp_path / "b",
            progress=False,
            on_step=stop,
        )
    resumed = fit(model("all-linear"), splits(), recipe, run_dir=tmp_path / "b", progress=False)
    for name, array in whole.model.state_dict().items():
        np.testing.assert_array_equal(array, resumed.model.state_dict()[name])
    for first, second in zip(whole.history, resumed.history, strict=True):
        assert {**first, "seconds": 0} == {**second, "seconds": 0}
    assert whole.metrics == resumed.metrics


def test_ctrl_c_keeps_best_and_last(tmp_path):
    # whoever started the tests may have had Ctrl-C ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt(step, net):
        if step == 8:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match="after step 8 of 18"):
        fit(model(), splits(), QUICK, run_dir=tmp_path, progress=False, on_step=interrupt)
    signal.signal(signal.SIGINT, before)
    assert (tmp_path / "best.safetensors").exists()
    assert len(load_run(tmp_path).history) == 1
    resumed = fit(model(), splits(), QUICK, run_dir=tmp_path, progress=False)
    whole = fit(model(), splits(), QUICK, progress=False)
    for name, array in whole.model.state_dict().items():
        np.testing.assert_array_equal(array, resumed.model.state_dict()[name])


def test_early_stopping_counts_epochs_without_gain():
    run = fit(
        model(),
        splits(),
        QUICK,
        epochs=30,
        lr=1e-12,
        min_lr=0.0,
        patience=2,
        monitor="acc",
        progress=False,
    )
    assert len(run.history) == run.history.best_epoch + 2


def test_a_loss_that_is_not_finite_names_step_and_parameter(tmp_path):
    net = model()

    def poison(step, network):
        if step == 9:
            network.blocks[1].mlp.fc2.weight.data[0, 0] = np.nan

    with pytest.raises(TrainingError, match=r"step 10 of 18.*'blocks\.1\.mlp\.fc2\.weight'"):
        fit(net, splits(), QUICK, run_dir=tmp_path, progress=False, on_step=poison)
    # the last good state: finite, and where the epoch before ended
    kept = load_run(tmp_path)
    assert all(np.isfinite(a).all() for a in kept.model.state_dict().values())
    assert len(kept.history) == 1
    assert all(np.isfinite(a).all() for a in net.state_dict().values())


def test_an_exploding_run_stops_with_a_clear_error():
    with (
        pytest.raises(TrainingError, match=r"at step \d+ of .*smaller lr"),
        np.errstate(all="ignore"),
    ):
        fit(
            model(),
            splits(),
            QUICK,
            optimizer="sgd",
            lr=1e30,
            warmup_epochs=0,
            clip_norm=0,
            progress=False,
        )


def test_bad_data():
    data = splits()
    with pytest.raises(DataFileError, match="no images"):
        fit(model(), Splits(no_images(data.train), data.val, data.test), progress=False)
    with pytest.raises(ConfigError, match=r"batch_size: expected 1 to 40 \(the images"):
        fit(model(), splits(40), batch_size=64, progress=False)
    with pytest.raises(ConfigError, match="4 classes, the model expects 3"):
        fit(model(num_classes=3), data, progress=False)
    with pytest.raises(ConfigError, match="8 pixels a side, the model expects 12"):
        fit(model(image_size=12), data, progress=False)
    with pytest.raises(ConfigError, match="unknown recipe field 'epoch'"):
        fit(model(), data, epoch=3, progress=False)
    with pytest.raises(ConfigError, match="seed"):
        fit(model(), data, seed=-1, progress=False)


def test_no_validation_images_is_allowed():
    data = splits()
    run = fit(model(), Splits(data.train, no_images(data.val), data.test), QUICK, progress=False)
    assert run.history["val_acc"] == [None] * 3
    assert run.history.best_epoch == 3
    assert "val" not in run.metrics


def test_checkpoint_of_another_run_is_refused(tmp_path):
    fit(model(), splits(), QUICK, run_dir=tmp_path, progress=False)
    with pytest.raises(
        CheckpointError, match=r"belongs to another run: recipe\.optimizer\.lr was 0\.005, now 0\.1"
    ):
        fit(model(), splits(), QUICK, lr=0.1, run_dir=tmp_path, progress=False)
    with pytest.raises(CheckpointError, match=r"model\.depth was 2, now 1"):
        fit(model(depth=1), splits(), QUICK, run_dir=tmp_path, progress=False)
    with pytest.raises(CheckpointError, match="data was"):
        fit(
            model(),
            splits(seed=3),
            QUICK,
            run_dir=tmp_path,
            preprocessing=load_run(tmp_path).preprocessing,
            progress=False,
        )
    again = fit(model(depth=1), splits(), QUICK, run_dir=tmp_path, resume=False, progress=False)
    assert load_run(tmp_path).model.config == again.model.config


def test_damaged_run_folders(tmp_path):
    with pytest.raises(CheckpointError, match=r"not a run folder.*config\.json"):
        load_run(tmp_path)
    run = tmp_path / "run"
    fit(model(), splits(), QUICK, run_dir=run, progress=False)
    other = tmp_path / "other"
    fit(model(depth=1), splits(), QUICK, run_dir=other, progress=False)
    (run / "model.safetensors").write_bytes((other / "model.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match=r"of another model.*blocks\.1"):
        load_run(run)
    config = json.loads((run / "config.json").read_text())
    del config["class_names"]
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="class_names"):
        load_run(run)


def test_epochs_visit_each_image_once_and_differ():
    data = dataset(96)
    batches = training_batches(data, _preprocessing(data), QUICK, 0)
    orders = [batches.order(epoch) for epoch in range(2)]
    for order in orders:
        assert sorted(order) == list(range(96))
    assert (orders[0] != orders[1]).any()
    a, b = batches.batch(7), batches.batch(7)
    np.testing.assert_array_equal(a.images, b.images)
    np.testing.assert_array_equal(a.indices, orders[1][16:32])


def test_balanced_order_draws_classes_equally():
    labels = np.array([0] * 90 + [1] * 9 + [2])
    order = balanced_order(labels, np.random.default_rng(0))
    counts = np.bincount(labels[order], minlength=3)
    assert len(order) == 100
    assert counts.min() >= 32
    assert len(np.unique(order[labels[order] == 1])) == 9


def test_mixup_blends_targets_as_images(rng):
    images = np.zeros((8, 1, 4, 4), np.float32)
    goal = np.eye(8, dtype=np.float32)
    images[:, 0, 0, 0] = np.arange(8)
    mixed, blended = mixup(images, goal, 0.4, rng)
    np.testing.assert_allclose(blended.sum(1), 1, rtol=1e-6)
    # the marker pixel is linear in the class number, so that the target predicts it
    np.testing.assert_allclose(mixed[:, 0, 0, 0], blended @ np.arange(8), rtol=1e-5)
    assert (blended.max(1) >= 0.5).all()


def test_ordinal_targets_spread_to_neighbours():
    soft = targets(np.array([0, 2]), Task.ORDINAL, 5, 0.5)
    np.testing.assert_allclose(soft.sum(1), 1, rtol=1e-6)
    assert soft[1].argmax() == 2
    assert soft[1][1] == soft[1][3] > soft[1][0]
    np.testing.assert_array_equal(targets(np.array([1]), Task.ORDINAL, 3, 0.0), [[0, 1, 0]])


def _preprocessing(data):
    from tinyternary.data import fit_preprocessing

    return fit_preprocessing(data)


def test_data_is_checked_once_at_the_door(monkeypatch):
    """Behind it everybody trusts: no second look by the loop, the batches or the evaluation."""
    data, seen = splits(), []
    check = type(data.train).check_fits
    monkeypatch.setattr(
        type(data.train),
        "check_fits",
        lambda part, *rest: (seen.append(part.split), check(part, *rest)),
    )
    made = type(data.train).__post_init__
    monkeypatch.setattr(
        type(data.train), "__post_init__", lambda part: (seen.append("made"), made(part))[1]
    )
    fit(model(), data, epochs=2, batch_size=16, progress=False)
    assert seen == ["train", "val", "test"]
    small = data.train.subset(slice(None, None, 2))
    assert small.labels.flags.c_contiguous
    assert (len(small), seen) == (48, ["train", "val", "test"])
