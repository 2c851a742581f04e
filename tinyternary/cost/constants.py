"""Read the tables of constants: those that come with the package, and a user's own.

A table is a TOML file that says what `kind` it is. A value that is missing or negative
is an error that names the file and the key: a constant that silently counts as zero
would make every network look free.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from tinyternary.cost.amounts import Range
from tinyternary.errors import ConfigError, unknown_name

Table = dict[str, Any]


def shipped(prefix: str) -> list[str]:
    """Names of the tables of one kind that come with the package: ``shipped("energy")``."""
    folder = files("tinyternary.cost").joinpath("tables")
    names = (entry.name for entry in folder.iterdir())
    return sorted(
        name[len(prefix) + 1 : -len(".toml")]
        for name in names
        if name.startswith(prefix + "-") and name.endswith(".toml")
    )


def read_shipped(prefix: str, name: str) -> Table:
    """Read a table of the package by its name.

    Raises
    ------
    ConfigError
        If there is none of that name; the message lists those that exist.
    """
    if name not in shipped(prefix):
        raise unknown_name(prefix, name, shipped(prefix))
    text = files("tinyternary.cost").joinpath("tables", f"{prefix}-{name}.toml").read_text("utf-8")
    return tomllib.loads(text)


def read_expansions() -> Table:
    """Read the cost of special functions in terms of plain operations."""
    text = files("tinyternary.cost").joinpath("tables", "special-functions.toml").read_text("utf-8")
    expansions: Table = tomllib.loads(text)["expansion"]
    return expansions


def read_file(path: str | Path, kind: str) -> Table:
    """Read a user's table.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not TOML or is not a table of that kind.
    """
    file = Path(path)
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{kind} table {file}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{kind} table {file} is not valid TOML: {error}") from error
    if content.get("kind") != kind:
        raise ConfigError(f'{file}: expected kind = "{kind}", got {content.get("kind")!r}')
    return content


def number(table: Table, key: str, where: str) -> float:
    """Return a number that must be there, finite and not negative."""
    if key not in table:
        raise ConfigError(f"{where}: missing entry {key!r}")
    value = table[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{where}: {key} should be a number, got {value!r}")
    if not 0.0 <= value < float("inf"):
        raise ConfigError(f"{where}: {key} should be finite and not negative, got {value!r}")
    return float(value)


def positive(table: Table, key: str, where: str) -> float:
    """Return a number that must be there and above zero."""
    value = number(table, key, where)
    if value == 0.0:
        raise ConfigError(f"{where}: {key} should be above zero")
    return value


def text(table: Table, key: str, where: str) -> str:
    """Return a text that must be there and not empty."""
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where}: missing text {key!r}")
    return value


def section(table: Table, key: str, where: str) -> Table:
    """Return a sub-table that must be there."""
    value = table.get(key)
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: missing section [{key}]")
    return value


def spread_about(value: float | Table, spread: float, where: str) -> Range:
    """Turn a point and a spread, or a table of low, middle and high, into a `Range`."""
    if isinstance(value, dict):
        entries = Range(*(number(value, key, where) for key in ("low", "middle", "high")))
        if not entries.low <= entries.middle <= entries.high:
            raise ConfigError(f"{where}: expected low <= middle <= high, got {tuple(entries)}")
        return entries
    point = number({"value": value}, "value", where)
    return Range(point / spread, point, point * spread)
