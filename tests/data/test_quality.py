"""Brightness, contrast and sharpness of images say what their names do."""

from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from tinyternary.data.quality import image_quality, terciles

images = arrays(
    np.uint8, st.tuples(st.just(2), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))
)


@given(images)
def test_every_image_has_finite_numbers(pixels):
    found = image_quality(pixels)
    for values in found.values():
        assert values.shape == (2,)
        assert np.isfinite(values).all()
        assert (values >= 0).all()
    assert (found["brightness"] <= 1.000001).all()
    assert (found["contrast"] <= 0.500001).all()


def test_grey_and_the_same_grey_in_colour_agree(rng):
    grey = rng.integers(0, 256, (3, 8, 8, 1), np.uint8)
    for a, b in zip(image_quality(grey).values(), image_quality(grey.repeat(3, 3)).values()):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_the_laplacian_is_scipys(rng):
    grey = rng.integers(0, 256, (4, 9, 7, 1), np.uint8)
    wanted = [ndimage.laplace(image[..., 0] / 255, mode="nearest").std() for image in grey]
    np.testing.assert_allclose(image_quality(grey)["sharpness"], wanted, rtol=1e-4)


def test_blurring_lowers_sharpness_and_fading_lowers_contrast(rng):
    sharp = rng.integers(0, 256, (5, 16, 16, 1), np.uint8)
    blurred = ndimage.gaussian_filter(sharp, (0, 1, 1, 0))
    faded = (sharp // 2 + 64).astype(np.uint8)
    assert (image_quality(blurred)["sharpness"] < image_quality(sharp)["sharpness"]).all()
    assert (image_quality(faded)["contrast"] < image_quality(sharp)["contrast"]).all()


@given(arrays(np.float32, st.integers(1, 60), elements=st.floats(-5, 5, width=32)))
def test_terciles_are_ordered_thirds(values):
    group, edges = terciles(values)
    assert edges[0] <= edges[1]
    order = np.argsort(values, kind="stable")
    assert (np.diff(group[order]) >= 0).all()
    assert all(len({int(g) for g in group[values == v]}) == 1 for v in values)
    if len(set(values.tolist())) == len(values) >= 3:
        counts = np.bincount(group, minlength=3)
        assert counts.max() - counts.min() <= 2
