"""The twelve 2D sets of MedMNIST v2: what `catalog.toml` says of them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources

from tinyternary.config import Task

SIZES = (28, 64, 128, 224)
"""Heights and widths, pixels, in which each set is published."""


@dataclass(frozen=True)
class MedMNISTSet:
    """What is known of one set.

    Attributes
    ----------
    title : str
        Name as its authors write it.
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
