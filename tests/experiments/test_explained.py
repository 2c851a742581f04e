"""Maps of runs and what they are worth, measured together, on networks nobody trained."""

import json

import numpy as np
import pytest

from tests.evaluate.explanations.networks import QUICK, run
from tinyternary.config import Task
from tinyternary.data import Dataset, phantoms
from tinyternary.errors import ConfigError
from tinyternary.evaluate import explain, faithfulness, map_agreement, predict_logits
from tinyternary.evaluate.explanations.maps import METHODS
from tinyternary.experiments import explained, map_examples


@pytest.fixture(scope="module")
def pair():
    return {"teacher": run(0, ternary=False), "student": run(0, ternary=True)}


@pytest.fixture(scope="module")
def split():
    return phantoms("test").subset(slice(0, 30))


def test_all_is_measured_on_the_same_images(pair, split):
    part = split.subset(slice(0, 6))
    found = explained(pair, part, **QUICK | {"images": 99})
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["images"] == 6
    assert list(found["networks"]) == ["teacher", "student"]
    for who, each in found["networks"].items():
        ask = (pair[who].model, part.images, pair[who].preprocessing)
        own = {method: explain(*ask, method) for method in METHODS}
        assert each["faithfulness"] == faithfulness(*ask, own, orders=2, resamples=20)
        assert each["sanity"]["images"] == 6
        assert list(each["sanity"]["methods"]) == list(METHODS)
    # one class for both networks' maps: the teacher's answer
    first, second = pair.values()
    says = predict_logits(first.model, part.images, first.preprocessing).argmax(1)
    maps = [
        explain(each.model, part.images, each.preprocessing, classes=says)
        for each in (first, second)
    ]
    assert found["agreement"]["relevance"] == map_agreement(*maps, resamples=20)


def test_one_network_agrees_with_nobody(pair, split):
    found = explained({"student": pair["student"]}, split, **QUICK)
    assert "agreement" not in found
    assert found == explained({"student": pair["student"]}, split, **QUICK)
    assert found != explained({"student": pair["student"]}, split, **QUICK, seed=1)


def test_examples_are_drawn_and_come_with_every_map(pair, split):
    found = map_examples(pair, split, count=4)
    assert found.images.shape == (4, 28, 28, 3)
    places = [int(np.flatnonzero((split.images == image).all((1, 2, 3)))[0])
              for image in found.images]  # fmt: skip
    assert places == sorted(set(places))
    assert places != [0, 1, 2, 3]
    names = split.class_names
    assert found.labels == [names[i] for i in split.labels[places]]
    for who, each in pair.items():
        logits = predict_logits(each.model, found.images, each.preprocessing)
        assert found.answers[who] == [names[i] for i in logits.argmax(1)]
        np.testing.assert_array_equal(
            found.maps[who]["rollout"],
            explain(each.model, found.images, each.preprocessing, "rollout"),
        )
    assert found.synthetic


def test_answers_of_several_labels_are_not_explained(pair, split):
    labels = np.eye(8, dtype=np.int64)[split.labels]
    several = Dataset(split.images, labels, Task.MULTI_LABEL, split.class_names, "several", "test")
    for ask in (explained, map_examples):
        with pytest.raises(ConfigError, match="several labels"):
            ask(pair, several)
        with pytest.raises(ConfigError, match="the teacher expects 28"):
            ask(pair, split.with_images(split.images[:, :20, :20]))
