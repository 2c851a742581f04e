"""`fit` and `distill` of networks that are no ViT, on images and on rows of numbers."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import tinyternary as tt
from tests.train.small import model as small_vit, splits
from tinyternary.errors import CheckpointError, ConfigError, DataFileError

QUICK: dict[str, Any] = {"batch_size": 16, "lr": 1e-2, "progress": False}


def mlp(*widths: int, seed: int = 0, dropout: float = 0.0) -> tt.nn.Sequential:
    rng = np.random.default_rng(seed)
    layers: list[tt.nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [tt.nn.Linear(inputs, outputs, rng=rng), tt.nn.GELU(), tt.nn.Dropout(dropout)]
    return tt.nn.Sequential(*layers[:-2])


def rows(count: int = 120, seed: int = 0) -> tt.data.Splits:
    """Two columns of very different size; the sign of their product is the class."""
    x = np.random.default_rng(seed).standard_normal((count, 2)) * (1.0, 1e4)
    return tt.data.table(x, (x[:, 0] * x[:, 1] > 0).astype(int)).divide(seed=seed)


@pytest.fixture(scope="module")
def digits() -> tt.data.Splits:
    from sklearn.datasets import load_digits

    return tt.data.table(*load_digits(return_X_y=True), name="digits").divide()


def test_an_mlp_reads_digits_in_seconds(digits: tt.data.Splits) -> None:
    begun = time.process_time()
    accuracy = [
        tt.train.fit(
            mlp(64, 64, 10, seed=seed), digits, seed=seed, lr=2e-2, epochs=30, progress=False
        ).metrics["test"]["acc"]
        for seed in range(3)
    ]
    assert np.mean(accuracy) > 0.95
    assert time.process_time() - begun < 30


def test_of_epochs_with_the_same_score_the_one_with_less_loss_is_kept() -> None:
    """An AUC of 1 says that classes can be told apart, not yet that they are."""
    x = np.random.default_rng(0).standard_normal((200, 2))
    data = tt.data.table(x, (x[:, 0] > x[:, 1]).astype(int)).divide()
    run = tt.train.fit(mlp(2, 16, 2), data, **QUICK)
    tied = [row["val_loss"] for row in run.history if row["val_auc"] == 1.0]
    assert run.history["val_loss"][run.history.best_epoch - 1] == min(tied) < tied[0]


def test_nothing_that_only_images_have_touches_rows(digits: tt.data.Splits) -> None:
    run = tt.train.fit(
        mlp(64, 10), digits, epochs=1, progress=False, augment="microscopy", flips="both", shifts=2
    )
    assert (run.recipe.augment, run.recipe.flips, run.recipe.shifts) == ("none", "none", 0)


def test_columns_are_standardised_and_a_constant_one_is_left_at_zero() -> None:
    x = np.array([[1, 5], [3, 5], [5, 5], [7, 5]], np.float64)
    prepare = tt.data.fit_preprocessing(tt.data.table(x, [0, 1, 0, 1]))
    expected = np.stack([(x[:, 0] - 4) / np.sqrt(5), np.zeros(4)], 1)
    np.testing.assert_allclose(prepare(x), expected, rtol=1e-6)
    assert prepare(x).dtype == np.float32


def test_own_preprocessing_and_none_at_evaluation() -> None:
    from tinyternary.config import Standardization

    data = rows()
    as_is = Standardization((0.0, 0.0), (1.0, 1.0))
    run = tt.train.fit(mlp(2, 4, 2), data, epochs=1, preprocessing=as_is, **QUICK)
    assert run.preprocessing is as_is
    judged = tt.evaluate.evaluate(run.model, data.test)
    assert judged["loss"] == run.metrics["test"]["loss"]
    with pytest.raises(ConfigError, match="flips and shifts are for images"):
        tt.evaluate.evaluate(run.model, data.test, flips="horizontal")


def test_mixup_blends_rows() -> None:
    x = np.arange(8, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)
    mixed, goal = tt.data.mixup(x, np.eye(8, dtype=np.float32), 0.4, np.random.default_rng(0))
    np.testing.assert_allclose(mixed[:, 2], goal @ np.arange(8), rtol=1e-5)


def test_a_run_of_rows_resumes_to_the_same_bits_and_is_read_back(tmp_path: Any) -> None:
    data, recipe = rows(), {**QUICK, "epochs": 4, "save_seconds": 0.0, "mixup": 0.2}
    whole = tt.train.fit(mlp(2, 8, 2, dropout=0.1), data, run_dir=tmp_path / "a", **recipe)

    def stop(step: int, model: tt.nn.Module) -> None:
        if step == 7:
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        tt.train.fit(
            mlp(2, 8, 2, dropout=0.1), data, run_dir=tmp_path / "b", on_step=stop, **recipe
        )
    resumed = tt.train.fit(mlp(2, 8, 2, dropout=0.1), data, run_dir=tmp_path / "b", **recipe)
    back = tt.train.load_run(tmp_path / "a", model=mlp(2, 8, 2, dropout=0.1, seed=6))
    for name, array in whole.model.state_dict().items():
        np.testing.assert_array_equal(array, resumed.model.state_dict()[name])
        np.testing.assert_array_equal(array, back.model.state_dict()[name])
    assert back.preprocessing == whole.preprocessing
    with pytest.raises(CheckpointError, match=r"a Sequential, which only you.*model=\.\.\."):
        tt.train.load_run(tmp_path / "a")
    with pytest.raises(CheckpointError, match="of another model"):
        tt.train.load_run(tmp_path / "a", model=mlp(2, 9, 2))
    with pytest.raises(CheckpointError, match="belongs to another run: model"):
        tt.train.fit(mlp(2, 9, 2), data, run_dir=tmp_path / "a", **recipe)


class Probe(tt.nn.Module):
    """A network of a learner's own that reads images (B, C, H, W)."""

    def __init__(self, classes: int) -> None:
        self.head = tt.nn.Linear(64, classes)

    def forward(self, x: Any) -> tt.Tensor:
        x = x if isinstance(x, tt.Tensor) else tt.Tensor(x)
        return self.head(x.reshape(x.shape[0], -1))  # type: ignore[no-any-return]


def test_a_network_of_ones_own_learns_images_and_sees_them_augmented() -> None:
    run = tt.train.fit(Probe(4), splits(192), epochs=10, augment="none", **QUICK)
    assert run.metrics["test"]["acc"] > 0.9
    # it reads pixels where they stand: moved ones are harder, so that they must have moved
    moved = tt.train.fit(Probe(4), splits(192), epochs=10, augment="light", **QUICK)
    assert moved.recipe.augment == "light"
    assert moved.history["train_loss"][-1] > run.history["train_loss"][-1]


def test_a_ternary_mlp_learns_from_an_mlp_and_from_augmented_images_too() -> None:
    data = rows(400)
    teacher = tt.train.fit(mlp(2, 32, 2), data, epochs=30, **{**QUICK, "lr": 3e-2})
    student = tt.quant.ternarize(mlp(2, 64, 2), {"layers.3": "absmean"})
    run = tt.train.distill(student, teacher, data, feature="none", epochs=30, **QUICK)
    assert teacher.metrics["test"]["acc"] > 0.9
    assert run.metrics["test"]["acc"] > 0.85
    images = splits()
    other = tt.train.distill(
        Probe(4), small_vit(), images, feature="none", augment="light", epochs=1, **QUICK
    )
    assert np.isfinite(other.history["train_loss"]).all()
    with pytest.raises(ConfigError, match="two ViTs, these are a Probe and a ViT; give feature="):
        tt.train.distill(Probe(4), small_vit(), images, epochs=1, **QUICK)


class Nothing(tt.nn.Module):
    def forward(self, x: Any) -> tt.Tensor:
        return tt.Tensor(x)


class Plain(Probe):
    def forward(self, x: Any) -> Any:
        return np.zeros((len(x), 4), np.float32)


@pytest.mark.parametrize(
    ("network", "given", "message"),
    [
        (object(), rows(), "model: expected a tinyternary Module.*got object"),
        (Nothing(), rows(), "the Nothing has no parameters to train"),
        (mlp(2, 2), (np.ones((4, 2)), [0, 1, 0, 1]), r"got tuple; for arrays: tt\.data\.table"),
        (mlp(2, 5), rows(), r"gives a Tensor of shape \(2, 5\), expected .* \(2, 2\): one number"),
        (Plain(4), splits(), r"inputs of shape \(8, 8, 1\) the Plain gives a ndarray"),
        (small_vit(), rows(), r"rows of numbers, the model is a ViT.*tt\.nn\.Sequential"),
    ],
)
def test_what_does_not_fit_says_what_to_do(network: Any, given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tt.train.fit(network, given, epochs=1, progress=False)


def test_tables_that_are_none() -> None:
    x, y = np.ones((4, 3)), [0, 1, 1, 0]
    with pytest.raises(DataFileError, match=r"expected rows of floats \(N, D\), got int64"):
        tt.data.table(x.astype(np.int64), y)
    with pytest.raises(DataFileError, match=r"got float64 \(4, 3, 1\); as in rows\.reshape"):
        tt.data.table(x[..., None], y)
    with pytest.raises(DataFileError, match="expected integer labels"):
        tt.data.table(x, np.array(y, float))
    with pytest.raises(DataFileError, match=r"integer labels of shape \(4,\)"):
        tt.data.table(x, y[:3])
    x[2, 1] = np.nan
    with pytest.raises(DataFileError, match="row 2 has a number that is not finite"):
        tt.data.table(x, y)
    with pytest.raises(ConfigError, match="leave some to train on"):
        tt.data.table(np.ones((4, 3)), y).divide(val=0.5, test=0.5)


def test_divide_deals_each_row_out_once() -> None:
    whole = tt.data.table(np.arange(50, dtype=np.float64)[:, None], np.arange(50) % 2)
    parts = whole.divide(val=0.2, test=0.1, seed=3)
    assert [(part.split, len(part)) for part in parts] == [("train", 35), ("val", 10), ("test", 5)]
    dealt = np.concatenate([part.images[:, 0] for part in parts])
    assert sorted(dealt) == list(range(50))
    again = whole.divide(val=0.2, test=0.1, seed=3)
    np.testing.assert_array_equal(again.test.images, parts.test.images)
    assert (whole.divide(seed=4).train.images[:5] != whole.divide(seed=5).train.images[:5]).any()
