"""Which weights a run keeps: a running mean as its formula has it, and the epoch it is asked for."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.train.small import model, splits
from tinyternary.autograd import Tensor
from tinyternary.config import LayerQuant
from tinyternary.data import Splits
from tinyternary.evaluate import evaluate
from tinyternary.train import Recipe, WeightAverage, fit

NOISY = Recipe(epochs=6, batch_size=16, lr=0.05, warmup_epochs=0.0, augment="none")


@given(
    decay=st.floats(0.0, 0.9999),
    weights=st.lists(st.floats(-10, 10, width=32), min_size=2, max_size=40),
)
def test_a_running_mean_is_a_sum_with_the_weights_of_its_paper(decay, weights):
    """decay_s = min(decay, (1 + s) / (10 + s)), as TensorFlow's ExponentialMovingAverage has it.

    Written out as a sum: step i counts (1 - decay_i) times all later decays.
    """
    parameter = Tensor(np.float32([weights[0]]), requires_grad=True)
    average = WeightAverage({"w": parameter}, decay)
    for value in weights[1:]:
        parameter.data[...] = value
        average.update()
    steps = np.arange(1, len(weights))
    decays = np.minimum(decay, (1 + steps) / (10 + steps))
    later = np.append(np.cumprod(decays[::-1])[::-1], 1.0)  # product of all decays from i on
    share = np.concatenate(([later[0]], (1 - decays) * later[1:]))
    assert share.sum() == pytest.approx(1)
    assert average.arrays["w"][0] == pytest.approx(share @ np.float64(weights), abs=1e-4)


def test_the_random_start_is_forgotten_within_a_few_steps():
    parameter = Tensor(np.float32([1000.0]), requires_grad=True)
    average = WeightAverage({"w": parameter}, 0.9999)
    parameter.data[...] = 0
    for _ in range(10):
        average.update()
    # product of (1 + s) / (10 + s) over s = 1 ... 10 is 11! 10! / 20!
    assert average.arrays["w"][0] == pytest.approx(1000 * 0.0000595, rel=0.01)


@pytest.mark.parametrize(("monitor", "best"), [("loss", min), ("acc", max), ("auc", max)])
def test_the_epoch_kept_is_the_best_by_what_is_watched(monitor, best):
    data = splits()
    run = fit(model(), data, NOISY, monitor=monitor, progress=False, test=False)
    values = run.history[f"val_{monitor}"]
    losses = run.history["val_loss"]
    assert len(set(losses)) > 1
    # of equal ones, the one with less loss
    epochs = [i for i, value in enumerate(values) if value == best(values)]
    wanted = min(epochs, key=lambda i: losses[i])
    assert run.history.best_epoch == wanted + 1
    found = evaluate(run.model, data.val, run.preprocessing, resamples=0)
    assert found["loss"] == pytest.approx(losses[wanted], rel=1e-6)
    assert found[monitor] == pytest.approx(values[wanted], rel=1e-6)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_validation_asks_the_averaged_weights(keep):
    """What is watched are the weights that would be kept."""
    data = splits()
    run = fit(model(), data, NOISY, ema=0.9, keep=keep, monitor="loss", progress=False, test=False)
    row = run.history.rows[-1 if keep == "last" else run.history.best_epoch - 1]
    found = evaluate(run.model, data.val, run.preprocessing, resamples=0)
    assert found["loss"] == pytest.approx(row["val_loss"], rel=1e-6)
    assert found["acc"] == row["val_acc"]


def test_an_epochs_training_loss_is_the_mean_over_its_images():
    data, net = splits(), model(dropout=0.0, drop_path=0.0)
    run = fit(net, data, NOISY, epochs=2, lr=1e-12, min_lr=0.0, progress=False, test=False)
    loss = evaluate(net, data.train, run.preprocessing, resamples=0)["loss"]
    assert run.history["train_loss"] == pytest.approx([loss, loss], rel=1e-5)


def test_a_run_stops_after_so_many_epochs_without_gain():
    """Epochs counted here: the best one, and no more than the patience after it."""
    run = fit(model(), splits(), NOISY, epochs=40, lr=0.3, patience=3, monitor="loss",
              progress=False, test=False)  # fmt: skip
    losses = run.history["val_loss"]
    assert len(losses) < 40
    assert len(losses) - (1 + int(np.argmin(losses))) == 3
    for end in range(1, len(losses)):  # it did not stop late
        assert end - (1 + int(np.argmin(losses[:end]))) < 3


@pytest.mark.parametrize("limit", [1e-3, 1e-2])
def test_a_step_of_sgd_is_no_longer_than_the_rate_times_the_clip(limit):
    net = model()
    before = {name: array.copy() for name, array in net.state_dict().items()}
    moved = []

    def measure(step, network):
        state = network.state_dict()
        moved.append(sum(float(np.square(state[n] - a, dtype=float).sum())
                         for n, a in before.items()) ** 0.5)  # fmt: skip

    fit(net, splits(), NOISY, epochs=1, batch_size=96, optimizer="sgd", momentum=0.0, lr=0.5,
        weight_decay=0.0, clip_norm=limit, on_step=measure, progress=False, test=False)  # fmt: skip
    assert moved == [pytest.approx(0.5 * limit, rel=1e-2)]


def test_layers_become_ternary_over_the_first_epochs_and_sharper_to_the_end():
    """Strength s / S over the steps of so many epochs; sharpness k^(s / total)."""
    seen = []

    def look(step, network):
        layer = network.blocks[0].mlp.fc1
        seen.append((layer.strength, layer.quantizer.sharpness))

    fit(model({"*.fc1": LayerQuant("absmean", ste="soft")}), splits(), NOISY, epochs=4,
        gradual_epochs=2, sharpness=16.0, on_step=look, progress=False, test=False)  # fmt: skip
    steps = np.arange(24)
    strengths, sharp = zip(*seen)
    np.testing.assert_allclose(strengths, np.minimum(1, steps / 12))
    np.testing.assert_allclose(np.float64(sharp), 16.0 ** (steps / 24))


def test_of_equally_good_epochs_the_one_with_less_loss():
    data, earlier = splits(), []
    few = Splits(data.train, data.val.subset(slice(0, 4)), data.test)
    for seed in range(4):
        run = fit(model(depth=1), few, NOISY, monitor="acc", seed=seed, progress=False, test=False)
        accuracies, losses = run.history["val_acc"], run.history["val_loss"]
        equal = [i for i, value in enumerate(accuracies) if value == max(accuracies)]
        wanted = min(equal, key=lambda i: losses[i])
        assert run.history.best_epoch == wanted + 1
        earlier.append(wanted < equal[-1])
    assert any(earlier)  # else nothing was asked
