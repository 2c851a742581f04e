"""What pixels mean: applied or refused, for every kind of picture, with Pillow and hand-made files."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image, ImageCms

from tests.deploy.decoders.hand_made import (
    chunk,
    icc_profile,
    levels,
    png,
    tiff,
    whole_png,
)
from tinyternary.config import Preprocessing
from tinyternary.deploy.image_files import read_images
from tinyternary.deploy.images import fit

GREY, COLOR = (Preprocessing(16, (0.5,) * n, (0.5,) * n) for n in (1, 3))
KINDS = {"png": {}, "tif": {}, "webp": {"lossless": True}, "jpg": {"quality": 95}}

UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}
"""From stored to upright rows and columns, as Exif 2.32 (4.6.4.A, Orientation) words them."""


def read(path, expected=COLOR, **options):
    (found,) = read_images(path, expected, **options)
    return found


def good(path, expected=COLOR, **options):
    found = read(path, expected, **options)
    assert found.error is None, found.error
    return found.pixels


def refused(path, expected=COLOR, **options):
    found = read(path, expected, **options)
    assert found.pixels is None
    assert "\n" not in found.error
    assert str(path) in found.error
    return found.error


@settings(deadline=None, max_examples=60)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    mode=st.sampled_from(["L", "RGB"]),
    turn=st.integers(1, 8),
    height=st.integers(2, 24),
    width=st.integers(2, 24),
    expected=st.sampled_from([GREY, COLOR]),
    seed=st.integers(0, 99),
)
def test_every_format_mode_and_orientation(
    tmp_path_factory, kind, mode, turn, height, width, expected, seed
):
    folder = tmp_path_factory.mktemp("turned")
    stored = levels(height, width, 3 if mode == "RGB" else 1, seed=seed).astype(np.uint8)
    picture = Image.fromarray(stored.squeeze(2) if mode == "L" else stored)
    exif = Image.Exif()
    exif[0x0112] = turn
    picture.save(folder / f"a.{kind}", exif=exif, **KINDS[kind])
    if kind == "jpg":  # what the same file holds without a word about turning
        picture.save(folder / "plain.jpg", **KINDS[kind])
        stored = np.asarray(Image.open(folder / "plain.jpg")).reshape(stored.shape)
    upright = UPRIGHT[turn](stored)
    if kind == "webp" and mode == "L":
        upright = np.repeat(upright, 3, axis=2)  # WebP has no grey
    if kind == "tif" and turn > 4:
        assert "on its side" in refused(folder / "a.tif")
        return
    found = read(folder / f"a.{kind}", expected)
    np.testing.assert_array_equal(found.pixels, fit(upright[None], expected)[0])
    assert any("orientation" in note for note in found.notes) == (turn != 1)


@settings(deadline=None, max_examples=40)
@given(
    mode=st.sampled_from(["1", "L", "P", "RGB", "opaque RGBA", "opaque LA"]),
    kind=st.sampled_from(["png", "tif"]),
    size=st.sampled_from([16, 9]),
    seed=st.integers(0, 99),
)
def test_palettes_bits_and_opaque_alpha_are_what_pillow_shows(
    tmp_path_factory, mode, kind, size, seed
):
    path = tmp_path_factory.mktemp("modes") / f"a.{kind}"
    color = Image.fromarray(levels(size, size, 3, seed=seed).astype(np.uint8))
    picture = color.quantize(9) if mode == "P" else color.convert(mode.split()[-1])
    shown = picture.convert("L" if mode in ("1", "L", "opaque LA") else "RGB")
    picture.save(path)
    pixels = np.asarray(shown).reshape(1, size, size, -1)
    np.testing.assert_array_equal(good(path), fit(pixels, COLOR)[0])


@pytest.mark.parametrize("color", [0, 2, 4, 6])
def test_sixteen_bits_in_a_png(color, tmp_path):
    pixels = levels(16, 16, {0: 1, 2: 3, 4: 2, 6: 4}[color], 1 << 16)
    (tmp_path / "a.png").write_bytes(whole_png(pixels, depth=16, color=color))
    assert "more than 8 bits per channel (16)" in refused(tmp_path / "a.png")


@pytest.mark.parametrize(("bits", "samples"), [(16, 1), (16, 3), (12, 1)])
def test_more_than_eight_bits_in_a_tiff(bits, samples, tmp_path):
    content = tiff(levels(16, 16, samples, 1 << bits), bits=bits, photometric=1 + (samples == 3))
    (tmp_path / "a.tif").write_bytes(content)
    assert f"more than 8 bits per channel ({bits})" in refused(tmp_path / "a.tif")


@pytest.mark.parametrize("mode", ["I", "F", "I;16"])
def test_numbers_that_are_no_bytes(mode, tmp_path):
    Image.new(mode, (16, 16)).save(tmp_path / "a.tif")
    assert "more than 8 bits" in refused(tmp_path / "a.tif")


def test_a_tiff_whose_zero_is_white(tmp_path):
    pixels = levels(16, 16, 1)
    for zero_is_black in (0, 1):
        path = tmp_path / f"{zero_is_black}.tif"
        path.write_bytes(tiff(pixels, bits=8, photometric=zero_is_black))
        np.testing.assert_array_equal(good(path, GREY), pixels if zero_is_black else 255 - pixels)


@pytest.mark.parametrize(
    ("extra", "samples", "reason"),
    [
        ([(339, 3, [2])], 1, "with a sign"),
        ([(338, 3, [0])], 4, "channel besides its colours"),
        ([(291, 3, [0] * 256)], 1, "grey response curve"),
        ([(301, 3, [0] * 256)], 1, "transfer function"),
    ],
)
def test_tags_of_a_tiff_that_change_what_numbers_mean(extra, samples, reason, tmp_path):
    content = tiff(levels(16, 16, samples), bits=8, photometric=1 + (samples > 1), extra=extra)
    (tmp_path / "a.tif").write_bytes(content)
    assert reason in refused(tmp_path / "a.tif")


@pytest.mark.parametrize("kind", ["png", "tif", "webp", "mpo"])
def test_several_pictures_in_a_file(kind, tmp_path):
    pictures = [Image.fromarray(levels(16, 16, 3, seed=i).astype(np.uint8)) for i in range(2)]
    path = tmp_path / f"a.{kind}"
    pictures[0].save(path, save_all=True, append_images=pictures[1:])
    path = path.rename(path.with_suffix(".jpg" if kind == "mpo" else path.suffix))
    assert "holds 2 pictures, expected one" in refused(path)


@pytest.mark.parametrize("kind", ["gif", "bmp", "ppm"])
def test_formats_that_are_not_read_are_refused_whatever_they_are_called(kind, tmp_path):
    Image.fromarray(levels(16, 16, 3).astype(np.uint8)).save(tmp_path / f"a.{kind}")
    (tmp_path / f"a.{kind}").rename(tmp_path / "a.png")
    assert "not a PNG, 8-bit JPEG, TIFF or WebP image" in refused(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("mode", "kind", "reason"),
    [
        ("CMYK", "jpg", "CMYK colours"), ("CMYK", "tif", "CMYK colours"),
        ("LAB", "tif", "LAB colours"), ("YCbCr", "tif", "YCbCr colours"),
        ("RGBA", "png", "alpha"), ("LA", "png", "alpha"), ("RGBA", "webp", "alpha"),
        ("RGBA", "tif", "alpha"),
    ],
)  # fmt: skip
def test_colors_that_would_need_guessing(mode, kind, reason, tmp_path):
    Image.new(mode, (16, 16)).save(tmp_path / f"a.{kind}")
    assert reason in refused(tmp_path / f"a.{kind}")


def test_a_transparent_color(tmp_path):
    color = Image.fromarray(levels(16, 16, 3).astype(np.uint8))
    color.quantize(16).save(tmp_path / "palette.png", transparency=3)
    color.save(tmp_path / "color.png", transparency=(1, 2, 3))
    color.convert("L").save(tmp_path / "grey.png", transparency=7)
    for name in ("palette", "color", "grey"):
        assert "alpha channel" in refused(tmp_path / f"{name}.png")


def test_a_color_profile_is_applied(tmp_path):
    pixels = levels(16, 16, 3).astype(np.uint8)
    path = tmp_path / "a.png"
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Image.fromarray(pixels)
    picture.save(path, icc_profile=srgb)
    np.testing.assert_array_equal(good(path), pixels)
    # linear light, with sRGB's own primaries: what is left is sRGB's curve (IEC 61966-2-1)
    picture.save(path, icc_profile=icc_profile(1.0))
    light = pixels / 255
    shown = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    found = read(path)
    np.testing.assert_allclose(found.pixels, 255 * shown, atol=2)
    assert "profile" in found.notes[0]
    picture.convert("L").save(path, icc_profile=srgb)  # of three colours, where there is one
    assert "colour profile cannot be applied" in refused(path)
    picture.save(path, icc_profile=b"no profile")
    assert "colour profile cannot be applied" in refused(path)


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (chunk(b"gAMA", (45455).to_bytes(4, "big")), ""),
        (chunk(b"gAMA", (100000).to_bytes(4, "big")), "gamma of 1"),
        (chunk(b"sRGB", b"\0") + chunk(b"gAMA", (100000).to_bytes(4, "big")), ""),
        (chunk(b"cHRM", b"".join(n.to_bytes(4, "big") for n in
            (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))), ""),
        (chunk(b"cHRM", b"".join(n.to_bytes(4, "big") for n in
            (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))), "primary colours"),
        (chunk(b"cICP", bytes([9, 16, 0, 1])), "cICP"),
    ],
)  # fmt: skip
def test_what_a_png_says_of_its_light(extra, reason, tmp_path):
    pixels = levels(16, 16, 3)
    (tmp_path / "a.png").write_bytes(whole_png(pixels, depth=8, color=2, extra=extra))
    if reason:
        assert reason in refused(tmp_path / "a.png")
    else:
        np.testing.assert_array_equal(good(tmp_path / "a.png"), pixels)


@settings(deadline=None, max_examples=150)
@given(data=st.data(), kind=st.sampled_from(sorted(KINDS)))
def test_a_damaged_picture_is_an_answer_or_one_line(tmp_path_factory, data, kind):
    path = tmp_path_factory.mktemp("damaged") / f"a.{kind}"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(levels(8, 8, 3).astype(np.uint8)).save(path, exif=exif, **KINDS[kind])
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    found = read(path)
    assert (found.pixels is None) == (found.error is not None)
    if found.error is not None:
        assert "\n" not in found.error
        assert len(found.error) < 400 + len(str(path))


def test_a_side_of_one_pixel_is_refused_by_the_header(tmp_path):
    (tmp_path / "a.png").write_bytes(png(1, 60_000_000))
    assert "1 x 60000000 pixels, expected at least 2 x 2" in refused(tmp_path / "a.png")
