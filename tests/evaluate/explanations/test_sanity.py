"""The sanity check: what it scrambles, what it gives back, and what fails it."""

import numpy as np
import pytest
from hypothesis import given, settings

from tests.evaluate.explanations.networks import CONFIGS, network, photographs
from tinyternary.config import preset
from tinyternary.errors import ConfigError, TinyTernaryError
from tinyternary.evaluate import predict_logits, randomization_check
from tinyternary.evaluate.explanations import maps
from tinyternary.evaluate.explanations.sanity import _scramble, layers_from_the_head
from tinyternary.quant import ternarize


@settings(max_examples=20)
@given(CONFIGS)
def test_layers_are_all_parameters_once(config):
    model = ternarize(network(config), "everything")
    layers = layers_from_the_head(model)
    assert list(layers)[:2] == ["head", "norm"]
    assert list(layers)[-1] == "embedding"
    named = [name for names in layers.values() for name in names]
    assert sorted(named) == sorted(name for name, _ in model.named_parameters())
    assert all(layers.values())
    assert all(name.startswith("blocks.0.") for name in layers["blocks.0"])


def test_scrambling_moves_weights_and_makes_none():
    model = network(preset("lesson"))
    before = {name: array.copy() for name, array in model.state_dict().items()}
    _scramble(model, ["head.weight"], np.random.default_rng(0))
    after = model.state_dict()
    assert [n for n in before if (before[n] != after[n]).any()] == ["head.weight"]
    changed = after["head.weight"] != before["head.weight"]
    assert changed.mean() > 0.9
    np.testing.assert_array_equal(np.sort(after["head.weight"], None),
                                  np.sort(before["head.weight"], None))  # fmt: skip


@pytest.fixture(scope="module")
def subject():
    """A network, and images each with something bright in another place."""
    model = network(preset("lesson", channels=1), spread=5)
    images, prepare = photographs(model.config, 30)
    images //= 8
    for image, (y, x) in zip(images, np.random.default_rng(0).integers(0, 20, (30, 2))):
        image[y : y + 8, x : x + 8] += 200
    return ternarize(model, "all-linear"), images, prepare


def test_relevance_changes_with_the_weights_and_the_weights_come_back(subject):
    model, images, prepare = subject
    before = {name: array.copy() for name, array in model.state_dict().items()}
    found = randomization_check(model, images, prepare, ["relevance"], draws=2)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)
    assert found["layers"] == ["head", "norm", "blocks.1", "blocks.0", "embedding"]
    mine = found["methods"]["relevance"]
    assert mine["sees_head"]
    assert mine["passes"]
    assert mine["correlation"][0] < 0.9
    assert all(a < b < c for (a, c), b in zip(mine["intervals"], mine["correlation"]))
    assert found == randomization_check(model, images, prepare, ["relevance"], draws=2)
    assert found != randomization_check(model, images, prepare, ["relevance"], draws=2, seed=1)


def test_the_class_explained_stays_that_of_the_whole_network(subject, monkeypatch):
    model, images, prepare = subject
    answers, asked = predict_logits(model, images, prepare).argmax(1), []

    def notes(model, found):
        asked.append(found.classes)
        return model.patch_embed.unfold(found.inputs).mean(axis=2)

    monkeypatch.setitem(maps.METHODS, "notes", notes)
    randomization_check(*subject, ["notes"], draws=2)
    assert len(asked) == 1 + 2 * 5
    for classes in asked:
        np.testing.assert_array_equal(classes, answers)


def test_rollout_does_not_see_the_head(subject):
    found = randomization_check(*subject, ["rollout"], draws=1)["methods"]["rollout"]
    assert found["correlation"][:2] == pytest.approx([1, 1])  # neither head nor last norm
    assert found["correlation"][2] < 0.999
    assert found["excess_interval"][0] <= 0  # it changes in the end, but never with the answer
    assert not found["sees_head"]
    assert not found["passes"]


def test_a_method_that_shows_the_image_fails(subject, monkeypatch):
    def brightness(model, found):
        return model.patch_embed.unfold(found.inputs).mean(axis=2)

    monkeypatch.setitem(maps.METHODS, "brightness", brightness)
    found = randomization_check(*subject, ["brightness"], draws=1)["methods"]["brightness"]
    assert found["correlation"] == pytest.approx([1] * 5)
    assert not found["sees_head"]
    assert not found["passes"]
    assert found["excess_interval"][0] > 0
    assert found["excess"] == pytest.approx(1 - found["unrelated"])


def test_a_method_that_sees_the_head_and_no_weights_below_fails_too(subject, monkeypatch):
    model = subject[0]
    head, embedding = (part.weight.data.copy() for part in (model.head, model.patch_embed.proj))

    def half(model, found):
        image = model.patch_embed.unfold(found.inputs).mean(axis=2)
        same_head = (model.head.weight.data == head).all()
        same_embedding = (model.patch_embed.proj.weight.data == embedding).all()
        return -image if same_embedding and not same_head else image

    monkeypatch.setitem(maps.METHODS, "half", half)
    found = randomization_check(*subject, ["half"], draws=1)["methods"]["half"]
    assert found["correlation"] == pytest.approx([-1] * 4 + [1])
    assert found["sees_head"]
    assert not found["passes"]


def test_weights_come_back_from_a_failure_too(subject, monkeypatch):
    model, images, prepare = subject
    before = {name: array.copy() for name, array in model.state_dict().items()}
    calls = []

    def fails(model, found):
        calls.append(1)
        if len(calls) > 1:
            raise TinyTernaryError("in the middle")
        return model.patch_embed.unfold(found.inputs).mean(axis=2)

    monkeypatch.setitem(maps.METHODS, "fails", fails)
    with pytest.raises(TinyTernaryError, match="in the middle"):
        randomization_check(model, images, prepare, ["fails"])
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_what_cannot_be_checked_is_said(subject):
    model, images, prepare = subject
    with pytest.raises(ConfigError, match="two images"):
        randomization_check(model, images[:1], prepare)
    with pytest.raises(ConfigError, match="one draw"):
        randomization_check(model, images, prepare, draws=0)
