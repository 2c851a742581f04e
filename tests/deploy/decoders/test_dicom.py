"""DICOM files made with pydicom, whose own rescaling and windowing are the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tinyternary.config import Preprocessing
from tinyternary.deploy.image_files import find_files, read_images
from tinyternary.deploy.images import fit

pydicom = pytest.importorskip("pydicom")

from pydicom.dataset import FileDataset, FileMetaDataset  # noqa: E402
from pydicom.pixels import apply_rescale, apply_windowing  # noqa: E402
from pydicom.uid import (  # noqa: E402
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

GREY, COLOR = (Preprocessing(16, (0.5,) * n, (0.5,) * n) for n in (1, 3))


def made(pixels, *, stored=16, syntax=ExplicitVRLittleEndian, **fields):
    """A data set of an array (H, W) or (H, W, 3)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, "1.2.3"
    meta.TransferSyntaxUID = syntax
    found = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    found.SOPClassUID, found.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    found.Rows, found.Columns = pixels.shape[:2]
    found.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    found.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    if pixels.ndim == 3:
        found.PlanarConfiguration = 0
    found.BitsAllocated = 8 * pixels.itemsize
    found.BitsStored, found.HighBit = stored, stored - 1
    found.PixelRepresentation = int(pixels.dtype.kind == "i")
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    found.PixelData = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    found["PixelData"].VR = "OW"
    for name, value in fields.items():
        setattr(found, name, value)
    return found


def write(path, found):
    found.save_as(path, enforce_file_format=True)
    return path


def read(path, expected=GREY, **options):
    (one,) = read_images(path, expected, **options)
    return one


def refused(path, **options):
    one = read(path, **options)
    assert one.pixels is None
    assert str(path) in one.error
    assert "\n" not in one.error
    return one.error


@settings(deadline=None, max_examples=60)
@given(
    signed=st.booleans(),
    stored=st.sampled_from([8, 10, 12, 16]),
    slope=st.sampled_from([None, 1.0, 0.5, 2.25]),
    intercept=st.sampled_from([-1024.0, 0.0, 7.5]),
    center=st.floats(-500, 2000).map(lambda x: round(x, 1)),
    width=st.floats(2, 3000).map(lambda x: round(x, 1)),
    function=st.sampled_from([None, "LINEAR", "LINEAR_EXACT", "SIGMOID"]),
    dark=st.booleans(),
    syntax=st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian]),
)
def test_rescaling_and_window_are_those_of_pydicom(
    tmp_path_factory, signed, stored, slope, intercept, center, width, function, dark, syntax
):
    low, high = (-(1 << stored - 1), 1 << stored - 1) if signed else (0, 1 << stored)
    pixels = np.random.default_rng(0).integers(low, high, (16, 16))
    kind = f"{'i' if signed else 'u'}{1 if stored == 8 else 2}"
    found = made(pixels.astype(kind), stored=stored, syntax=syntax,
                 WindowCenter=center, WindowWidth=width)  # fmt: skip
    if slope is not None:
        found.RescaleSlope, found.RescaleIntercept = slope, intercept
    if function is not None:
        found.VOILUTFunction = function
    with np.errstate(over="ignore"):  # of a sigmoid's tail
        seen = apply_windowing(apply_rescale(pixels.astype(kind), found), found)
    # pydicom's light goes from the least to the greatest number that can be stored
    ends = np.array([low, high - 1], float) * (slope or 1) + (intercept if slope else 0)
    light = (seen - ends[0]) / (ends[1] - ends[0])
    if dark:
        found.PhotometricInterpretation = "MONOCHROME1"
        light = 1 - light
    one = read(write(tmp_path_factory.mktemp("ct") / "a.dcm", found))
    assert one.error is None, one.error
    np.testing.assert_allclose(one.pixels[..., 0], 255 * light, atol=0.5001)
    assert any("window" in note for note in one.notes)
    assert any("MONOCHROME1" in note for note in one.notes) == dark


def test_the_first_of_several_windows(tmp_path):
    pixels = np.arange(256, dtype=np.uint16).reshape(16, 16)
    several = write(tmp_path / "a.dcm", made(pixels, WindowCenter=[40, 100], WindowWidth=[80, 9]))
    one = write(tmp_path / "b.dcm", made(pixels, WindowCenter=40, WindowWidth=80))
    np.testing.assert_array_equal(read(several).pixels, read(one).pixels)
    assert "centre 40, width 80" in read(several).notes[0]


def test_eight_bits_without_a_window_are_what_they_are(tmp_path, rng):
    pixels = rng.integers(0, 256, (16, 16), np.uint8)
    path = write(tmp_path / "a.dcm", made(pixels, stored=8))
    np.testing.assert_array_equal(read(path).pixels[..., 0], pixels)
    path = write(
        tmp_path / "b.dcm", made(pixels, stored=8, PhotometricInterpretation="MONOCHROME1")
    )
    np.testing.assert_array_equal(read(path).pixels[..., 0], 255 - pixels)


def test_unused_high_bits_are_nothing_of_the_image(tmp_path, rng):
    pixels = rng.integers(0, 1 << 12, (16, 16), np.uint16)
    window = {"WindowCenter": 2048, "WindowWidth": 4096}
    plain = write(tmp_path / "a.dcm", made(pixels, stored=12, **window))
    with_overlay = write(tmp_path / "b.dcm", made(pixels | 1 << 13, stored=12, **window))
    np.testing.assert_array_equal(read(plain).pixels, read(with_overlay).pixels)


def test_colors(tmp_path, rng):
    pixels = rng.integers(0, 256, (20, 24, 3), np.uint8)
    path = write(tmp_path / "a.dcm", made(pixels, stored=8))
    np.testing.assert_array_equal(read(path, COLOR).pixels, fit(pixels[None], COLOR)[0])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "no window"),
        ({"WindowCenter": 40, "WindowWidth": 0}, "width 0"),
        ({"WindowCenter": 40, "WindowWidth": 80, "VOILUTFunction": "OTHER"}, "window OTHER"),
        ({"NumberOfFrames": 2}, "holds 2 pictures"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "PALETTE COLOR colours"),
        ({"ModalityLUTSequence": []}, "modality look-up table"),
        ({"HighBit": 11}, "highest"),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "32 bits allocated"),
        ({"SamplesPerPixel": 2}, "2 samples per pixel"),
        ({"Rows": 1}, "16 x 1 pixels"),
        ({"Rows": 60000, "Columns": 60000}, "allow more with"),
        ({"Rows": 17, "WindowCenter": 40, "WindowWidth": 80}, "damaged"),
        ({"Rows": None}, "damaged"),
    ],
)
def test_what_is_refused(fields, reason, tmp_path):
    found = made(np.zeros((16, 16), np.uint16))
    for name, value in fields.items():
        setattr(found, name, value)
    assert reason in refused(write(tmp_path / "a.dcm", found))


def test_compressed_files_are_refused_before_they_are_unpacked(tmp_path):
    found = made(np.zeros((16, 16), np.uint16), syntax=DeflatedExplicitVRLittleEndian)
    assert "compressed as Deflated" in refused(write(tmp_path / "a.dcm", found))
    found = made(np.zeros((16, 16), np.uint16))
    found.compress(RLELossless)
    assert "compressed as RLE" in refused(write(tmp_path / "b.dcm", found))


def test_a_file_without_a_suffix_is_known_by_its_content(tmp_path):
    found = made(np.zeros((16, 16), np.uint8), stored=8)
    write(tmp_path / "IM000001", found)
    (tmp_path / "LICENSE").write_text("text")
    (tmp_path / "b.dcm").write_bytes(b"nonsense")
    account = find_files([tmp_path])
    assert [path.name for path in account.files] == ["IM000001", "b.dcm"]
    assert [path.name for path in account.skipped] == ["LICENSE"]
    assert read(tmp_path / "IM000001").error is None
    assert "not a DICOM file" in refused(tmp_path / "b.dcm")


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_a_damaged_file_is_an_answer_or_one_line(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damaged") / "a.dcm"
    write(path, made(np.zeros((4, 4), np.uint16), WindowCenter=40, WindowWidth=80))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(132, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(132, len(content)))])
    one = read(path)
    assert (one.pixels is None) == (one.error is not None)
    assert one.error is None or "\n" not in one.error


def test_nothing_that_names_a_patient_is_said(tmp_path):
    found = made(np.zeros((16, 16), np.uint16), PatientName="Doe^Jane", PatientID="4711")
    assert "Doe" not in refused(write(tmp_path / "a.dcm", found))
