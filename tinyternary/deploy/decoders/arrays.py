"""`.npy` and `.npz` files, image by image: no more of a file is in memory (lesson 10)."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import IO

import numpy as np

from tinyternary.config import Preprocessing
from tinyternary.data.medmnist._archive import DAMAGE, read_array_header
from tinyternary.deploy.decoders.stated import Read, Stated, check, first_line
from tinyternary.deploy.images import batch_shape, changes, fit
from tinyternary.deploy.memory import too_large
from tinyternary.errors import DataFileError, ShapeError

SUFFIXES = (".npy", ".npz")

_CHUNK = 1 << 20


def read_arrays(file: Path, expected: Preprocessing, limit: int) -> Iterator[Read]:
    """Read the images of a file; what is wrong with one array costs that array and no other.

    Raises
    ------
    DataFileError
        If the file as a whole cannot be read.
    """
    if file.suffix.lower() == ".npy":
        with file.open("rb") as stream:
            yield from _array(str(file), stream, file.stat().st_size, expected, limit)
        return
    try:
        archive = zipfile.ZipFile(file)
    except DAMAGE as error:
        raise DataFileError(f"{file}: damaged array file: {first_line(error)}") from None
    with archive:
        members = [m for m in archive.infolist() if "label" not in m.filename.lower()]
        if not members:
            raise DataFileError(f"{file}: holds no array of images")
        for member in members:
            name = f"{file}[{member.filename.removesuffix('.npy')}]"
            try:
                if not member.filename.endswith(".npy"):
                    raise DataFileError(f"{name}: is no array")
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise DataFileError(f"{name}: compressed in an unknown way")
                with archive.open(member) as stream:  # to the end: then its checksum is seen
                    while stream.read(_CHUNK):
                        pass
                with archive.open(member) as stream:
                    yield from _array(name, stream, member.file_size, expected, limit)
            except DataFileError as error:
                yield Read(name, error=str(error))
            except DAMAGE as error:
                yield Read(name, error=f"{name}: damaged: {first_line(error)}")


def _array(
    name: str, stream: IO[bytes], length: int, expected: Preprocessing, limit: int
) -> Iterator[Read]:
    """Read the images of an array; `length` is that of the stream in bytes."""
    try:
        stated, fortran, dtype = read_array_header(stream)
    except DAMAGE as error:
        raise DataFileError(f"{name}: damaged array file: {first_line(error)}") from None
    if dtype.hasobject:
        raise DataFileError(f"{name}: holds Python objects, expected uint8")
    if dtype != np.uint8:
        raise DataFileError(f"{name}: dtype {dtype}, expected uint8")
    held = length - stream.tell()
    if prod(stated) != held:
        raise DataFileError(
            f"{name}: damaged: shape {stated} needs {prod(stated):,} bytes, the file holds {held:,}"
        )
    try:
        shape = batch_shape(stated, expected)
    except ShapeError as error:
        raise DataFileError(f"{name}: {error}") from None
    count, *one = shape
    if count == 0:
        raise DataFileError(f"{name}: holds no images: shape {stated}")
    height, width, channels = one
    # the bytes themselves, and Pillow's copy for resizing
    memory = (channels + 4) * height * width
    check(name, Stated(width, height, memory, "grey" if channels == 1 else "RGB"), limit)
    notes = changes(shape, expected)
    if fortran:  # the first image's bytes lie all over the array
        reason = too_large("an array in Fortran order", prod(shape), limit)
        if reason:
            raise DataFileError(f"{name}: {reason}")
        whole = np.frombuffer(_exactly(stream, prod(shape), name), np.uint8)
        images = iter(whole.reshape(stated, order="F").reshape(shape))
    else:
        images = (
            np.frombuffer(_exactly(stream, prod(one), name), np.uint8).reshape(one)
            for _ in range(count)
        )
    for i, image in enumerate(images):
        yield Read(name if count == 1 else f"{name}[{i}]", fit(image[None], expected)[0], notes)


def _exactly(stream: IO[bytes], count: int, name: str) -> bytes:
    content = stream.read(count)
    if len(content) != count:
        raise DataFileError(f"{name}: damaged: ends after {len(content):,} of {count:,} bytes")
    return content
