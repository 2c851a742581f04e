"""Image files and folders in, one answer or one error each out (lesson 10).

A file that cannot be read costs that file and no other: `predict_files` yields
an error for it and goes on. What the files mean is the decoders' business
(`tinyternary.deploy.decoders`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tinyternary.brief import Brief
from tinyternary.config import Preprocessing
from tinyternary.deploy.decoders import arrays, dicom, pictures
from tinyternary.deploy.decoders.stated import Read
from tinyternary.deploy.engine import Engine
from tinyternary.deploy.memory import LIMIT_BYTES
from tinyternary.errors import DataFileError, NonFiniteError

SUFFIXES = (*pictures.SUFFIXES, *arrays.SUFFIXES, *dicom.SUFFIXES)
"""Files that a folder is searched for; DICOM files also without a suffix."""
OTHER_IMAGES = (
    ".avif", ".bmp", ".czi", ".gif", ".heic", ".heif", ".j2k", ".jp2", ".jxl", ".mha", ".mhd",
    ".ndpi", ".nii", ".nii.gz", ".nrrd", ".pgm", ".ppm", ".svs",
)  # fmt: skip
"""Files of a folder that are meant as images and that nothing here reads: each is an error."""

NOT_SURE = "not sure"
"""The answer where a prediction set has no class, several, or another than the label."""


@dataclass(frozen=True, eq=False, repr=False)
class FilePrediction(Brief):
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
    set : list of str, optional
        The classes in the prediction set, if a coverage was asked for.
    sure : bool, optional
        Whether that is the predicted class and no other.
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
    set: list[str] | None = None
    sure: bool | None = None
    error: str | None = None
    note: str | None = None

    @property
    def ok(self) -> bool:
        """Whether there is an answer."""
        return self.error is None

    @property
    def answer(self) -> str | None:
        """The label, or "not sure" where the prediction set is another."""
        return NOT_SURE if self.sure is False else self.label

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain JSON types, as ``predict --json`` prints it."""
        return dict(vars(self))


@dataclass
class Found:
    """Everything that lies in and below the folders that were named.

    Attributes
    ----------
    files : list of Path
        To be read, by name; also files that were named, whatever they are called, and folders
        that cannot be listed, so that each is reported.
    skipped : list of Path
        Neither images nor folders that can be entered: of another kind, or links to folders.
    hidden : list of Path
        Files and folders whose name begins with a dot; these folders are not entered.
    """

    files: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    hidden: list[Path] = field(default_factory=list)

    def passed_over(self) -> str:
        """Say in words what is not read; "" where that is nothing."""
        kinds = sorted({path.suffix.lower() or "none" for path in self.skipped})
        more = ", ..." if len(kinds) > 5 else ""
        said = []
        if self.skipped:
            kinds_of = f"kinds that are not read ({', '.join(kinds[:5])}{more})"
            said.append(f"{len(self.skipped)} skipped, of {kinds_of}")
        if self.hidden:
            said.append(f"{len(self.hidden)} hidden")
        return "; ".join(said)


def find_files(paths: Iterable[str | os.PathLike[str]]) -> Found:
    """Replace folders by the image files in and below them, and account for everything there."""
    found = Found()
    for path in map(Path, paths):
        if _is_folder(path):
            inside = _look_into(path)
            found.files += sorted(inside.files)
            found.skipped += sorted(inside.skipped)
            found.hidden += sorted(inside.hidden)
        else:
            found.files.append(path)
    return found


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long, a folder on the way that is closed
        return False  # reading it says why


def _look_into(path: Path) -> Found:
    found = Found()
    # a folder that cannot be listed comes back as itself, and reading it says why
    walk = os.walk(path, onerror=lambda error: found.files.append(Path(error.filename)))
    for folder, folders, names in walk:
        _sort(Path(folder), folders, names, found)
    return found


def _sort(folder: Path, folders: list[str], names: list[str], found: Found) -> None:
    """Sort what one folder holds; what stays in `folders` is entered."""
    found.hidden += [folder / name for name in (*folders, *names) if name.startswith(".")]
    folders[:] = [name for name in folders if not name.startswith(".")]
    found.skipped += [folder / name for name in folders if (folder / name).is_symlink()]
    for name in names:
        if not name.startswith("."):
            (found.files if _wanted(folder / name) else found.skipped).append(folder / name)


def _wanted(path: Path) -> bool:
    """Whether a file of a folder is meant as an image."""
    try:
        if path.name.lower().endswith((*SUFFIXES, *OTHER_IMAGES)):
            return path.is_file()
        return not path.suffix and path.is_file() and dicom.is_dicom(path)
    except OSError:
        return True  # reading it says why


def predict_files(
    engine: Engine,
    paths: Iterable[str | os.PathLike[str]],
    *,
    coverage: float | None = None,
    batch_size: int = 64,
    limit_bytes: int = LIMIT_BYTES,
) -> Iterator[FilePrediction]:
    """Answer for image files and folders, in their order.

    Images are given the network's size while they are read, so that at most one of them is
    in memory at its own.

    Parameters
    ----------
    engine : Engine
    paths : iterable of path-like
        PNG, JPEG, TIFF, WebP, DICOM (with the package pydicom), ``.npy`` (one image or a
        batch), ``.npz`` (every array of images in it) and folders of these.
    coverage : float, optional
        Also give each image the set of classes that holds the true one so often.
    batch_size : int
        Most images per call of the engine.
    limit_bytes : int
        Most memory that one image may take while it is decoded, bytes: a file that states
        more is refused before that is allocated.

    Yields
    ------
    FilePrediction
        One per image, or one per file that could not be read; nothing is raised
        for a bad file.
    """
    batch_size = max(1, min(batch_size, limit_bytes // engine.image_bytes))
    waiting: list[Read] = []
    for path in find_files(paths).files:
        for one in read_images(path, engine.header.preprocessing, limit_bytes):
            if one.error is None:
                waiting.append(one)
            if waiting and (len(waiting) == batch_size or one.error is not None):
                yield from _answer(engine, waiting, coverage)
                waiting = []
            if one.error is not None:
                yield FilePrediction(one.name, error=one.error)
    if waiting:
        yield from _answer(engine, waiting, coverage)


def _answer(
    engine: Engine, waiting: list[Read], coverage: float | None
) -> Iterator[FilePrediction]:
    pixels = np.stack([x.pixels for x in waiting if x.pixels is not None])
    try:
        answers = engine.predict(pixels, coverage)
    except NonFiniteError as error:
        if len(waiting) > 1:  # one image's numbers cost that image and no other
            for alone in waiting:
                yield from _answer(engine, [alone], coverage)
        else:
            yield FilePrediction(waiting[0].name, error=f"{waiting[0].name}: {error}")
        return
    names, sets = answers.class_names, answers.sets
    rows = zip(waiting, answers.labels, answers.names, answers.probabilities)
    for i, (one, label, text, row) in enumerate(rows):
        yield FilePrediction(
            path=one.name,
            label=text,
            index=label.tolist(),
            probabilities=dict(zip(names, row.tolist())),
            set=None if sets is None else [n for n, inside in zip(names, sets[i]) if inside],
            sure=None if sets is None else bool(answers.sure[i]),
            note="; ".join(one.notes) or None,
        )


def read_images(
    path: str | os.PathLike[str], expected: Preprocessing, limit_bytes: int = LIMIT_BYTES
) -> Iterator[Read]:
    """Read the images of a file as a network takes them.

    Parameters
    ----------
    path : path-like
    expected : Preprocessing
        Size and channels that the network reads.
    limit_bytes : int
        Most memory that one image may take.

    Yields
    ------
    Read
        One per image; one with an error where the file, or an array in it, cannot be read.
    """
    file = Path(path)
    try:
        yield from _decoded(file, expected, limit_bytes)
    except DataFileError as error:
        yield Read(str(file), error=str(error))
    except OSError as error:
        yield Read(str(file), error=f"{file}: cannot be read: {error.strerror or error}")
    except MemoryError:
        yield Read(str(file), error=f"{file}: not enough memory to read it")


def _decoded(file: Path, expected: Preprocessing, limit: int) -> Iterator[Read]:
    if file.is_dir():
        os.listdir(file)  # says why it could not be listed before
        raise DataFileError(f"{file}: a folder that could not be listed")
    if not file.exists():
        raise DataFileError(f"{file}: no such file")
    if not file.is_file():
        raise DataFileError(f"{file}: neither a file nor a folder")
    if file.stat().st_size == 0:
        raise DataFileError(f"{file}: the file is empty (0 bytes)")
    suffix = file.suffix.lower()
    if suffix in arrays.SUFFIXES:
        yield from arrays.read_arrays(file, expected, limit)
    elif suffix in dicom.SUFFIXES or dicom.is_dicom(file):
        yield dicom.read_dicom(file, expected, limit)
    else:
        yield pictures.read_picture(file, expected, limit)
