"""Sensitivity and the search for a policy, against models switched by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tinyternary.autograd import cross_entropy, no_grad
from tinyternary.config import Task
from tinyternary.data import Dataset, Splits, fit_preprocessing
from tinyternary.errors import ConfigError, DataFileError
from tinyternary.models import ViT, preset
from tinyternary.quant import (
    BitLinear,
    LayerQuant,
    describe,
    search_policy,
    sensitivity,
    set_strength,
    ternarize,
)
from tinyternary.quant.analysis.loss import Score
from tinyternary.quant.analysis.sensitivity import PROBE

CONFIG = preset(
    "tiny", image_size=8, channels=1, width=16, heads=2, depth=2, mlp_width=24, num_classes=3
)


def dataset(split, count=40, task=Task.MULTI_CLASS):
    rng = np.random.default_rng(len(split))
    shape = (count, 3) if task is Task.MULTI_LABEL else (count,)
    labels = rng.integers(0, 2 if task is Task.MULTI_LABEL else 3, shape)
    images = rng.integers(0, 255, (count, 8, 8, 1)).astype(np.uint8)
    return Dataset(images, labels, task, ("a", "b", "c"), "noise", split)


@pytest.fixture
def splits():
    return Splits(dataset("train"), dataset("val"), dataset("test"))


def trained(seed=0):
    """A float model with weights large enough to matter."""
    model = ViT(CONFIG, seed)
    for name, parameter in model.named_parameters():
        if name.endswith("weight"):
            parameter.data *= 8 if parameter.ndim == 2 else 1
    return model


def by_hand(model, data, preprocessing):
    with no_grad():
        logits = model.eval()(preprocessing(data.images)).data
    loss = float(cross_entropy(logits, data.labels).data)
    return loss, float((logits.argmax(1) == data.labels).mean())


@pytest.mark.parametrize("policy", ["everything", "integer-attention", {"blocks.*.attn": "int8"}])
def test_all_float_is_float(splits, policy):
    """Norms and attentions too, which have no matrix; and each is a row of its own."""
    model = ternarize(trained(), policy)
    preprocessing = fit_preprocessing(splits.train)
    before = by_hand(model, splits.val, preprocessing)
    result = sensitivity(model, splits)
    assert {row.name for row in result.layers} == set(model.policy)
    plain = trained()
    if policy != {"blocks.*.attn": "int8"}:  # their inputs have norms of their own
        set_strength(model, 0.0)
        plain = model
    expected = by_hand(plain, splits.val, preprocessing)
    set_strength(model, 1.0)
    assert (result.all_float.loss, result.all_float.accuracy) == pytest.approx(expected)
    assert (result.all_ternary.loss, result.all_ternary.accuracy) == pytest.approx(before)
    assert by_hand(model, splits.val, preprocessing) == before  # it is as it was
    for row in result.layers:
        if row.name.endswith(".attn"):
            assert row.weights == 0
            assert row.only_ternary.loss != result.all_float.loss


def test_each_experiment_is_that_of_a_model_built_for_it(splits):
    model = trained()
    preprocessing = fit_preprocessing(splits.train)
    result = sensitivity(model, splits)
    names = [row.name for row in result.layers]
    assert names == [row.name for row in describe(model)]
    assert result.images == 40
    float_score = (result.all_float.loss, result.all_float.accuracy)
    assert float_score == pytest.approx(by_hand(trained(), splits.val, preprocessing))
    all_ternary = ternarize(trained(), {"*": PROBE})
    ends = (result.all_ternary.loss, result.all_ternary.accuracy)
    assert ends == pytest.approx(by_hand(all_ternary, splits.val, preprocessing))
    for row in result.layers[::4]:
        only = ternarize(trained(), {row.name: PROBE})
        loss, accuracy = by_hand(only, splits.val, preprocessing)
        assert (row.only_ternary.loss, row.only_ternary.accuracy) == pytest.approx((loss, accuracy))
        other = ternarize(trained(), {row.name: "float", "*": PROBE})
        loss, accuracy = by_hand(other, splits.val, preprocessing)
        assert (row.only_float.loss, row.only_float.accuracy) == pytest.approx((loss, accuracy))
    losses = [row.only_ternary.loss for row in result.ranked()]
    assert losses == sorted(losses, reverse=True)
    json.dumps(result.to_dict())
    text = str(result)
    for name in names:
        assert name in text


def test_a_ternary_model_is_switched_by_its_own_layers(splits):
    model = ternarize(trained(), "all-linear")
    preprocessing = fit_preprocessing(splits.train)
    result = sensitivity(model, splits)
    assert [row.name for row in result.layers] == list(model.policy)
    ends = (result.all_ternary.loss, result.all_ternary.accuracy)
    assert ends == pytest.approx(by_hand(model, splits.val, preprocessing))
    row = result.layers[3]
    for name in model.policy:
        dict(model.named_modules())[name].strength = float(name == row.name)
    assert row.only_ternary.loss == pytest.approx(by_hand(model, splits.val, preprocessing)[0])


@pytest.mark.parametrize("ternary", [False, True])
def test_the_model_is_left_as_it_was(splits, ternary):
    model = ternarize(trained(), "all-linear") if ternary else trained()
    model.train()
    modules = {name: id(m) for name, m in model.named_modules()}
    before = {n: a.copy() for n, a in model.state_dict().items()}
    sensitivity(model, splits, limit=5)
    if not ternary:
        search_policy(model, splits, 8_000, limit=5)
    assert {name: id(m) for name, m in model.named_modules()} == modules
    assert model.training
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_layers_and_images_can_be_limited(splits):
    result = sensitivity(trained(), splits, layers="blocks.0.*", limit=7, batch_size=3)
    assert len(result.layers) == 4
    assert result.images == 7
    all_at_once = sensitivity(trained(), splits, layers="blocks.0.*", limit=7, batch_size=100)
    assert result.all_ternary.loss == pytest.approx(all_at_once.all_ternary.loss)


def test_multi_label_tasks_count_labels():
    val = dataset("val", task=Task.MULTI_LABEL)
    model = trained()
    result = sensitivity(model, val, preprocessing=fit_preprocessing(val), layers="head")
    with no_grad():
        logits = model.eval()(fit_preprocessing(val)(val.images)).data.astype(np.float64)
    loss = np.mean(np.log1p(np.exp(logits)) - val.labels * logits)
    assert result.all_float.loss == pytest.approx(loss, rel=1e-5)
    assert result.all_float.accuracy == ((logits > 0) == val.labels).mean()


def test_bad_use_is_refused(splits):
    with pytest.raises(ConfigError, match="'nothing'"):
        sensitivity(trained(), splits, layers="nothing")
    with pytest.raises(ConfigError, match="preprocessing"):
        sensitivity(trained(), splits.val)
    with pytest.raises(ConfigError, match="limit"):
        sensitivity(trained(), splits, limit=0)
    with pytest.raises(DataFileError, match="no images"):
        sensitivity(trained(), replace(splits, val=splits.val.subset([])))
    with pytest.raises(ConfigError, match="5 outputs, the data 3 classes"):
        sensitivity(ViT(replace(CONFIG, num_classes=5)), splits)
    with pytest.raises(ConfigError, match="quantised already"):
        search_policy(ternarize(trained(), "all-linear"), splits, 10_000)


def test_the_search_meets_its_budget_with_bytes_that_a_packed_file_has(splits):
    from tinyternary.deploy import pack

    floats = 4 * sum(p.data.size for p in trained().parameters())
    last = None
    for budget in (floats, 14_000, 10_000, 6_000):
        found = search_policy(trained(), splits, budget, limit=20)
        assert found.nbytes <= budget
        model = ternarize(trained(), found.policy) if found.policy else trained()
        assert pack(model).tensor_bytes == found.nbytes
        score = by_hand(model, splits.val.subset(np.linspace(0, 39, 20).round().astype(int)),
                        fit_preprocessing(splits.train))  # fmt: skip
        assert (found.score.loss, found.score.accuracy) == pytest.approx(score)
        assert [s["nbytes"] for s in found.steps] == sorted(
            (s["nbytes"] for s in found.steps), reverse=True
        )
        # one step fewer would not have met it
        sizes = [floats, *(s["nbytes"] for s in found.steps)]
        assert len(sizes) == 1 or sizes[-2] > budget
        if last is not None:  # a smaller budget goes on along the same path
            assert found.steps[: len(last)] == last
        last = found.steps
        json.dumps(found.to_dict())
        assert f"{found.nbytes:,}" in str(found)
    assert last


def test_steps_are_taken_by_loss_per_byte(splits, monkeypatch):
    """A judge that charges a known price for each quantised layer: the order is then known."""
    names = [row.name for row in describe(trained())]
    prices = dict(zip(names, np.random.default_rng(0).uniform(0.5, 1.5, len(names))))

    class Cashier:
        def __init__(self, *given):
            pass

        def __call__(self, model):
            bought = [n for n, m in model.named_modules() if isinstance(m, BitLinear)]
            return Score(sum(prices[name] for name in bought), 0.0)

    monkeypatch.setattr("tinyternary.quant.analysis.search.Judge", Cashier)
    before = {row.name: row.nbytes for row in describe(trained())}
    after = {row.name: row.nbytes for row in describe(ternarize(trained(), {"*": PROBE}))}
    floats = 4 * sum(p.data.size for p in trained().parameters())
    least = floats - sum(before[n] - after[n] for n in names)
    found = search_policy(trained(), splits, least, options=(PROBE,))
    expected = sorted(names, key=lambda n: prices[n] / (before[n] - after[n]))
    assert [step["layer"] for step in found.steps] == expected
    assert expected != sorted(names, key=prices.get)


def test_an_impossible_budget_says_what_is_possible(splits):
    with pytest.raises(
        ConfigError, match=r"budget: 100 bytes cannot be met; all quantised it is [\d,]+"
    ):
        search_policy(trained(), splits, 100)
    with pytest.raises(ConfigError, match="options"):
        search_policy(trained(), splits, 10_000, options=())


def test_a_layers_rule_can_be_chosen(splits):
    coarse = sensitivity(
        trained(), splits, rule=LayerQuant("absmean", norm=False), layers="blocks.*"
    )
    fine = sensitivity(trained(), splits, rule=LayerQuant("int8", "channel"), layers="blocks.*")
    gap = abs(fine.all_ternary.loss - fine.all_float.loss)
    assert gap < 0.1 * abs(coarse.all_ternary.loss - coarse.all_float.loss)
