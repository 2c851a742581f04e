"""What pixels become, and what labels are called, against formulas and a second record."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinyternary.config import Task
from tinyternary.data import MEDMNIST, targets
from tinyternary.data.augment.augmentation import Augmentation
from tinyternary.data.batches import balanced_order, mixup
from tinyternary.deploy.images import resize

NAMES = {
    "pathmnist": "adi bac deb lym muc smo nor can col",
    "chestmnist": "ate car eff inf mas nod pne pne con ede emp fib ple her",
    "dermamnist": "act bas ben der mel mel vas",
    "octmnist": "cho dia dru nor",
    "pneumoniamnist": "nor pne",
    "retinamnist": "0 1 2 3 4",
    "breastmnist": "mal nor",
    "bloodmnist": "bas eos ery imm lym mon neu pla",
    "tissuemnist": "Col Dis Glo Int Leu Pod Pro Thi",
    "organamnist": "bla fem fem hea kid kid liv lun lun pan spl",
    "organcmnist": "bla fem fem hea kid kid liv lun lun pan spl",
    "organsmnist": "bla fem fem hea kid kid liv lun lun pan spl",
}
"""Yang et al., "MedMNIST v2", Scientific Data 2023: the classes in the order of their labels."""


def test_classes_are_called_what_the_publication_calls_them():
    assert {name: " ".join(c[:3] for c in facts.class_names) for name, facts in MEDMNIST.items()} \
        == NAMES  # fmt: skip
    assert MEDMNIST["breastmnist"].class_names == ("malignant", "normal, benign")
    for name in ("organamnist", "organcmnist", "organsmnist"):
        sides = [c[-4:] for c in MEDMNIST[name].class_names if "-" in c]
        assert sides == ["left", "ight"] * 3


@given(seed=st.integers(0, 2**32), channels=st.sampled_from([1, 3]), cells=st.integers(5, 12))
def test_resizing_by_half_weights_four_pixels_along_each_axis(seed, channels, cells):
    """A triangle twice as wide as a result's pixel: 1, 3, 3, 1 eighths, away from the edges."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (1, 2 * cells, 2 * cells, channels), dtype=np.uint8)
    triangle = np.array([1, 3, 3, 1]) / 8
    rows = np.stack([np.tensordot(triangle, image[0, 2 * i - 1 : 2 * i + 3].astype(float), 1)
                     for i in range(1, cells - 1)])  # fmt: skip
    wanted = np.stack(
        [np.tensordot(rows[:, 2 * j - 1 : 2 * j + 3], triangle, (1, 0))
         for j in range(1, cells - 1)], 1
    )  # fmt: skip
    found = resize(image, cells)[0, 1:-1, 1:-1].astype(float)
    assert np.abs(found - wanted).max() <= 1.01  # rounded once for each axis


def test_resizing_keeps_means_and_does_not_jump():
    ramp = np.tile(np.arange(0, 224, dtype=np.uint8), (224, 1))[None, :, :, None]
    small = resize(ramp, 28)[0, :, :, 0].astype(int)
    np.testing.assert_allclose(small[5, 1:-1], 8 * np.arange(1, 27) + 3.5, atol=0.51)
    stripes = np.zeros((1, 56, 56, 1), np.uint8)
    stripes[:, :, ::2] = 255  # by the nearest pixel these are all black, or all white
    assert np.abs(resize(stripes, 28)[0, :, 1:-1].astype(int) - 127.5).max() < 2
    large = resize(np.uint8([[[[0], [200]], [[0], [200]]]]), 8)[0, 4, :, 0]
    assert np.all(np.diff(large.astype(int)) <= 60)  # in between, no step from 0 to 200


@given(seed=st.integers(0, 2**32), channels=st.sampled_from([1, 3]))
def test_cut_out_leaves_a_rectangle_of_the_images_mean_colour(seed, channels):
    rng = np.random.default_rng(seed)
    images = rng.integers(60, 256, (6, 20, 20, channels), dtype=np.uint8)
    cut = Augmentation(cutout=1.0, cutout_size=0.5)(images, np.random.default_rng(seed))
    for before, after in zip(images, cut):
        mean = before.reshape(-1, channels).mean(0)
        changed = (before != after).any(-1)
        if not changed.any():
            continue
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        box = after[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert np.abs(box - mean).max() < 1  # all of it, and rounded
        assert max(box.shape[:2]) <= 10
        outside = np.ones((20, 20), bool)
        outside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = False
        np.testing.assert_array_equal(after[outside], before[outside])


@given(seed=st.integers(0, 2**32))
def test_cut_out_happens_as_often_as_told(seed):
    images = np.random.default_rng(0).integers(0, 256, (400, 12, 12, 1), dtype=np.uint8)
    cut = Augmentation(cutout=0.25, cutout_size=0.99)(images, np.random.default_rng(seed))
    share = (cut != images).any((1, 2, 3)).mean()
    # a side below half a pixel shows nothing: 1 of 24, about; five deviations about the rest
    assert abs(share - 0.25 * 23 / 24) < 5 * np.sqrt(0.25 * 0.75 / 400)


@given(classes=st.integers(2, 6), width=st.floats(0.2, 3))
def test_ordinal_targets_fall_by_one_factor_from_grade_to_grade(classes, width):
    goal = targets(np.arange(classes), Task.ORDINAL, classes, width).astype(float)
    np.testing.assert_allclose(goal.sum(1), 1, rtol=1e-5)
    for k in range(classes):
        for i in range(k):  # towards the own grade, and away from it
            assert goal[k, i + 1] / goal[k, i] == pytest.approx(np.exp(1 / width), rel=1e-4)
            assert goal[i, k - 1] / goal[i, k] == pytest.approx(np.exp(1 / width), rel=1e-4)
    plain = targets(np.arange(classes), Task.ORDINAL, classes, 0.0)
    np.testing.assert_array_equal(plain, np.eye(classes))


def test_mixup_shares_are_of_a_beta_distribution_on_the_larger_side():
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(300):
        images = np.zeros((2, 1, 1, 1), np.float32)
        _, goal = mixup(images, np.eye(2, dtype=np.float32), 0.4, rng)
        shares.append(float(goal[0, 0]))
    assert min(shares) >= 0.5
    # a partner may be oneself (share 1); else max(b, 1 - b) of b ~ Beta(.4, .4)
    assert 0.7 < np.mean(shares) < 0.95


def test_balanced_order_is_no_plain_order():
    labels = np.array([0] * 90 + [1] * 10)
    draws = [balanced_order(labels, np.random.default_rng(s)) for s in range(20)]
    share = np.mean([(labels[d] == 1).mean() for d in draws])
    assert share == pytest.approx(0.5, abs=0.05)
    assert not np.array_equal(np.sort(draws[0]), np.arange(100))
