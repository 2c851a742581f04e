"""The twelve 2D sets of MedMNIST v2: what `catalog.toml` says of them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources

from tinyternary.brief import Brief
from tinyternary.config import Task
from tinyternary.errors import ConfigError, unknown_name

SIZES = (28, 64, 128, 224)
"""Heights and widths, pixels, in which each set is published."""


VOLUMES = (
    "adrenalmnist3d", "fracturemnist3d", "nodulemnist3d", "organmnist3d", "synapsemnist3d",
    "vesselmnist3d",
)  # fmt: skip
"""The sets of volumes, which no network here reads."""


@dataclass(frozen=True, repr=False)
class MedMNISTSet(Brief):
    """What is known of one set.

    Attributes
    ----------
    title : str
        Name as its authors write it.
    modality : str
        What its images are: ``"chest X-ray"``. Sets of one modality may show the same things.
    task : Task
    channels : int
        1 (grey) or 3 (RGB).
    class_names : tuple of str
    samples : tuple of int
        Images in the train, val and test split.
    md5 : dict
        Image size to the MD5 sum of the official file.
    license : str
    """

    title: str
    modality: str
    task: Task
    channels: int
    class_names: tuple[str, ...]
    samples: tuple[int, int, int]
    md5: dict[int, str]
    license: str = "CC BY 4.0"

    def file_name(self, flag: str, size: int = 28) -> str:
        """Name of the official file of this set, called `flag`, at an image size."""
        return f"{flag}.npz" if size == 28 else f"{flag}_{size}.npz"

    def url(self, flag: str, size: int = 28) -> str:
        """Where the official file is published."""
        return f"https://zenodo.org/records/10519652/files/{self.file_name(flag, size)}?download=1"


def _read() -> dict[str, MedMNISTSet]:
    text = (resources.files("tinyternary.data.medmnist") / "catalog.toml").read_text("utf-8")
    return {
        flag: MedMNISTSet(
            title=facts["title"],
            modality=facts["modality"],
            task=Task(facts["task"]),
            channels=facts["channels"],
            class_names=tuple(facts["class_names"]),
            samples=tuple(facts["samples"]),
            md5={int(size): digest for size, digest in facts["md5"].items()},
            license=facts.get("license", MedMNISTSet.license),
        )
        for flag, facts in tomllib.loads(text).items()
    }


MEDMNIST: dict[str, MedMNISTSet] = _read()
"""What is known of each set, by its flag."""


def flag_and_size(name: str, size: int | None = None) -> tuple[str, int]:
    """Understand what a set is called: its flag, its title, or the name of its file.

    Parameters
    ----------
    name : str
        ``"breastmnist"``, ``"BreastMNIST"`` or ``"breastmnist_64"``.
    size : int, optional
        By default what the name says, else 28.

    Raises
    ------
    ConfigError
        If there is no such set or size, or name and `size` differ.
    """
    flag, dash, stated = name.lower().partition("_")
    if flag in VOLUMES:
        raise ConfigError(f"data set {name!r}: the 3D sets of MedMNIST are not supported, only 2D")
    if flag not in MEDMNIST or (dash and not stated):
        raise unknown_name("data set", name, ["phantoms", *MEDMNIST])
    if stated and size is not None and stated != str(size):
        raise ConfigError(f"size: {size}, but the data set is called {name!r}")
    asked = stated or str(28 if size is None else size)
    if asked not in map(str, SIZES):
        raise ConfigError(f"size: expected one of {', '.join(map(str, SIZES))}, got {asked}")
    return flag, int(asked)


def known_set(name: str) -> MedMNISTSet | None:
    """Look a data set up by what it is called; None for one's own data."""
    try:
        return MEDMNIST[flag_and_size(name)[0]]
    except ConfigError:
        return None
