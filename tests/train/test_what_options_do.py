"""What a recipe's options do, not only that they work: depths, masks, shares and losses."""

import numpy as np
import pytest

import tinyternary as tt
from tests.train.small import dataset, model
from tinyternary.autograd import Tensor
from tinyternary.config import LayerQuant, Task
from tinyternary.evaluate.evaluation import mean_loss
from tinyternary.nn import DropPath
from tinyternary.quant.activations.trits import TernaryActivation
from tinyternary.train import Recipe, fit
from tinyternary.train.fit import set_dropout


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_drop_path_rises_with_depth_from_none_to_what_was_asked(depth):
    network = model(depth=depth)
    set_dropout(network, Recipe(drop_path=0.3))
    found = [block.drop_path.p for block in network.blocks]
    expected = np.linspace(0, 0.3, depth) if depth > 1 else [0.0]
    np.testing.assert_allclose(found, expected)
    assert sum(isinstance(m, DropPath) for m in network.modules()) == depth


class Masks(tt.nn.Module):
    """A linear classifier of rows that notes down what its dropout let through."""

    def __init__(self):
        self.head = tt.nn.Linear(2, 2)
        self.drop = tt.nn.Dropout(0.5)
        self.seen = []

    def forward(self, x):
        if self.training:
            self.seen.append(self.drop(np.ones(64, np.float32)).data > 0)
        return self.head(x)


def test_every_step_drops_others_and_a_second_run_the_same():
    rng = np.random.default_rng(0)
    data = tt.data.table(rng.standard_normal((40, 2)), np.arange(40) % 2).divide()
    runs = []
    for seed in (0, 0, 1):
        network = Masks()
        fit(network, data, epochs=3, batch_size=8, seed=seed, progress=False, test=False)
        runs.append(np.array(network.seen))
    steps = len(runs[0])
    assert steps >= 9
    assert len({mask.tobytes() for mask in runs[0]}) == steps
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not any((a == b).all() for a, b in zip(runs[0], runs[2]))


def test_gamma_darkens_by_the_power_that_the_table_names():
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    for severity, power in enumerate((1.3, 1.6, 2.0, 2.5, 3.2), start=1):
        found = tt.data.corrupt(ramp, "gamma", severity).ravel().astype(float)
        np.testing.assert_allclose(found, 255 * (np.arange(256) / 255) ** power, atol=0.51)


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("far", [1e-6, 1.0, 9.0, 40.0, 500.0])
def test_the_mean_loss_is_that_of_training_however_sure_the_network_is(task, far):
    """Without a limit: neither where it is nearly 0 nor where it is large."""
    data = dataset(16, task=task)
    rng = np.random.default_rng(0)
    right = np.array(data.labels)
    if task is not Task.MULTI_LABEL:
        right = np.eye(data.num_classes)[right]
    for side in (1.0, -1.0):  # sure and right, sure and wrong
        logits = side * far * (2 * right - 1) + 0.1 * rng.standard_normal(right.shape)
        loss = tt.nn.bce_with_logits if task is Task.MULTI_LABEL else tt.nn.cross_entropy
        expected = loss(Tensor(logits), right).item()
        assert mean_loss(logits, data) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("ste", ["identity", "clipped", "soft", "scaled"])
@pytest.mark.parametrize("per", ["token", "tensor"])
@pytest.mark.parametrize("threshold", [-3.0, -1e-3, 0.0, 0.5])
def test_a_learned_threshold_below_0_counts_as_0_forward_and_backward(threshold, per, ste):
    rng = np.random.default_rng(0)
    x, upstream = rng.standard_normal((2, 6, 16)).astype(np.float32)
    x[:, ::5] = 0  # these alone lie between a threshold below 0 and 0

    def run(value):
        name = "ternary-learned" if per == "token" else "ternary-tensor-learned"
        quantizer = TernaryActivation(LayerQuant(activation=name, ste=ste))
        quantizer.threshold.data[...] = value
        given = Tensor(x, requires_grad=True)
        result = quantizer(given)
        result.backward(upstream)
        return result.data, given.grad, quantizer.threshold.grad, quantizer.level.grad

    for found, expected in zip(run(threshold), run(max(threshold, 0.0))):
        np.testing.assert_array_equal(found, expected)
    assert ((run(threshold)[0] == 0).mean() > 0.3) == (threshold > 0)
