"""The baseline is trained, measured and recorded as its errors are read back."""

import json
from dataclasses import replace

import numpy as np

from tinyternary.data import MEDMNIST_C, Splits, phantoms
from tinyternary.evaluate import answers_under_corruption, predict_logits, robustness
from tinyternary.experiments import robust_baseline


def test_what_is_recorded_is_what_robustness_measures(tmp_path, monkeypatch):
    monkeypatch.setattr(robust_baseline, "SHOWN", 128)
    monkeypatch.setattr(robust_baseline, "LEAST", 1)
    splits = Splits(
        *(replace(phantoms(split, 0, 64, classes=2), name="retinamnist", split=split)
          for split in ("train", "val", "test"))
    )  # fmt: skip
    run = robust_baseline.train_baseline(splits, seed=1)
    assert run.recipe.epochs == 2
    measured = robust_baseline.measure_baseline(run, splits.test)
    path = tmp_path / "errors.json"
    path.write_text(json.dumps({"other": {"clean": 0.5}}))
    robust_baseline.record("retinamnist", measured, path)
    found = json.loads(path.read_text())
    assert list(found) == ["other", "retinamnist"]
    assert found["retinamnist"]["parameters"] == sum(p.data.size for p in run.model.parameters())

    answers = answers_under_corruption(
        {"it": lambda images: predict_logits(run.model, images, run.preprocessing)}, splits.test
    )
    itself = robustness(answers["it"], found["retinamnist"], resamples=0)
    assert list(found["retinamnist"]["errors"]) == list(MEDMNIST_C["retinamnist"])
    assert found["retinamnist"]["clean"] == itself["clean"]
    assert np.isclose(itself["be"], 1, atol=1e-4)
    again = robust_baseline.train_baseline(splits, seed=1).model
    np.testing.assert_array_equal(again.conv2.weight.data, run.model.conv2.weight.data)
