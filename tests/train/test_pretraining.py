from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.train.small import dataset, model, splits
from tinyternary.data import fit_preprocessing
from tinyternary.errors import CheckpointError, ConfigError
from tinyternary.experiments import Experiment, reproduction, run_experiment
from tinyternary.train import Recipe, load_run, pretrain
from tinyternary.train.fit import training_batches
from tinyternary.train.pretrain import (
    MaskedImages,
    Pretraining,
    cells,
    random_cells,
    together,
)


@given(grid=st.integers(2, 9), share=st.floats(0.05, 0.95), seed=st.integers(0, 9))
def test_hidden_cells_come_in_groups_and_never_all(grid, share, seed):
    hidden = random_cells(5, grid, share, np.random.default_rng(seed))
    assert hidden.shape == (5, grid, grid)
    counts = hidden.reshape(5, -1).sum(1)
    assert (counts > 0).all()
    assert (counts < grid * grid).all()
    if grid < 4:
        return
    first = hidden[:, : grid // 2 * 2, : grid // 2 * 2]
    groups = first.reshape(5, grid // 2, 2, grid // 2, 2).sum((2, 4))
    assert set(np.unique(groups)) <= {0, 4}


def test_cells_are_the_pixels_of_their_tokens():
    config = model(patch_size=4).config
    images = np.arange(64, dtype=np.float32).reshape(1, 1, 8, 8)
    np.testing.assert_array_equal(cells(images, config)[0, 1], images[0, 0, :4, 4:].ravel())


def test_loss_counts_hidden_pixels_only_and_hides_them():
    data = dataset(16)
    net = model(dropout=0.0, drop_path=0.0)
    objective = MaskedImages(net, 0.5, 0)
    prepare = fit_preprocessing(data)
    batch = training_batches(data, prepare, Recipe(batch_size=8, augment="none"), 0).batch(0)
    before = float(objective(batch))
    # hidden pixels are not seen by the network: only the target changes with them
    hidden = random_cells(8, 2, 0.5, np.random.default_rng([0, 4, 0]))
    assert hidden.any()
    shown = ~hidden.repeat(4, 1).repeat(4, 2)[:, None]
    assert before > 0
    if shown.any():
        batch.images[np.broadcast_to(shown, batch.images.shape)] += 1.0
        assert float(objective(batch)) != before


def test_pretraining_learns_pixels_and_keeps_the_decoder_out():
    net = model(patch_size=2, dropout=0.0, drop_path=0.0)
    run = pretrain(
        net,
        splits(128),
        Pretraining(epochs=10, batch_size=16, lr=5e-3, augment="none"),
        progress=False,
    )
    losses = run.history["train_loss"]
    assert losses[-1] < 0.9 * losses[0]
    assert run.metrics == {}
    assert not any("decoder" in name for name in net.state_dict())


@given(patch=st.integers(1, 9), stride=st.integers(1, 9), steps=st.integers(0, 5))
def test_cells_lie_in_the_middle_of_their_patches(patch, stride, steps):
    stride = min(stride, patch)
    size = patch + stride * steps - 2 * ((patch - stride) // 2)
    net = model(patch_size=patch, stride=stride, image_size=size)
    numbers = np.arange(1, 1 + size * size, dtype=np.float32).reshape(1, 1, size, size)
    margin = net.config.padding
    patches = net.patch_embed.unfold(numbers).reshape(-1, patch, patch)
    middle = patches[:, margin : margin + stride, margin : margin + stride]
    np.testing.assert_array_equal(
        cells(numbers, net.config)[0], middle.reshape(-1, stride * stride)
    )


def test_hidden_pixels_are_zero_and_the_last_row_and_column_may_have_no_cell():
    net = model(patch_size=2, stride=1)  # 7 x 7 cells of one pixel each, of 8 x 8
    seen = []
    net.embed = lambda images: seen.append(images) or type(net).embed(net, images)
    data = dataset(16)
    batch = training_batches(
        data, fit_preprocessing(data), Recipe(batch_size=8, augment="none"), 0
    ).batch(0)
    before = batch.images.copy()
    MaskedImages(net, 0.5, 0)(batch)
    hidden = random_cells(8, 7, 0.5, np.random.default_rng([0, 4, 0]))
    wanted = before.copy()
    wanted[:, :, :7, :7][hidden[:, None]] = 0
    np.testing.assert_array_equal(seen[0], wanted)
    np.testing.assert_array_equal(batch.images, before)


def test_other_images_are_learned_from_without_their_labels(tmp_path):
    first = dataset(32)
    color = replace(dataset(8, seed=1), images=np.repeat(dataset(8, seed=1).images, 3, 3))
    labels = replace(dataset(8, seed=2), labels=np.full(8, 3))
    images = together(first, [color, labels])
    wanted = [first.images, color.images[..., :1], labels.images]  # grey in three channels
    np.testing.assert_array_equal(images.images, np.concatenate(wanted))
    assert not images.labels.any()
    data = replace(splits(32), train=first)
    plan = Pretraining(epochs=1, batch_size=16, augment="none")
    run = pretrain(model(), data, plan, more=[color, labels], run_dir=tmp_path, progress=False)
    assert run.history["step"] == [3]  # 48 images
    assert run.config["more"] == ["quarters", "quarters"]
    with pytest.raises(CheckpointError, match="another run"):
        pretrain(model(), data, plan, run_dir=tmp_path, progress=False)


def test_other_images_have_to_have_the_size_of_the_first():
    small = replace(dataset(8), images=dataset(8).images[:, :4, :4])
    with pytest.raises(ConfigError, match="4 pixels a side"):
        together(dataset(8), [small])


def test_pretraining_on_a_data_set_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="bloodmnist"):
        Pretraining(datasets=["bloodmnits"])


def test_an_experiment_reads_the_other_images_it_names(monkeypatch):
    names = []

    def load(name, root=None):
        names.append(name)
        return splits(48, seed=len(names))

    monkeypatch.setattr(reproduction, "load", load)
    monkeypatch.setattr(
        reproduction, "read_experiment", lambda _: PLAN.model_copy(update={
            "dataset": "breastmnist",
            "pretraining": Pretraining(epochs=1, datasets=["breastmnist", "bloodmnist"]),
        }),
    )  # fmt: skip
    found = reproduction.reproduce("breastmnist", seeds=[0], progress=False)
    assert names == ["breastmnist", "bloodmnist"]
    assert found.config["pretraining"]["more"] == ["quarters"]


QUICK = Recipe(epochs=2, batch_size=16, augment="none")
PLAN = Experiment(
    name="quick", preset="tiny", model={"patch_size": 4, "width": 16, "depth": 1, "heads": 2, "mlp_width": 32},
    pretraining=Pretraining(epochs=1), teacher=QUICK,
    student=QUICK.model_copy(update={"start_from_teacher": True, "feature": "none"}),
)  # fmt: skip


def test_an_experiment_leaves_run_folders_and_is_not_run_twice(tmp_path):
    teacher, student = run_experiment(PLAN, splits(), out=tmp_path, progress=False)
    assert not teacher.model.policy
    assert set(student.model.policy) == {
        f"blocks.0.{name}" for name in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
    }
    stamp = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("last.safetensors")}
    assert len(stamp) == 3
    again = run_experiment(PLAN, splits(), out=tmp_path, progress=False)
    assert again[1].metrics == student.metrics
    assert {p: p.stat().st_mtime_ns for p in stamp} == stamp
    assert load_run(tmp_path / "student").metrics["test"]["acc"] == student.metrics["test"]["acc"]
