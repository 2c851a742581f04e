"""The microscope against trits counted by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tinyternary.errors import ConfigError
from tinyternary.models import ViT, preset
from tinyternary.nn import Linear, Module
from tinyternary.quant import BitLinear, LayerQuant, Microscope, ternarize
from tinyternary.quant.analysis.microscope import EDGES, MEASURES


class OneLayer(Module):
    def __init__(self, weights, **rule):
        weights = np.asarray(weights, np.float32)
        linear = Linear(weights.shape[1], weights.shape[0])
        linear.weight.data[...] = weights
        self.fc = BitLinear(
            linear, LayerQuant(**({"weight": "learned-fixed", "threshold": 1.0} | rule)), "fc"
        )
        self.fc.quantizer.alpha.data[...] = 2.0


def test_every_measure_is_its_definition():
    # threshold 1, scale 2
    model = OneLayer([[-3.0, -1.05, 0.5, 4.0]])
    scope = Microscope(every=1)
    scope.record(0, model)
    model.fc.weight.data[...] = [[-3.0, -0.95, 1.5, 4.0]]  # two flips
    scope.record(4, model)
    model.fc.weight.data[...] = [[-3.0, -1.2, 1.5, 0.0]]  # two flips, one of them a return
    scope.record(5, model)
    values = scope.traces["fc"].values
    assert values["negative"] == [0.5, 0.25, 0.5]
    assert values["zero"] == [0.25, 0.25, 0.25]
    assert values["positive"] == [0.25, 0.5, 0.25]
    assert values["flips"] == [0, 2 / 4 / 4, 2 / 4]
    assert values["returns"] == [0, 0, 0.25]
    assert values["near"] == [0.25, 0.25, 0]
    assert values["scale"] == [2, 2, 2]
    assert values["threshold"] == [0.5, 0.5, 0.5]
    # distances to 1, over 2
    expected = [
        np.mean([2, 0.05, 0.5, 3]) / 2,
        np.mean([2, 0.05, 0.5, 3]) / 2,
        np.mean([2, 0.2, 0.5, 1]) / 2,
    ]
    np.testing.assert_allclose(values["distance"], expected, rtol=1e-5)
    signal = 9 + 1.05**2 + 0.25 + 16
    noise = 1 + 0.95**2 + 0.25 + 4
    assert values["sqnr_db"][0] == pytest.approx(10 * np.log10(signal / noise), rel=1e-5)
    histogram = np.array(scope.traces["fc"].histograms[0])
    assert histogram.sum() == pytest.approx(1)
    for weight in (-1.5, -0.525, 0.25, 2.0):
        assert histogram[np.searchsorted(EDGES, weight, "right") - 1] == 0.25
    assert scope.steps == [0, 4, 5]


def test_weights_far_out_are_counted_in_the_outer_bins():
    scope = Microscope()
    scope.record(0, OneLayer([[-300.0, 500.0]]))
    histogram = scope.traces["fc"].histograms[0]
    assert (histogram[0], histogram[-1]) == (0.5, 0.5)


def test_two_scales_and_groups_are_seen_as_they_are(rng):
    model = ternarize(ViT(preset("tiny", depth=1)), {"blocks.*": LayerQuant("ttq", 16)})
    scope = Microscope()
    scope.record(0, model)
    fc1 = model.blocks[0].mlp.fc1
    w, q = fc1.weight.data, fc1.quantized()
    noise = ((w - q.dequantize()) ** 2).sum()
    values = scope.traces["blocks.0.mlp.fc1"].values
    assert values["sqnr_db"][0] == pytest.approx(10 * np.log10((w**2).sum() / noise), rel=1e-4)
    assert values["positive"][0] == (q.trits > 0).mean()


def test_it_looks_at_multiples_of_every_and_at_the_layers_asked_for():
    model = ternarize(ViT(preset("tiny", depth=2)), "all-linear")
    scope = Microscope(every=5, layers="blocks.1.mlp.*")
    for step in range(1, 12):
        scope(step, model)
    assert scope.steps == [5, 10]
    assert list(scope.traces) == ["blocks.1.mlp.fc1", "blocks.1.mlp.fc2"]
    assert all(len(v) == 2 for v in scope.traces["blocks.1.mlp.fc1"].values.values())


def test_it_changes_nothing():
    model = ternarize(ViT(preset("tiny", depth=1)), "all-linear")
    before = {n: a.copy() for n, a in model.state_dict().items()}
    Microscope().record(0, model)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_it_survives_json():
    model = ternarize(ViT(preset("tiny", depth=1)), "all-linear")
    scope = Microscope(every=2)
    scope.record(2, model)
    model.blocks[0].mlp.fc1.weight.data *= -1
    scope.record(4, model)
    again = Microscope.from_dict(json.loads(json.dumps(scope.to_dict())))
    assert again.to_dict() == scope.to_dict()
    assert set(scope.to_dict()["layers"]["blocks.0.mlp.fc1"]) == {*MEASURES, "histograms"}
    again.record(6, model)
    assert again.traces["blocks.0.mlp.fc1"].values["flips"][-1] == 0


def test_bad_use_is_refused():
    with pytest.raises(ConfigError, match="every"):
        Microscope(every=0)
    scope = Microscope()
    with pytest.raises(ConfigError, match=r"no ternary layer that matches '\*'"):
        scope.record(0, ViT(preset("tiny", depth=1)))
    model = ternarize(ViT(preset("tiny", depth=1)), "all-linear")
    scope.record(3, model)
    with pytest.raises(ConfigError, match="expected one after 3, got 3"):
        scope.record(3, model)
