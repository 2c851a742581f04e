"""Figures of the microscope and of sensitivity: the numbers drawn are the numbers given."""

from __future__ import annotations

import numpy as np
import pytest

from tinyternary.errors import ConfigError
from tinyternary.models import ViT, preset
from tinyternary.quant import Microscope, ternarize
from tinyternary.report import training_steps as figures
from tinyternary.report.layer_choice import budget_path, layer_sensitivity
from tinyternary.report.style import data_uri


@pytest.fixture(scope="module")
def record():
    model = ternarize(ViT(preset("tiny", depth=3)), "all-linear")
    scope = Microscope(every=10)
    rng = np.random.default_rng(0)
    for step in range(0, 60, 10):
        scope.record(step, model)
        for parameter in model.parameters():
            parameter.data += rng.normal(0, 0.003, parameter.shape).astype(np.float32)
    return scope.to_dict()


def test_overview_has_a_line_per_layer_and_measure(record):
    figure = figures.over_time(record)
    panels = [ax for ax in figure.axes if ax.lines]
    assert len(panels) == 6
    for ax, measure in zip(panels, figures.PANELS):
        assert len(ax.lines) == 12
        drawn = ax.lines[4].get_ydata()
        values = np.array(record["layers"]["blocks.1.attn.qkv"][measure])
        np.testing.assert_allclose(drawn, values / values[0] if measure == "scale" else values)
        np.testing.assert_array_equal(ax.lines[4].get_xdata(), record["steps"])
    looks = {(line.get_color(), line.get_linestyle()) for line in panels[0].lines}
    assert len(looks) == 12, "every layer has a look of its own"
    assert data_uri(figure).startswith("data:image/svg+xml")


def test_shares_and_latent_weights_of_one_layer(record):
    figure = figures.shares_over_time(record, "blocks.0.mlp.fc1")
    assert len(figure.axes[0].collections) == 3
    figure = figures.latent_over_time(record, "blocks.0.mlp.fc1")
    mesh = figure.axes[0].collections[0]
    expected = np.array(record["layers"]["blocks.0.mlp.fc1"]["histograms"]).T
    np.testing.assert_allclose(mesh.get_array().reshape(expected.shape), expected)
    limits = record["layers"]["blocks.0.mlp.fc1"]["threshold"]
    np.testing.assert_allclose(figure.axes[0].lines[2].get_ydata(), limits)
    with pytest.raises(ConfigError, match="Did you mean"):
        figures.latent_over_time(record, "blocks.0.mlp.fc9")


def test_one_record_can_be_drawn():
    scope = Microscope()
    scope.record(0, ternarize(ViT(preset("tiny", depth=1)), "all-linear"))
    figures.over_time(scope.to_dict())
    figures.latent_over_time(scope.to_dict(), "blocks.0.mlp.fc1")


def test_sensitivity_bars_start_at_the_ends():
    rows = [
        {"name": f"layer{i}", "weights": 4, "only_ternary": {"loss": 1.0 + i, "accuracy": 0.5},
         "only_float": {"loss": 5.0 - i, "accuracy": 0.5}} for i in range(3)
    ]  # fmt: skip
    ends = {"all_float": {"loss": 0.5, "accuracy": 1}, "all_ternary": {"loss": 6.0, "accuracy": 0}}
    figure = layer_sensitivity({"layers": rows, **ends, "images": 5})
    left, right = figure.axes
    assert [bar.get_x() + bar.get_width() for bar in left.patches] == [1, 2, 3]
    assert [bar.get_x() for bar in left.patches] == [0.5] * 3
    assert [bar.get_x() + bar.get_width() for bar in right.patches] == [5, 4, 3]
    assert [t.get_text() for t in left.get_yticklabels()] == ["layer0", "layer1", "layer2"]


def test_the_path_to_a_budget():
    steps = [
        {"layer": "a", "quantizer": "int8", "nbytes": 3072, "loss": 1.0, "accuracy": 0.9},
        {"layer": "a", "quantizer": "twn", "nbytes": 2048, "loss": 1.5, "accuracy": 0.8},
    ]
    figure = budget_path({"steps": steps, "before": {"loss": 0.9}, "budget": 2500})
    line = figure.axes[0].lines[0]
    np.testing.assert_allclose(line.get_xdata(), [3, 2])
    np.testing.assert_allclose(line.get_ydata(), [1.0, 1.5])
    budget_path({"steps": [], "before": {"loss": 0.9}, "budget": 2500})
