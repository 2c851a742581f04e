"""MedMNIST-C's corruptions: properties, a record of ``medmnistc``'s own results, and itself."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

from tests.data.original_medmnistc import PAIRS, RECORD, Draws, figures, phantom_set
from tinyternary.data import MEDMNIST, MEDMNIST_C, medmnist_c
from tinyternary.data.corruptions import marks
from tinyternary.data.corruptions.as_grey import as_grey
from tinyternary.data.corruptions.medmnist_c import DAMAGE, DRAWN, damage
from tinyternary.errors import ConfigError

SET_WITH = {kind: name for name, kind in reversed(PAIRS)}
"""The first set that has a corruption."""


def test_each_set_has_its_corruptions_at_five_severities():
    assert set(MEDMNIST_C) == set(MEDMNIST)
    for name, kinds in MEDMNIST_C.items():
        assert 6 <= len(kinds) <= 15, name
        assert set(kinds) <= set(DAMAGE)
        assert all(len(amounts) == 5 for amounts in kinds.values())
    assert set(DAMAGE) == {kind for _, kind in PAIRS}


@pytest.mark.parametrize("kind", DAMAGE)
def test_the_seed_and_the_image_decide(kind):
    data = phantom_set(SET_WITH[kind], 2)
    before = data.images.copy()
    whole = medmnist_c(data, kind, 5).images
    assert whole.dtype == np.uint8
    assert whole.shape == data.images.shape
    np.testing.assert_array_equal(data.images, before)
    assert (whole != data.images).any()
    alone = medmnist_c(data.subset([1]), kind, 5).images
    np.testing.assert_array_equal(alone[0], whole[1])


def test_another_seed_is_another_draw():
    drawn = {"motion_blur", *DRAWN, *(kind for kind in DAMAGE if kind.endswith("noise"))}
    for kind in DAMAGE:
        data = phantom_set(SET_WITH[kind], 4)
        same = np.array_equal(*(medmnist_c(data, kind, 5, seed).images for seed in (1, 2)))
        assert same == (kind not in drawn), kind


@pytest.mark.parametrize("kind", DAMAGE)
def test_the_worst_is_worse_than_the_mildest(kind):
    data = phantom_set(SET_WITH[kind], 24)
    far = [
        np.square(medmnist_c(data, kind, severity).images - data.images.astype(float)).mean()
        for severity in (1, 5)
    ]
    assert 0 < far[0] < far[1]


@given(kind=st.sampled_from(sorted(set(DAMAGE) - set(DRAWN))), level=st.integers(0, 255))
def test_an_even_grey_image_stays_even_under_what_spreads(kind, level):
    image = np.full((28, 28, 1), level, np.uint8)
    found = damage(image, kind, MEDMNIST_C[SET_WITH[kind]][kind][0], np.random.default_rng(0))
    if "noise" in kind:
        return
    if kind == "black_corner":
        assert set(np.unique(found)) <= {0, level}
    elif kind == "saturate":  # grey gets the hue 0, red: less green and blue
        assert (found <= level).all()
    else:
        assert np.ptp(found) == 0
        if "blur" in kind or kind in ("pixelate", "contrast_up", "contrast_down"):
            assert abs(int(found[0, 0, 0]) - level) <= 1


@given(st.integers(0, 2**32), st.sampled_from([8, 28, 56, 64, 100]))
def test_marks_drawn_large_leave_the_rest_as_it_is(seed, size):
    """Where no mark is, enlarging and reducing by means gives the image back."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (size, size, 3), np.uint8)
    found = damage(image, "stain_deposit", (1, 24), rng)
    touched = (found != image).any(-1).mean()
    if 224 % size == 0:
        assert touched <= ((24 + 16) / 224 + 2 / size) ** 2
    assert found.shape == image.shape
    assert (found <= image).all() or 224 % size


@given(st.integers(0, 2**32), st.floats(-0.5, 0.5))
def test_saturation_keeps_the_largest_channel_and_the_order(seed, amount):
    x = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    found = damage(x, "saturate", amount, np.random.default_rng(0)).astype(int)
    # a fraction is dropped: of a value that float64 could not reach, one whole level
    assert np.abs(found.max(-1) - x.max(-1).astype(int)).max() <= 1
    for one, other in ((0, 1), (1, 2), (0, 2)):
        above = x[..., one] > x[..., other]
        assert (found[..., one] >= found[..., other] - 1)[above].all()


@given(st.integers(0, 2**32))
def test_grey_is_what_pillow_says(seed):
    x = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), np.uint8)
    np.testing.assert_array_equal(as_grey(x), np.asarray(Image.fromarray(x).convert("L")))


def test_blots_fill_more_than_half_of_their_square_each_in_its_way():
    blots = [marks._blot(24, np.random.default_rng(seed)) for seed in range(40)]
    assert all(0.4 < blot.mean() < 0.8 for blot in blots)
    assert len({blot.tobytes() for blot in blots}) == 40


@pytest.mark.parametrize("name", MEDMNIST_C)
def test_figures_are_those_recorded_of_medmnistc(name):
    """Mean, deviation and mean steps right and down of what the original made of a phantom."""
    image = phantom_set(name).images[0]
    for kind, record in json.loads(RECORD.read_text())[name].items():
        tolerance = 0.1 if kind == "motion_blur" else 0.03  # some values are one level away
        for severity, wanted in enumerate(record, 1):
            found = damage(image, kind, MEDMNIST_C[name][kind][severity - 1], Draws(severity))
            np.testing.assert_allclose(figures(found), wanted, atol=tolerance, err_msg=kind)


def test_wrong_calls_are_named():
    data = phantom_set("breastmnist", 2)
    with pytest.raises(ConfigError, match="Did you mean 'pixelate'"):
        medmnist_c(data, "pixelated", 1)
    with pytest.raises(ConfigError, match="MedMNIST-C set"):
        medmnist_c(data, "pixelate", 1, amounts_of="nodule")
    with pytest.raises(ConfigError, match="corruption of breastmnist"):
        medmnist_c(data, "bubble", 1)
    for severity in (0, 6):
        with pytest.raises(ConfigError, match="severity"):
            medmnist_c(data, "pixelate", severity)
    with pytest.raises(ConfigError, match="square"):
        medmnist_c(data.with_images(data.images[:, :20]), "pixelate", 1)
