"""Phantoms: the same bytes everywhere, eight honest classes, hard for a line and easy for a ViT."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinyternary.data import PHANTOM_CLASSES, fit_preprocessing, load, phantoms
from tinyternary.data.phantoms._draws import PortableDraws, unit_vector
from tinyternary.data.phantoms.smear import _kept
from tinyternary.errors import ConfigError

# Recorded once; a change of one bit anywhere in the drawing changes them.
SHA256 = {
    "train": "9b0c8dce2583e09b00f17e4085aabc88886883acba178b8299747b99e2516944",
    "val": "c22a4340b7b538e33948343e00b64ec5fd8ff5c04945ce30793e1570edb9178a",
    "test": "89554d583493f0362ab51d992400f92a4ab56bf898c9ab49741c83c7c8771a57",
}
COUNTS = {"train": 6000, "val": 1000, "test": 1000}


def _digest(data):
    return hashlib.sha256(data.images.tobytes() + data.labels.astype("<i8").tobytes()).hexdigest()


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_bytes_are_the_recorded_ones(split):
    data = phantoms(split)
    assert data.images.shape == (COUNTS[split], 28, 28, 3)
    assert data.synthetic
    assert data.class_names == PHANTOM_CLASSES
    assert np.ptp(np.bincount(data.labels, minlength=8)) == 0
    assert _digest(data) == SHA256[split]


def test_bytes_do_not_depend_on_vector_instructions():
    """NumPy without its dispatched SIMD loops draws the same images."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    found = [name for name in __cpu_dispatch__ if __cpu_features__.get(name)]
    if not found:
        pytest.skip("this CPU has none of NumPy's dispatched features")
    code = (
        "import hashlib; from tinyternary.data import phantoms; d = phantoms('val', 3, 400);"
        "print(hashlib.sha256(d.images.tobytes()).hexdigest())"
    )
    plain = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(found)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    here = hashlib.sha256(phantoms("val", 3, 400).images.tobytes()).hexdigest()
    assert plain.stdout.strip() == here


def test_fewer_images_are_the_first_ones():
    few, more = phantoms("test", 5, 53), phantoms("test", 5, 90)
    np.testing.assert_array_equal(few.images, more.images[:53])
    np.testing.assert_array_equal(few.labels, more.labels[:53])


@pytest.mark.parametrize(
    ("classes", "kinds"), [(4, [0, 1, 2, 3]), (["phantom fragment", "phantom round"], [7, 0])]
)
def test_chosen_classes_are_images_of_the_whole_set(classes, kinds):
    whole, some = phantoms("val", 2, 400), phantoms("val", 2, 90, classes)
    assert some.class_names == tuple(PHANTOM_CLASSES[kind] for kind in kinds)
    there = np.flatnonzero(np.isin(whole.labels, kinds))[:90]
    np.testing.assert_array_equal(some.images, whole.images[there])
    np.testing.assert_array_equal(np.array(kinds)[some.labels], whole.labels[there])


def test_chosen_classes_keep_their_share_of_a_split():
    data = phantoms("test", classes=4)
    assert np.bincount(data.labels).tolist() == [125] * 4


def test_a_second_call_draws_nothing_and_shares_nothing():
    first = phantoms("train", 11, 80, classes=3)
    kept = first.images.copy()
    drawn = _kept.cache_info().misses
    first.images[:], first.labels[:] = 0, 0
    second = phantoms("train", 11, 80, classes=3)
    assert _kept.cache_info().misses == drawn
    np.testing.assert_array_equal(second.images, kept)
    assert len(np.unique(second.labels)) == 3


def test_splits_and_seeds_share_no_image():
    everything = np.concatenate(
        [phantoms(split, seed, 200).images for split in ("train", "val", "test") for seed in (0, 1)]
    )
    assert len(np.unique(everything.reshape(len(everything), -1), axis=0)) == len(everything)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("training",), "split"),
        (("train", -1), "seed"),
        (("train", 0, 0), "count"),
        (("train", 0, 8, 1), "classes: expected 2 to 8, got 1"),
        (("train", 0, 8, 9), "classes: expected 2 to 8, got 9"),
        (("train", 0, 8, ["phantom round"]), "two names or more"),
        (("train", 0, 8, ["phantom round"] * 2), "each once"),
        (("train", 0, 8, ["round"]), "unknown phantom class 'round'.*Did you mean 'phantom round'"),
    ],
)
def test_impossible_requests_are_named(arguments, what):
    with pytest.raises(ConfigError, match=what):
        phantoms(*arguments)


@given(st.integers(0, 2**40), st.integers(0, 50))
def test_draws_stay_in_range(seed, purpose):
    draws = PortableDraws(seed, purpose)
    u = draws.uniform(500)
    assert u.dtype == np.float32
    assert u.min() >= 0
    assert u.max() < 1
    x, y = draws.direction(500)
    np.testing.assert_allclose(x * x + y * y, 1, atol=1e-6)
    bell = PortableDraws(seed, purpose, 1).bell(20000)
    assert abs(bell.mean()) < 0.05
    assert abs(bell.std() - 1) < 0.05


@given(st.floats(-1, 1))
def test_unit_vector_is_cosine_and_sine(t):
    x, y = unit_vector(t)
    angle = 2 * np.arctan(t)
    np.testing.assert_allclose([x, y], [np.cos(angle), np.sin(angle)], atol=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:lbfgs failed")  # 100 steps are past the best test accuracy
def test_a_linear_classifier_stays_under_sixty_percent():
    from sklearn.linear_model import LogisticRegression

    data = load("phantoms")
    prepare = fit_preprocessing(data.train)
    x, x_test = (prepare(part.images).reshape(len(part), -1) for part in (data.train, data.test))
    # the strongest of the regularisations that were tried; without any it is worse
    model = LogisticRegression(C=1e-3, max_iter=100).fit(x, data.train.labels)
    accuracy = model.score(x_test, data.test.labels)
    assert 0.3 < accuracy < 0.6
