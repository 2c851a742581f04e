"""Arrays in files: one rule for shapes, one answer or error an array, image by image."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tinyternary.config import Preprocessing
from tinyternary.deploy.image_files import read_images
from tinyternary.deploy.images import as_input, batch_shape, fit
from tinyternary.errors import ShapeError

GREY, COLOR = (Preprocessing(16, (0.5,) * n, (0.5,) * n) for n in (1, 3))


def as_bytes(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@settings(deadline=None)
@given(
    shape=st.lists(st.integers(0, 40), min_size=0, max_size=6).map(tuple),
    expected=st.sampled_from([GREY, COLOR, Preprocessing(3, (0.5,), (0.5,))]),
)
def test_a_shape_is_read_in_one_way_or_refused(shape, expected):
    size = expected.image_size
    ways = []
    if len(shape) == 2:
        ways.append((1, *shape, 1))
    if len(shape) == 3:
        # an axis of up to four is more likely one of colours than a side, unless it is the
        # network's own side
        if shape[2] in (1, 2, 3, 4):
            ways.append((1, *shape))
        if shape[2] not in (1, 2, 3, 4) or shape[1:] == (size, size):
            ways.append((*shape, 1))
        if shape[2] == 2 or shape[2] == 4:
            ways.append((*shape, 1))
        if shape[0] == expected.channels == 3 and shape[2] not in (1, 3):
            ways.append((1, *shape[1:], 3))
    if len(shape) == 4:
        ways.append(shape)
    ways = list(set(ways))
    if len(ways) == 1 and ways[0][3] in (1, 3):
        assert batch_shape(shape, expected) == ways[0]
    else:
        with pytest.raises(ShapeError, match="images: "):
            batch_shape(shape, expected)


def test_one_color_image_is_one_image():
    assert as_input(np.zeros((16, 16, 3), np.uint8), COLOR).shape == (1, 16, 16, 3)


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(1, 4),
    height=st.integers(4, 20).filter(lambda n: n not in (1, 2, 3, 4)),
    width=st.integers(5, 20),
    color=st.sampled_from([(), (1,), (3,)]),
    order=st.sampled_from("CF"),
    expected=st.sampled_from([GREY, COLOR]),
    packed=st.booleans(),
)
def test_files_give_what_the_array_gives(
    tmp_path_factory, count, height, width, color, order, expected, packed
):
    folder = tmp_path_factory.mktemp("arrays")
    array = np.random.default_rng(0).integers(0, 256, (count, height, width, *color), np.uint8)
    array = np.asarray(array, order=order)
    try:
        shape = batch_shape(array.shape, expected)
    except ShapeError:
        shape = None  # three grey images that may be the channels of one
    np.save(folder / "a.npy", array)
    save = np.savez_compressed if packed else np.savez
    save(folder / "a.npz", images=array, labels=np.zeros(count))
    for name in ("a.npy", "a.npz"):
        found = list(read_images(folder / name, expected))
        if shape is None:
            assert "channels first" in found[0].error
            continue
        assert [one.error for one in found] == [None] * count
        np.testing.assert_array_equal(
            np.stack([one.pixels for one in found]), fit(array.reshape(shape), expected)
        )


def test_what_is_no_array_of_images_costs_itself_only(tmp_path):
    good = np.zeros((2, 16, 16, 3), np.uint8)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("first.npy", as_bytes(good))
        archive.writestr("readme.txt", "no array")
        archive.writestr("cut.npy", as_bytes(good)[:-5])
        archive.writestr("junk.npy", b"\x93NUMPY junk")
        archive.writestr("ages.npy", as_bytes(np.arange(5.0)))
        archive.writestr("empty.npy", as_bytes(good[:0]))
        archive.writestr("train_labels.npy", as_bytes(np.arange(2)))
        archive.writestr("last.npy", as_bytes(good[:1]))
    found = {
        one.name.removeprefix(str(tmp_path / "a.npz")): one.error or ""
        for one in read_images(tmp_path / "a.npz", COLOR)
    }
    assert [name for name, error in found.items() if not error] == [
        "[first][0]", "[first][1]", "[last]",
    ]  # fmt: skip
    for name, reason in {
        "[readme.txt]": "is no array", "[cut]": "damaged: shape", "[junk]": "damaged array file",
        "[ages]": "dtype float64", "[empty]": "holds no images: shape (0, 16, 16, 3)",
    }.items():  # fmt: skip
        assert reason in found.pop(name)


def test_a_batch_of_no_images_is_an_error(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((0, 16, 16), np.uint8))
    (found,) = read_images(tmp_path / "a.npy", COLOR)
    assert "holds no images: shape (0, 16, 16)" in found.error


def test_a_checksum_that_is_wrong_is_seen_before_an_image_is_answered(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 16, 16), np.uint8))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[content.index(b"\x93NUMPY") + 200] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    (found,) = read_images(tmp_path / "a.npz", COLOR)
    assert "damaged" in found.error
