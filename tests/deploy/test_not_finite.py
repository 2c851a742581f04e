"""Finite weights can overflow: an answer that is NaN or infinite is never given a class name."""

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from tests.deploy.small_models import images_for, make_model
from tinyternary.cli import main
from tinyternary.config import Task, scores
from tinyternary.deploy import Engine, load, pack, predict_files
from tinyternary.deploy.format.writer import PackedModel
from tinyternary.errors import ConfigError, NonFiniteError

POLICIES = (None, "bitmedvit", "all-linear")
PACKED = {policy: pack(make_model(policy)) for policy in POLICIES}
IMAGES = images_for(make_model(), 3)


def changed(policy, name, change):
    """A packed model with other numbers in one of its arrays; `pack` need not have let them by."""
    packed = PACKED[policy]
    tensors = {**packed.read().tensors}
    tensors[name] = change(tensors[name].copy())
    return PackedModel(packed.header, tensors)


def overflowing():
    """The head's first product is too large for float32, whatever the image."""
    return changed(None, "head.weight", lambda weight: np.full_like(weight, 3e38))


@given(st.sampled_from(POLICIES), st.data())
@settings(max_examples=60)
def test_flipped_exponent_bits_give_numbers_or_an_error(policy, data):
    file = PACKED[policy].read()
    name = data.draw(
        st.sampled_from([name for name, array in file.tensors.items() if array.dtype == np.float32])
    )
    array = file.tensors[name].copy()
    words = array.view(np.uint32).reshape(-1)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, words.size - 1))
        words[place] ^= np.uint32(1) << np.uint32(data.draw(st.integers(23, 30)))
    file.tensors = {**file.tensors, name: array}
    for fused in (True, False):
        engine = Engine(file, 1, fused=fused)
        try:
            answer = engine.predict(IMAGES)
        except NonFiniteError:
            continue
        assert np.isfinite(answer.logits).all()
        assert np.isfinite(answer.probabilities).all()


@pytest.mark.parametrize("fused", [True, False])
def test_an_answer_that_overflows_has_no_name(fused):
    engine = Engine(overflowing().read(), fused=fused)
    for ask in (engine, engine.predict):
        with pytest.raises(NonFiniteError, match="for 3 of 3 images"):
            ask(IMAGES)


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_logit_that_is_no_number_has_no_probability(task, wrong):
    with pytest.raises(NonFiniteError, match=r"1 of 2 images \(the first: 1\)"):
        scores([[0.0, 1.0], [wrong, 0.0]], task)


@pytest.mark.parametrize("policy", [None, "bitmedvit"])
def test_a_model_whose_answer_overflows_is_not_packed(policy):
    model = make_model(policy)
    dict(model.named_parameters())["head.weight"].data[...] = 3e38
    with pytest.raises(ConfigError, match="answer to a grey image is NaN or infinity"):
        pack(model)


def answers(engine, image):
    try:
        return len(engine(image[None])) == 1
    except NonFiniteError:
        return False


@pytest.fixture(scope="module")
def one_of_two(tmp_path_factory):
    """A packed file, and images for the second of which alone its answer overflows."""
    packed = PACKED[None]
    images = images_for(make_model(), 12)
    for factor in np.geomspace(1e18, 1e21, 300):
        tensors = {**packed.read().tensors}
        for name in ("norm.weight", "norm.bias", "head.weight"):  # by parts: each is finite
            tensors[name] = tensors[name] * np.float32(factor)
        changed = PackedModel(packed.header, tensors)
        engine = Engine(changed.read())
        fine = np.array([answers(engine, image) for image in images])
        if not fine.all():
            break
    assert fine.any()
    folder = tmp_path_factory.mktemp("overflow")
    path = changed.save(folder / "m.safetensors")
    order = [np.flatnonzero(fine)[0], np.flatnonzero(~fine)[0]]
    files = [folder / "a.png", folder / "b.png"]
    for file, image in zip(files, images[order]):
        Image.fromarray(image).save(file)
    return path, *files


def test_one_image_costs_itself(one_of_two):
    path, *files = one_of_two
    fine, overflown = predict_files(load(path), files)
    assert fine.ok
    assert not overflown.ok
    assert overflown.error.startswith(f"{files[1]}: ")
    assert overflown.label is None


@pytest.mark.parametrize("style", ["table", "json", "csv"])
def test_predict_ends_with_an_error_in_every_format(style, one_of_two, capsys):
    path, *files = map(str, one_of_two)
    with pytest.raises(SystemExit) as ended:
        main(["predict", path, *files, "--format", style])
    assert ended.value.code == 1
    printed = capsys.readouterr()
    assert "NaN or infinity" in printed.err

    def refuse(word):
        raise ValueError(word)

    if style == "json":
        rows = json.loads(printed.out, parse_constant=refuse)
        assert [bool(row["label"]) for row in rows] == [True, False]
    elif style == "csv":
        rows = list(csv.DictReader(io.StringIO(printed.out)))
        assert [bool(row["label"]) for row in rows] == [True, False]
    else:
        assert "b.png" not in printed.out
