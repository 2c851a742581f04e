"""Batches: every image once an epoch, the same bits after a stop, targets that follow mixup."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinyternary.config import Preprocessing, Task
from tinyternary.data import Batches, Dataset, balanced_order, fit_preprocessing, phantoms
from tinyternary.errors import CheckpointError, ConfigError

PLAIN = Preprocessing(2, (0.0,), (1 / 255,))


def numbered(count, classes=2, labels=None):
    """Images whose pixels are their number."""
    images = np.broadcast_to(
        np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 2, 2, 1)
    )
    labels = np.arange(count) % classes if labels is None else labels
    return Dataset(images, labels, Task.MULTI_CLASS, tuple(map(str, range(classes))))


@given(st.integers(1, 200), st.integers(1, 50), st.integers(0, 99))
def test_an_epoch_has_each_image_at_most_once(count, size, seed):
    size = min(size, count)
    batches = Batches(numbered(count), PLAIN, size, seed=seed)
    for _ in range(2):
        seen = np.concatenate([np.rint(x[:, 0, 0, 0]) for x, _ in batches]).astype(int)
        assert len(seen) == count // size * size
        assert len(np.unique(seen)) == len(seen)
    assert batches.epoch == 2


@given(st.integers(0, 20), st.booleans(), st.sampled_from([0.0, 0.4]))
def test_going_on_gives_the_same_bits(stop, balanced, mixup):
    data = phantoms("val", 0, 60)
    prepare = fit_preprocessing(data)
    options = {"augment": "medical", "mixup": mixup, "balanced": balanced, "seed": 3}

    def stream(batches):
        while True:
            yield from batches

    whole = stream(Batches(data, prepare, 16, **options))
    wanted = [next(whole) for _ in range(stop + 4)]
    first = Batches(data, prepare, 16, **options)
    source = stream(first)
    for _ in range(stop):
        next(source)
    state = json.loads(json.dumps(first.state_dict()))
    second = Batches(data, prepare, 16, **options)
    second.load_state_dict(state)
    rest = stream(second)
    for images, goal in wanted[stop:]:
        again, target = next(rest)
        np.testing.assert_array_equal(again, images)
        np.testing.assert_array_equal(target, goal)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=5), st.integers(0, 99))
def test_balanced_order_is_fair(sizes, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    order = balanced_order(labels, np.random.default_rng(seed))
    assert len(order) == len(labels)
    share = -(-len(labels) // len(sizes))
    counts = np.bincount(labels[order], minlength=len(sizes))
    assert counts.max() <= share
    assert counts.min() >= share - len(sizes)
    for label, size in enumerate(sizes):
        times = np.bincount(order[labels[order] == label], minlength=len(labels))[labels == label]
        # whole rounds, of which the cut to N images may take a few
        assert times.max() <= -(-share // size)


def test_goals_are_one_hot_or_several():
    labels = np.array([[0, 1, 1], [0, 0, 0]])
    data = Dataset(np.zeros((2, 2, 2, 1), np.uint8), labels, Task.MULTI_LABEL, ("a", "b", "c"))
    ((_, goal),) = Batches(data, PLAIN, 2)
    assert sorted(goal.tolist()) == [[0, 0, 0], [0, 1, 1]]
    with pytest.raises(ConfigError, match="balanced"):
        Batches(data, PLAIN, 2, balanced=True)
    for images, goal in Batches(numbered(8, 3), PLAIN, 4):
        np.testing.assert_array_equal(goal.argmax(1), np.rint(images[:, 0, 0, 0]) % 3)


def test_wrong_sizes_and_foreign_states():
    data = numbered(10)
    for size in (0, 11):
        with pytest.raises(ConfigError, match="batch_size: expected 1 to 10"):
            Batches(data, PLAIN, size)
    with pytest.raises(ConfigError, match="mixup"):
        Batches(data, PLAIN, 5, mixup=-1)
    batches = Batches(data, PLAIN, 5)
    state = batches.state_dict()
    for change, message in [
        ({"seed": 9}, "saved with seed 9, now 0"),
        ({"images": 3}, "saved with images 3, now 10"),
        ({"position": 9}, "an epoch has 2 batches"),
        ({"epoch": -1}, "saved epoch -1"),
    ]:
        with pytest.raises(CheckpointError, match=message):
            batches.load_state_dict({**state, **change})
    with pytest.raises(CheckpointError, match="no 'epoch'"):
        batches.load_state_dict({k: v for k, v in state.items() if k != "epoch"})
