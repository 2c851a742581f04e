"""Corruptions grow with severity and are seeded; CLAHE against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinyternary.data import CORRUPTIONS, clahe, corrupt, corrupt_dataset, phantoms
from tinyternary.errors import ConfigError, ShapeError


@pytest.mark.parametrize("name", list(CORRUPTIONS))
@pytest.mark.parametrize("channels", [1, 3])
def test_damage_grows_with_severity(name, channels):
    images = phantoms("test", 0, 60).images[..., :channels]
    before = images.copy()
    errors = []
    for severity in (1, 2, 3, 4, 5):
        damaged = corrupt(images, name, severity)
        assert damaged.dtype == np.uint8
        assert damaged.shape == images.shape
        errors.append(np.square(damaged.astype(float) - images).mean())
    np.testing.assert_array_equal(images, before)
    assert errors[0] > 1
    assert (np.diff(errors) > 0).all()
    np.testing.assert_array_equal(corrupt(images, name, 3), corrupt(images, name, 3))


def test_random_damage_follows_the_seed():
    images = phantoms("test", 0, 8).images
    for name in (
        "gaussian_noise",
        "shot_noise",
        "impulse_noise",
        "motion",
        "uneven_light",
        "stain",
    ):
        assert (corrupt(images, name, 5, seed=1) != corrupt(images, name, 5, seed=2)).any()


@given(st.sampled_from(sorted(set(CORRUPTIONS) - {"jpeg"})), st.integers(1, 5),
       st.integers(1, 33), st.integers(1, 33))  # fmt: skip
def test_any_size_goes(name, severity, height, width):
    images = np.full((2, height, width, 1), 90, np.uint8)
    assert corrupt(images, name, severity).shape == images.shape
    if name in ("defocus", "motion", "pixelate", "contrast"):
        # what spreads or scales contrast leaves an even image even
        assert np.abs(corrupt(images, name, severity).astype(int) - 90).max() <= 1


def test_pixelate_averages_blocks():
    images = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), np.uint8)
    means = images.reshape(2, 14, 2, 14, 2, 1).mean((2, 4))
    wanted = means.repeat(2, 1).repeat(2, 2)
    assert np.abs(corrupt(images, "pixelate", 3) - wanted).max() <= 0.51


def test_labels_stay_with_damaged_images():
    data = phantoms("test", 0, 8)
    damaged = corrupt_dataset(data, "darker", 2)
    np.testing.assert_array_equal(damaged.labels, data.labels)
    assert damaged.synthetic
    assert damaged.images.mean() < data.images.mean()


def test_wrong_calls_are_named():
    images = np.zeros((1, 8, 8, 1), np.uint8)
    with pytest.raises(ConfigError, match="Did you mean 'contrast'"):
        corrupt(images, "contrst", 1)
    for severity in (0, 6):
        with pytest.raises(ConfigError, match="severity"):
            corrupt(images, "contrast", severity)
    with pytest.raises(ShapeError):
        corrupt(images[0], "contrast", 1)
    for options in ({"tiles": 0}, {"tiles": 9}, {"limit": 0.5}, {"limit": float("nan")}):
        with pytest.raises(ConfigError, match=next(iter(options))):
            clahe(images, **options)
    with pytest.raises(ShapeError):
        clahe(images[..., 0])


@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(5, 30), st.integers(5, 30))
def test_one_tile_without_limit_is_histogram_equalisation(seed, count, height, width):
    images = np.random.default_rng(seed).integers(0, 200, (count, height, width, 1), np.uint8)
    ours = clahe(images, tiles=1, limit=256.0)
    for image, result in zip(images, ours):
        share = (image[..., None] >= np.unique(image)[None]).sum(-1)  # rank among values
        cdf = np.cumsum(np.unique(image, return_counts=True)[1]) / image.size
        assert np.abs(result[..., 0] - 255 * cdf[share[..., 0] - 1]).max() <= 0.51


@given(st.integers(0, 2**32), st.integers(1, 6), st.floats(1, 40), st.sampled_from([1, 3]))
def test_clahe_keeps_form_and_treats_images_one_by_one(seed, tiles, limit, channels):
    images = np.random.default_rng(seed).integers(0, 256, (3, 28, 23, channels), np.uint8)
    whole = clahe(images, tiles, limit)
    assert whole.dtype == np.uint8
    assert whole.shape == images.shape
    np.testing.assert_array_equal(clahe(images[1:2], tiles, limit)[0], whole[1])


def test_clahe_spreads_a_narrow_histogram_more_with_a_higher_limit():
    images = 100 + phantoms("test", 0, 16).images[..., :1] // 8
    spread = [clahe(images, 2, limit).std() for limit in (1.0, 4.0, 16.0)]
    assert images.std() < spread[1] < spread[2]
    assert spread[0] < spread[1]
