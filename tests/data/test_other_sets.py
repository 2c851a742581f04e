"""Strangers from the data folder: which sets they are of, which images, and in which colors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from tests.data.test_medmnist import small_file
from tinyternary.config import Task
from tinyternary.data import MEDMNIST, DataFileWarning, Dataset, medmnist, other_sets
from tinyternary.errors import DataFileError

OTHERS = {
    "breastmnist": [],
    "pneumoniamnist": ["chestmnist"],
    "chestmnist": ["pneumoniamnist"],
    "organsmnist": ["organamnist", "organcmnist"],
    "own": [],
}
"""Sets, and those that show the same kind of image."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    arrays = {name: small_file(root / f"{name}.npz", name, count=9) for name in MEDMNIST}
    return root, arrays


def like(name, channels=1, height=28, width=28):
    images = np.zeros((2, height, width, channels), np.uint8)
    return Dataset(images, np.arange(2), Task.BINARY, ("a", "b"), name, "test")


def find(*arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataFileWarning)
        return other_sets(*arguments, **options)


@pytest.mark.parametrize("name", list(OTHERS))
def test_every_other_set_is_asked_but_those_of_the_same_kind(folder, name):
    found = find(like(name), folder[0])
    assert list(found.left_out) == OTHERS[name]
    assert set(found.images) == set(MEDMNIST) - {name, *OTHERS[name]}


def test_a_set_that_pretraining_saw_is_no_stranger(folder):
    found = find(like("breastmnist"), folder[0], seen=["bloodmnist", "breastmnist"])
    assert found.left_out == {"bloodmnist": "seen in pretraining"}
    assert "bloodmnist" not in found.images


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_those_of_the_test_split_in_the_colors_of_the_set(folder, channels):
    root, arrays = folder
    for name, images in find(like("own", channels), root).images.items():
        theirs = arrays[name]["test_images"]
        if theirs.ndim == 4 and channels == 1:  # as Pillow makes them grey
            theirs = np.stack([np.asarray(Image.fromarray(x).convert("L")) for x in theirs])
        wanted = theirs if theirs.ndim == 4 else np.stack([theirs] * channels, axis=-1)
        np.testing.assert_array_equal(images, wanted)


@given(st.integers(0, 12), st.integers(0, 2**32))
@settings(max_examples=10)
def test_so_many_are_drawn_each_once_and_the_seed_says_which(folder, count, seed):
    root, arrays = folder
    found = find(like("own", 3), root, count=count, seed=seed).images["bloodmnist"]
    theirs = [image.tobytes() for image in arrays["bloodmnist"]["test_images"]]
    places = [theirs.index(image.tobytes()) for image in found]
    assert len(places) == min(count, 9)
    assert places == sorted(set(places))
    again = find(like("own", 3), root, count=count, seed=seed).images["bloodmnist"]
    np.testing.assert_array_equal(found, again)


def test_what_is_drawn_of_a_set_does_not_depend_on_the_others(folder, tmp_path):
    small_file(tmp_path / "bloodmnist.npz", "bloodmnist", count=9)
    alone = find(like("own"), tmp_path, count=4).images
    assert list(alone) == ["bloodmnist"]
    np.testing.assert_array_equal(
        alone["bloodmnist"], find(like("own"), folder[0], count=4).images["bloodmnist"]
    )
    draws = [find(like("own"), tmp_path, count=4, seed=s).images["bloodmnist"] for s in range(5)]
    assert any((draws[0] != other).any() for other in draws[1:])


def test_nothing_is_found_where_nothing_fits(folder, tmp_path):
    small_file(tmp_path / "breastmnist.npz", "breastmnist")
    for data, root in (
        (like("breastmnist"), tmp_path),  # only its own file
        (like("breastmnist"), tmp_path / "nowhere"),
        (like("breastmnist_64", height=64, width=64), folder[0]),  # only files of another size
        (like("own", height=32, width=32), folder[0]),
        (like("own", height=28, width=64), folder[0]),
    ):
        found = find(data, root)
        assert (found.images, found.left_out) == ({}, {})


def test_larger_images_come_from_files_of_their_size(tmp_path):
    small_file(tmp_path / "bloodmnist_64.npz", "bloodmnist", size=64)
    found = find(like("breastmnist_64", height=64, width=64), tmp_path)
    assert found.images["bloodmnist"].shape == (6, 64, 64, 1)
    seen = find(like("breastmnist_64", height=64, width=64), tmp_path, seen=["bloodmnist_64"])
    assert list(seen.left_out) == ["bloodmnist"]


def test_files_are_read_as_the_loader_reads_them(tmp_path):
    path = tmp_path / "bloodmnist.npz"
    small_file(path, "bloodmnist")
    with pytest.warns(DataFileWarning, match="differs from the official"):
        other_sets(like("breastmnist"), tmp_path)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(DataFileError, match=r"bloodmnist\.npz"):
        other_sets(like("breastmnist"), tmp_path)


def test_real_sets_are_strangers_to_each_other(medmnist_root):
    there = [name for name in MEDMNIST if (medmnist_root / f"{name}.npz").is_file()]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = other_sets(medmnist("breastmnist", "test", medmnist_root), medmnist_root)
    assert list(found.images) == [name for name in there if name != "breastmnist"]
    assert all(x.shape == (200, 28, 28, 1) for x in found.images.values())
