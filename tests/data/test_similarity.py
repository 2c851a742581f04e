"""Near-duplicates: planted ones are found, and correlations are NumPy's own."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinyternary.data import load, most_similar
from tinyternary.errors import ConfigError, DataFileError, ShapeError


def noise(count, seed, channels=1, size=(9, 11)):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, *size, channels), dtype=np.uint8)


@given(st.integers(0, 99), st.sampled_from([1, 3]))
def test_without_copies_it_is_the_largest_correlation(seed, channels):
    images, others = noise(5, [seed, 0], channels), noise(7, [seed, 1], channels)
    each = np.corrcoef(images.reshape(5, -1), others.reshape(7, -1))[:5, 5:]
    found, index = most_similar(images, others, moves=0, mirror=False)
    np.testing.assert_allclose(found, each.max(1), atol=1e-5)
    np.testing.assert_array_equal(index, each.argmax(1))


@given(
    st.integers(0, 99), st.integers(-2, 2), st.integers(-2, 2), st.booleans(),
    st.floats(0.3, 1.0), st.integers(0, 60),
)  # fmt: skip
def test_a_moved_mirrored_and_paler_copy_is_found(seed, down, right, flipped, gain, offset):
    others = noise(6, seed, size=(25, 30))
    room = np.pad(others[4], ((2, 2), (2, 2), (0, 0)), mode="edge")
    copy = room[2 - down : 27 - down, 2 - right : 32 - right]
    copy = copy[:, ::-1] if flipped else copy
    copy = np.clip(np.rint(copy * gain * 0.7 + offset), 0, 255).astype(np.uint8)[None]
    found, index = most_similar(copy, others, moves=2)
    assert index[0] == 4
    # what was moved out of the picture is lost
    assert found[0] > (0.99 if down == right == 0 else 0.6)


def test_more_copies_can_only_be_more_similar():
    images, others = noise(20, 0), noise(30, 1)
    plain, moved, mirrored = (
        most_similar(images, others, moves=moves, mirror=mirror)[0]
        for moves, mirror in ((0, False), (1, False), (1, True))
    )
    assert (moved >= plain).all()
    assert (mirrored >= moved).all()
    assert (mirrored > plain).any()


def test_many_images_are_compared_in_parts():
    images = noise(2100, 3)
    found, index = most_similar(images, images[::-1], moves=0, mirror=False)
    np.testing.assert_allclose(found, 1, atol=1e-5)
    np.testing.assert_array_equal(index, np.arange(2100)[::-1])


def test_images_without_contrast_are_like_nothing():
    flat = np.full((1, 9, 11, 1), 7, np.uint8)
    assert most_similar(flat, noise(3, 0))[0].tolist() == [0]
    assert most_similar(noise(1, 0), flat)[0].tolist() == [0]


def test_what_cannot_be_compared_is_refused():
    images = noise(2, 0)
    with pytest.raises(ShapeError, match="others"):
        most_similar(images, noise(2, 0, channels=3))
    with pytest.raises(ShapeError, match="images"):
        most_similar(images.astype(float), images)
    with pytest.raises(ConfigError, match="moves"):
        most_similar(images, images, moves=9)
    with pytest.raises(DataFileError, match="compare"):
        most_similar(images, images[:0])
    assert len(most_similar(images[:0], images)[0]) == 0


def test_frames_of_one_examination_stand_on_both_sides_of_breastmnists_split(medmnist_root):
    splits = load("breastmnist", root=medmnist_root)
    found, index = most_similar(splits.val.images, splits.train.images)
    near = found > 0.98
    assert near.mean() > 0.15
    same = splits.train.labels[index[near]] == splits.val.labels[near]
    assert same.mean() > 0.95
