"""DICOM files, through pydicom: one frame, as its own window shows it (lesson 10).

Stored numbers mean what the header makes of them (DICOM PS3.3, C.11): rescaled to units
(Hounsfield units in a CT), seen through a window, and light where they are large unless the
file says MONOCHROME1. All of this is applied; a file that leaves it open is refused.
Nothing that names a patient is read.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import Preprocessing
from tinyternary.deploy.decoders.stated import Read, Stated, check, first_line
from tinyternary.deploy.images import changes, fit
from tinyternary.deploy.memory import too_large
from tinyternary.errors import DataFileError

SUFFIXES = (".dcm", ".dicom")

_UNCOMPRESSED = {
    "1.2.840.10008.1.2": "implicit little endian",
    "1.2.840.10008.1.2.1": "explicit little endian",
    "1.2.840.10008.1.2.2": "explicit big endian",
}
"""Transfer syntaxes that are read: of any other the header cannot say how much memory it takes."""
_COLORS = {
    "MONOCHROME1": "grey", "MONOCHROME2": "grey",
    "RGB": "RGB", "YBR_FULL": "RGB", "YBR_FULL_422": "RGB",
}  # fmt: skip
_READ = (
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "RescaleSlope",
    "RescaleIntercept", "ModalityLUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction",
    "VOILUTSequence",
)  # fmt: skip


def is_dicom(file: Path) -> bool:
    """Whether a file says that it is one: ``DICM`` behind a preamble of 128 bytes."""
    with file.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def read_dicom(file: Path, expected: Preprocessing, limit: int) -> Read:
    """Read the one frame of a file as the network takes it.

    Raises
    ------
    DataFileError
        If pydicom is not installed, or the file is damaged, compressed, too large, of
        several frames, or leaves open what its numbers mean.
    """
    try:
        from pydicom import dcmread
        from pydicom.filereader import read_file_meta_info
        from pydicom.pixels.utils import pixel_array
    except ImportError:
        raise DataFileError(
            f"{file}: reading DICOM needs the package pydicom: pip install 'tinyternary[dicom]'"
        ) from None
    if not is_dicom(file):
        raise DataFileError(f"{file}: not a DICOM file: no DICM behind 128 bytes")
    reason = too_large("the file", file.stat().st_size, limit)
    if reason:
        raise DataFileError(f"{file}: {reason}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of values that are not looked at
            syntax = read_file_meta_info(file).TransferSyntaxUID
            if syntax not in _UNCOMPRESSED:
                raise DataFileError(
                    f"{file}: compressed as {syntax.name}, expected an uncompressed transfer "
                    "syntax; decompress it first (pydicom: `ds.decompress()`)"
                )
            header = dcmread(file, stop_before_pixels=True, specific_tags=list(_READ))
            check(str(file), _stated(header), limit)
            notes: tuple[str, ...] = ()
            if _COLORS[header.PhotometricInterpretation] == "RGB":
                pixels = pixel_array(file)
            else:
                table, notes = _table(file, header)
                stored = pixel_array(file, raw=True)
                pixels = table[stored.view(f"u{stored.itemsize}")]
    except DataFileError:
        raise
    except Exception as error:  # pydicom raises a dozen kinds
        raise DataFileError(f"{file}: damaged DICOM file: {first_line(error)}") from None
    image = pixels.reshape(1, *pixels.shape[:2], -1)
    return Read(str(file), fit(image, expected)[0], (*notes, *changes(image.shape, expected)))


def _stated(header: Any) -> Stated:
    colors = _COLORS.get(header.PhotometricInterpretation, header.PhotometricInterpretation)
    stored, bits, other = int(header.BitsStored), int(header.BitsAllocated), ""
    if bits not in (8, 16):
        other = f"{bits} bits allocated per pixel, expected 8 or 16"
    elif int(header.HighBit) != stored - 1 or not 1 <= stored <= bits:
        other = f"bit {header.HighBit} is the highest of {stored}, expected {stored - 1}"
    elif int(header.SamplesPerPixel) != (1 if colors == "grey" else 3):
        other = f"{header.SamplesPerPixel} samples per pixel for {colors}"
    elif "ModalityLUTSequence" in header:
        other = "states a modality look-up table; apply it first"
    elif colors == "RGB" and header.PixelRepresentation:
        other = "holds colours with a sign"
    rows, columns = int(header.Rows), int(header.Columns)
    # bytes and array; then an index of 8 bytes, or the floats of a change of colours
    memory = rows * columns * (3 * bits // 8 + 9 if colors == "grey" else 3 * 3 + 24)
    frames = int(header.get("NumberOfFrames") or 1)
    # grey of more bits is brought to 8 by a window
    return Stated(columns, rows, memory, colors, 8 if colors == "grey" else bits, frames, other)


def _table(file: Path, header: Any) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Return the byte that each stored code is shown as: rescaled, windowed, turned over."""
    stored = int(header.BitsStored)
    values = np.arange(1 << int(header.BitsAllocated)) & ((1 << stored) - 1)
    signed = bool(header.PixelRepresentation)
    if signed:  # two's complement of so many bits
        values -= (values >> (stored - 1)) << stored
    slope, intercept = _first(header.get("RescaleSlope")), _first(header.get("RescaleIntercept"))
    rescaled = (1 if slope is None else slope) * values + (intercept or 0)
    center, width = (_first(header.get(name)) for name in ("WindowCenter", "WindowWidth"))
    notes: tuple[str, ...] = ()
    if center is not None and width is not None:
        function = str(header.get("VOILUTFunction") or "LINEAR").upper()
        if function not in WINDOWS or not width > (0 if function != "LINEAR" else 1):
            raise DataFileError(f"{file}: window {function} of width {width:g} cannot be applied")
        light = WINDOWS[function](rescaled, center, width)
        notes = (f"seen through the file's window: centre {center:g}, width {width:g}",)
    elif stored > 8 or (rescaled != values).any() or signed or "VOILUTSequence" in header:
        raise DataFileError(
            f"{file}: {stored} bits and no window (WindowCenter, WindowWidth): which numbers are "
            "black and which white is open; convert it to 8-bit grey with a window of your choice"
        )
    else:
        light = values / ((1 << stored) - 1)
    if not np.isfinite(light).all():
        raise DataFileError(f"{file}: window or rescaling is no finite number")
    if header.PhotometricInterpretation == "MONOCHROME1":
        light = 1 - light
        notes += ("turned over: large numbers are dark (MONOCHROME1)",)
    return np.rint(255 * light).astype(np.uint8), notes


def _first(value: Any) -> float | None:
    """Return the first of the windows that a file offers."""
    if value is None or value == "":
        return None
    return float(value[0] if hasattr(value, "__len__") else value)


def _linear(x: NDArray[Any], center: float, width: float) -> NDArray[Any]:
    return np.clip((x - (center - 0.5)) / (width - 1) + 0.5, 0, 1)


def _linear_exact(x: NDArray[Any], center: float, width: float) -> NDArray[Any]:
    return np.clip((x - center) / width + 0.5, 0, 1)


def _sigmoid(x: NDArray[Any], center: float, width: float) -> NDArray[Any]:
    return 1 / (1 + np.exp(np.clip(-4 * (x - center) / width, -700, 700)))


WINDOWS: dict[str, Callable[[NDArray[Any], float, float], NDArray[Any]]] = {
    "LINEAR": _linear,
    "LINEAR_EXACT": _linear_exact,
    "SIGMOID": _sigmoid,
}
"""From numbers in the file's units to light, 0 to 1 (DICOM PS3.3, C.11.2.1.2 and C.11.2.1.3)."""
