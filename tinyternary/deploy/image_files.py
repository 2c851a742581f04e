"""Image files and folders in, one answer or one error each out (lesson 10).

A file that cannot be read costs that file and no other: `predict_files` yields
an error for it and goes on.
"""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.deploy.engine import Engine
from tinyternary.deploy.images import Images
from tinyternary.errors import DataFileError, ShapeError

SUFFIXES = (".png", ".jpg", ".jpeg", ".npy", ".npz")
"""Files that a folder is searched for."""
MAX_PIXELS = 64_000_000
"""Largest image that is read, pixels (8,000 x 8,000): a small PNG file can claim gigabytes."""


@dataclass(frozen=True, eq=False)
class FilePrediction:
    """The answer for one image, or the reason why there is none.

    Attributes
    ----------
    path : str
        The file; ``file.npz[images][3]`` for image 3 of an array in it.
    label : str, optional
        Name(s) of the predicted class(es).
    index : int or list of int, optional
        Class number, or one 0/1 per label for a multi-label task.
    probabilities : dict of str to float, optional
        By class name.
    error : str, optional
        One line that says what is wrong with the file.
    note : str, optional
        One line that says what was done to the image before it could be read
        (resized, colours changed).
    """

    path: str
    label: str | None = None
    index: int | list[int] | None = None
    probabilities: dict[str, float] | None = None
    error: str | None = None
    note: str | None = None

    @property
    def ok(self) -> bool:
        """Whether there is an answer."""
        return self.error is None

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain JSON types, as ``predict --json`` prints it."""
        return dict(vars(self))


def find_files(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Replace folders by the image files in and below them, sorted by name.

    Files that are named are kept whatever their suffix, so that a wrong one is
    reported and not passed over.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = (p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            found += sorted(p for p in inside if not p.name.startswith("."))
        else:
            found.append(path)
    return found


def predict_files(
    engine: Engine, paths: Iterable[str | os.PathLike[str]], *, batch_size: int = 64
) -> Iterator[FilePrediction]:
    """Answer for image files and folders, in their order.

    Parameters
    ----------
    engine : Engine
    paths : iterable of path-like
        PNG, JPEG, ``.npy`` (one image or a batch), ``.npz`` (every array of images
        in it) and folders of these.
    batch_size : int
        Images per call of the engine.

    Yields
    ------
    FilePrediction
        One per image, or one per file that could not be read; nothing is raised
        for a bad file.
    """
    waiting: list[tuple[str, Images]] = []
    for path in find_files(paths):
        try:
            for name, image in read_images(path, engine.header.preprocessing.channels):
                if waiting and (len(waiting) == batch_size or waiting[0][1].shape != image.shape):
                    yield from _answer(engine, waiting)
                    waiting = []
                waiting.append((name, image))
        except (DataFileError, ShapeError) as error:
            if waiting:
                yield from _answer(engine, waiting)
                waiting = []
            yield FilePrediction(str(path), error=str(error))
    if waiting:
        yield from _answer(engine, waiting)


def _answer(engine: Engine, waiting: list[tuple[str, Images]]) -> Iterator[FilePrediction]:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        answers = engine.predict(np.stack([image for _, image in waiting]))
    note = "; ".join(str(one.message) for one in seen) or None
    for (name, _), label, text, row in zip(
        waiting, answers.labels, answers.names, answers.probabilities
    ):
        yield FilePrediction(
            path=name,
            label=text,
            index=label.tolist(),
            probabilities=dict(zip(answers.class_names, row.tolist())),
            note=note,
        )


def read_images(path: str | os.PathLike[str], channels: int) -> Iterator[tuple[str, Images]]:
    """Read the images of a file as (name, (H, W, C) uint8) pairs.

    Parameters
    ----------
    path : path-like
    channels : int
        What the network reads (1 or 3): an RGB file stays RGB and a grey one grey.

    Raises
    ------
    DataFileError
        If the file is missing, empty, damaged, too large, or no kind of image
        that can be read without guessing (16 bits, CMYK, transparency).
    """
    file = Path(path)
    try:
        if not file.is_file():
            raise DataFileError(f"{file}: no such file")
        if file.stat().st_size == 0:
            raise DataFileError(f"{file}: the file is empty (0 bytes)")
        suffix = file.suffix.lower()
        if suffix in (".npy", ".npz"):
            yield from _read_arrays(file)
        else:
            yield str(file), _read_picture(file)
    except OSError as error:
        raise DataFileError(f"{file}: cannot be read: {error.strerror or error}") from None


def _read_picture(file: Path) -> Images:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(file, formats=("PNG", "JPEG")) as opened:
                picture: Image.Image = opened
                width, height = picture.size
                # the header alone has been read so far: nothing of that size is allocated
                if width * height > MAX_PIXELS:
                    raise DataFileError(
                        f"{file}: {width} x {height} pixels, expected at most {MAX_PIXELS:,}"
                    )
                _check_mode(file, picture)
                if picture.mode == "1":
                    picture = picture.convert("L")
                elif picture.mode == "P":
                    picture = picture.convert("RGB")
                pixels = np.asarray(picture)
    except UnidentifiedImageError:
        raise DataFileError(f"{file}: not a PNG or JPEG image") from None
    except Image.DecompressionBombError:
        raise DataFileError(f"{file}: too large: expected at most {MAX_PIXELS:,} pixels") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataFileError(f"{file}: damaged image: {reason}") from None
    if min(pixels.shape[:2]) < 2:
        raise DataFileError(
            f"{file}: {pixels.shape[1]} x {pixels.shape[0]} pixels, expected at least 2 x 2"
        )
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _check_mode(file: Path, picture: Any) -> None:
    mode = picture.mode
    if mode.startswith(("I", "F")):
        raise DataFileError(f"{file}: more than 8 bits per channel (mode {mode}); convert it to "
                            "8-bit grey or RGB with a window of your choice")  # fmt: skip
    if mode in ("CMYK", "YCCK", "LAB"):
        raise DataFileError(f"{file}: {mode} colours, expected grey or RGB")
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        raise DataFileError(f"{file}: has an alpha channel; flatten it on a background first")
    if mode not in ("L", "RGB", "1", "P"):
        raise DataFileError(f"{file}: image mode {mode}, expected grey or RGB")


def _read_arrays(file: Path) -> Iterator[tuple[str, Images]]:
    try:
        loaded = np.load(file, mmap_mode="r" if file.suffix.lower() == ".npy" else None,
                         allow_pickle=False)  # fmt: skip
    except OSError:
        raise
    except Exception as error:  # NumPy's reader of headers raises a dozen kinds
        raise DataFileError(f"{file}: damaged array file: {_first_line(error)}") from None
    if isinstance(loaded, np.ndarray):
        yield from _split(str(file), loaded)
        return
    with loaded:
        _check_members(file, loaded.zip)
        names = [name for name in loaded.files if "label" not in name.lower()]
        if not names:
            raise DataFileError(f"{file}: holds no array of images")
        for name in names:
            try:
                array = loaded[name]
            except Exception as error:  # as above, and what zlib and zipfile add to them
                raise DataFileError(f"{file}: {name}: damaged: {_first_line(error)}") from None
            yield from _split(f"{file}[{name}]", array)


def _check_members(file: Path, archive: zipfile.ZipFile) -> None:
    for member in archive.infolist():
        if member.file_size > 64 * MAX_PIXELS:
            raise DataFileError(f"{file}: {member.filename}: {member.file_size:,} bytes unpacked, "
                                f"expected at most {64 * MAX_PIXELS:,}")  # fmt: skip


def _split(name: str, array: NDArray[Any]) -> Iterator[tuple[str, Images]]:
    """One image (H, W), (H, W, 3) or a batch (B, H, W), (B, H, W, 1 or 3), as images."""
    if array.dtype != np.uint8:
        raise DataFileError(f"{name}: dtype {array.dtype}, expected uint8")
    if array.ndim == 2:
        array = array[None, ..., None]
    elif array.ndim == 3 and array.shape[2] in (1, 3):
        array = array[None]
    elif array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[3] not in (1, 3) or min(array.shape[1:3]) < 2:
        raise DataFileError(
            f"{name}: shape {array.shape}, expected (H, W), (H, W, 3), (B, H, W) or (B, H, W, 3)"
        )
    if array.shape[1] * array.shape[2] > MAX_PIXELS:
        raise DataFileError(f"{name}: {array.shape[1]} x {array.shape[2]} pixels, expected at "
                            f"most {MAX_PIXELS:,}")  # fmt: skip
    for i, image in enumerate(array):
        yield name if len(array) == 1 else f"{name}[{i}]", np.ascontiguousarray(image)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__
