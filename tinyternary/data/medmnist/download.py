"""Get an official MedMNIST file through the official package, or say how to get it by hand."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from tinyternary.data.medmnist.archives import data_root, how_to_get
from tinyternary.data.medmnist.catalog import MEDMNIST, flag_and_size
from tinyternary.errors import DataFileError


def download(
    name: str, root: str | os.PathLike[str] | None = None, size: int | None = None
) -> Path:
    """Fetch an official file unless it is there, by the ``medmnist`` package.

    Parameters
    ----------
    name : str
        One of the twelve 2D sets, as `medmnist` takes it.
    root : path, optional
        Where to put it; see `data_root`. Made if missing.
    size : {28, 64, 128, 224}, optional
        By default what the name says, else 28.

    Returns
    -------
    Path
        The file. It appears whole or not at all.

    Raises
    ------
    ConfigError
        If there is no such set or size.
    DataFileError
        If the package is not installed, the download fails or the folder cannot be
        written; the message says how to get the file by hand.
    """
    flag, size = flag_and_size(name, size)
    facts = MEDMNIST[flag]
    folder = data_root(root)
    path = folder / facts.file_name(flag, size)
    if path.is_file():
        return path
    advice = how_to_get(flag, path, size)
    if importlib.util.find_spec("medmnist") is None:
        raise DataFileError(f"{path}: the package medmnist is not installed; {advice}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as part:
            # it brings torch with it: loaded here, where it is asked for, and nowhere else
            package = importlib.import_module("medmnist")
            getattr(package, facts.title)(split="train", download=True, root=part, size=size)
            shutil.move(Path(part) / path.name, path)
    except OSError as error:
        raise DataFileError(
            f"{path}: cannot be written ({error.strerror or error}); {advice}"
        ) from error
    except Exception as error:
        # whatever the package raises: its own RuntimeError, torchvision's, an import that fails
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__).strip()
        raise DataFileError(f"{path}: download failed ({reason}); {advice}") from error
    return path
