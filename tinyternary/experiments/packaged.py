"""TOML files of the package, by name, and anybody's, by path (lesson 12)."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from tinyternary.errors import unknown_name
from tinyternary.train.recipe import read_toml


def packaged(folder: str) -> list[str]:
    """Names of the TOML files in a folder of this package, sorted, without the ending."""
    files = (resources.files("tinyternary.experiments") / folder).iterdir()
    names = (entry.name for entry in files)
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def read_packaged(name: str | Path, folder: str, what: str) -> tuple[dict[str, Any], str]:
    """Read a file of a folder by name, or any TOML file by path.

    Returns
    -------
    (dict, str)
        Its fields (``name`` is the file's where it gives none), and what to call it in errors.

    Raises
    ------
    ConfigError
        If there is no such file, or it is not TOML; `what` says what was looked for.
    """
    path = Path(name)
    if path.suffix == ".toml":
        return {"name": path.stem, **read_toml(path)}, str(path)
    if str(name) not in packaged(folder):
        raise unknown_name(what, str(name), packaged(folder))
    place = resources.files("tinyternary.experiments") / folder / f"{name}.toml"
    with resources.as_file(place) as file:
        return {"name": path.stem, **read_toml(file)}, f"{what} {name!r}"
