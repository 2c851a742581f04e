"""How numbers of a report are written: a value with its interval, a difference with its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tinyternary.data.medmnist.catalog import known_set

UNKNOWN = "-"
Interval = Sequence[float] | None


def share(value: float | None, interval: Interval = None) -> str:
    """Write a share in percent, with its interval."""
    return _with(value, interval, lambda v: f"{v:.1%}")


def number(value: float | None, interval: Interval = None, style: str = ".3f") -> str:
    """Write a number, with its interval."""
    return _with(value, interval, lambda v: format(v, style))


def points(value: float | None, interval: Interval = None) -> str:
    """Write a difference of shares in percentage points, with its interval."""
    return _with(value, interval, lambda v: f"{100 * v:+.1f}")


def whole(value: float) -> str:
    """Write a share that somebody chose in percent: ``90 %``."""
    return f"{100 * value:g} %"


def _with(value: float | None, interval: Interval, write: Any) -> str:
    if value is None:
        return UNKNOWN
    if interval is None:
        return str(write(value))
    return f"{write(value)} ({write(interval[0])} to {write(interval[1])})"


def title_of(name: str) -> str:
    """Call a data set as its authors do, where they are known."""
    known = known_set(name)
    return known.title if known else name


def networks(record: Mapping[str, Any]) -> list[str]:
    """Keys of the networks in a record: "teacher", if there is one, and "student"."""
    return list(record["networks"])


def name_of(record: Mapping[str, Any], who: str) -> str:
    """Say what a network is: a run without quantised layers is not ternary."""
    if record["model"][who]["rules"]:
        return {"teacher": "teacher", "student": "ternary student"}[who]
    return {"teacher": "float teacher", "student": "float network"}[who]


def names_of(record: Mapping[str, Any]) -> list[str]:
    """Say what each network is, as the head of a table."""
    return [name_of(record, who) for who in networks(record)]


def counted(count: int, what: str) -> str:
    """Write a number of things: ``1 image``, ``2 images``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
