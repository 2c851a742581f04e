"""Augmentation: against SciPy's resampling, by the symmetries it promises, seeded, quick."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.ndimage import affine_transform

from tinyternary.compiled.warp import warp_bytes, warp_bytes_numpy
from tinyternary.data import AUGMENTATIONS, Augmentation, augmentation, phantoms
from tinyternary.data.augment.random_maps import (
    about_center,
    affine,
    compose,
    random_choices,
    tone_tables,
)
from tinyternary.errors import ConfigError, ShapeError

SAME = np.broadcast_to(np.arange(256, dtype=np.uint8), (64, 3, 256))


def random_images(seed, count=3, height=28, width=28, channels=3):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, height, width, channels), np.uint8), rng


def still(count):
    return np.tile(np.eye(2, 3, dtype=np.float32), (count, 1, 1))


@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]),
       st.floats(0.01, 4))  # fmt: skip
def test_compiled_and_plain_warp_have_the_same_bits(seed, height, width, channels, spread):
    images, rng = random_images(seed, 4, height, width, channels)
    matrices = (still(4) + spread * rng.standard_normal((4, 2, 3))).astype(np.float32)
    matrices[..., 2] *= height + width
    tables = rng.integers(0, 256, (4, channels, 256), np.uint8)
    np.testing.assert_array_equal(
        warp_bytes(images, matrices, tables), warp_bytes_numpy(images, matrices, tables)
    )


@given(st.integers(0, 2**32))
def test_warp_agrees_with_scipy(seed):
    images, rng = random_images(seed, 2)
    matrices = (still(2) + 0.4 * rng.standard_normal((2, 2, 3))).astype(np.float32)
    matrices[..., 2] *= 20
    ours = warp_bytes(images, matrices, SAME[:2])
    for image, matrix, result in zip(images, matrices.astype(np.float64), ours):
        for channel in range(3):
            theirs = affine_transform(
                image[..., channel].astype(np.float64), matrix[:, :2], matrix[:, 2],
                order=1, mode="reflect",
            )  # fmt: skip
            # coordinates in float32 against float64: half a grey level and a little
            assert np.abs(result[..., channel] - theirs).max() < 0.55


@given(st.integers(0, 2**32))
def test_flips_turns_and_shifts_are_exact(seed):
    images, _ = random_images(seed, 1, 12, 12)
    zero, one = np.zeros(1), np.ones((1, 2))

    def moved(**changes):
        parts = {
            "angle": zero, "size": one, "shear": zero, "shift": np.zeros((1, 2)),
            "flips": np.zeros((1, 2), bool), "transpose": np.zeros(1, bool), **changes,
        }  # fmt: skip
        return warp_bytes(images, about_center(affine(**parts), 12, 12), SAME[:1])[0]

    image = images[0]
    np.testing.assert_array_equal(moved(), image)
    np.testing.assert_array_equal(moved(flips=np.array([[True, False]])), image[::-1])
    np.testing.assert_array_equal(moved(flips=np.array([[False, True]])), image[:, ::-1])
    np.testing.assert_array_equal(moved(transpose=np.array([True])), image.transpose(1, 0, 2))
    shifted = moved(shift=np.array([[2.0, -3.0]]))
    np.testing.assert_array_equal(shifted[2:, :-3], image[:-2, 3:])
    np.testing.assert_array_equal(shifted[:2, :-3], image[1::-1, 3:])  # the border is reflected
    turned = moved(angle=np.array([np.pi / 2]))
    assert np.abs(turned.astype(int) - np.rot90(image, 1)).max() <= 1 or (
        np.abs(turned.astype(int) - np.rot90(image, -1)).max() <= 1
    )


@given(st.integers(0, 2**32))
def test_composed_maps_act_one_after_the_other(seed):
    rng = np.random.default_rng(seed)
    outer, inner = rng.standard_normal((2, 3, 2, 3)).astype(np.float32)
    point = rng.standard_normal((3, 2, 1)).astype(np.float32)
    first = inner[:, :, :2] @ point + inner[:, :, 2:]
    second = outer[:, :, :2] @ first + outer[:, :, 2:]
    both = compose(outer, inner)
    np.testing.assert_allclose(both[:, :, :2] @ point + both[:, :, 2:], second, atol=1e-4)


@given(st.sampled_from(list(AUGMENTATIONS)), st.integers(0, 2**32), st.sampled_from([1, 3]))
def test_augmentation_is_seeded_and_leaves_its_input_alone(name, seed, channels):
    images, _ = random_images(seed, 5, channels=channels)
    before = images.copy()
    change = augmentation(name)
    first = change(images, np.random.default_rng(seed))
    again = change(images, np.random.default_rng(seed))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(images, before)
    assert first.dtype == np.uint8
    assert first.shape == images.shape
    if name != "none":
        other = change(images, np.random.default_rng(seed + 1))
        assert (other != first).any()


def test_same_bits_without_compiled_code():
    code = (
        "import numpy as np, hashlib; from tinyternary.data import augmentation, phantoms;"
        "x = phantoms('val', 0, 40).images; r = np.random.default_rng(1);"
        "print([hashlib.md5(augmentation(n)(x, r).tobytes()).hexdigest()"
        " for n in ('light', 'medical', 'microscopy', 'orientations', 'random')])"
    )
    out = [
        subprocess.run([sys.executable, "-c", code], env={**os.environ, "TINYTERNARY_JIT": jit},
                       capture_output=True, text=True, check=True).stdout
        for jit in ("0", "1")
    ]  # fmt: skip
    assert out[0] == out[1]


@given(st.integers(0, 2**32))
def test_orientations_interpolate_nothing(seed):
    images, rng = random_images(seed, 5, 9, 9)
    change = replace(augmentation("orientations"), gain=0, offset=0, tint=0)
    for before, after in zip(images, change(images, rng), strict=True):
        pixels = {tuple(pixel) for pixel in before.reshape(-1, 3)}
        assert {tuple(pixel) for pixel in after.reshape(-1, 3)} <= pixels


def test_no_mirroring_where_left_and_right_are_classes():
    images = np.zeros((400, 8, 8, 1), np.uint8)
    images[:, :, :4] = 200  # bright on the left
    mirrored = augmentation("light")(images, np.random.default_rng(0))
    kept = augmentation("light", mirror=False)(images, np.random.default_rng(0))
    assert 0.4 < (mirrored[:, :, :3].mean((1, 2, 3)) < 100).mean() < 0.6
    assert (kept[:, :, :3].mean((1, 2, 3)) > 100).all()
    for name in AUGMENTATIONS:
        change = augmentation(name, mirror=False)
        assert change.flip_horizontal == change.flip_vertical == change.transpose == 0


def test_each_setting_does_what_it_says():
    images = phantoms("val", 0, 80).images
    rng = np.random.default_rng(0)
    flat = np.full((200, 28, 28, 3), 100, np.uint8)
    # what has no contrast cannot show geometry
    moved = Augmentation(rotation=90, scale=0.5, shear=0.3, shift=0.5, transpose=0.5)(flat, rng)
    assert (moved == 100).all()
    bright = Augmentation(gain=0.3)(flat, rng)
    assert np.ptp(bright, axis=(1, 2, 3)).max() == 0
    assert 69 <= bright.min() < 80
    assert 120 < bright.max() <= 130
    tinted = Augmentation(tint=0.2)(flat, rng)[:, 0, 0]
    assert np.ptp(tinted, axis=1).max() > 10
    offset = Augmentation(offset=0.1)(flat, rng)
    assert 74 <= offset.min() < 80
    assert 120 < offset.max() <= 126
    toned = Augmentation(gamma=0.5)(np.tile(np.uint8([[[[0, 128, 255]]]]), (50, 28, 28, 1)), rng)
    assert (toned[..., 0] == 0).all()
    assert (toned[..., 2] == 255).all()
    assert np.ptp(toned[..., 1]) > 40
    cut = Augmentation(cutout=1.0, cutout_size=0.5)(images, rng)
    changed = (cut != images).any(-1).mean((1, 2))
    assert changed.max() <= 0.26
    assert (changed > 0.1).mean() > 0.2
    assert (Augmentation(cutout=0.0, gain=1e-9)(images, rng) == images).all()


@given(st.integers(0, 2**32), st.integers(1, 4), st.sampled_from([1, 3]))
def test_random_choices_without_strength_change_nothing(seed, choices, channels):
    images, rng = random_images(seed, channels=channels)
    matrices, tables = random_choices(images, choices, 0.0, rng)
    np.testing.assert_allclose(matrices, still(3), atol=1e-7)
    assert np.abs(tables.astype(int) - np.arange(256)).max() <= 1


def test_tables_are_rounded_and_cut():
    table = tone_tables(np.array([[2.0]]), np.array([[-0.5]]))[0, 0]
    expected = np.clip(2 * np.arange(256) - 127.5, 0, 255)
    assert np.abs(table - expected).max() <= 0.5


@pytest.mark.parametrize(
    "fields",
    [{"rotation": 200}, {"flip_horizontal": 1.5}, {"gain": 1.0}, {"cutout": -0.1}, {"choices": -1}],
)
def test_impossible_settings_are_named(fields):
    with pytest.raises(ConfigError, match=next(iter(fields))):
        Augmentation(**fields)


def test_wrong_calls_are_named():
    with pytest.raises(ConfigError, match="Did you mean 'medical'"):
        augmentation("medicl")
    images = np.zeros((2, 8, 9, 1), np.uint8)
    rng = np.random.default_rng(0)
    with pytest.raises(ShapeError, match="uint8"):
        augmentation("light")(images.astype(np.float32), rng)
    with pytest.raises(ConfigError, match="not square"):
        augmentation("microscopy")(images, rng)
    for arguments in (
        (images[0], still(2), SAME[:2, :1]),
        (images, still(1), SAME[:2, :1]),
        (images, still(2) * np.nan, SAME[:2, :1]),
        (images, still(2), SAME[:2]),
    ):
        with pytest.raises(ShapeError):
            warp_bytes(*arguments)
    assert augmentation("light")(images[:0], rng).shape == (0, 8, 9, 1)
