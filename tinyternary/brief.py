"""What Python shows of a result: all its fields, each in a few words.

A result holds what a figure or a file needs of it: all epochs, all layers, every answer. Somebody
who types its name in a notebook asks what it is.
"""

from __future__ import annotations

import reprlib
from dataclasses import fields
from os import PathLike
from typing import Any

import numpy as np

MOST = 8
"""Entries of an array, a list or a dict that are shown; of more, their number."""


class Brief:
    """Give a dataclass (with ``repr=False``) a short `repr`.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(repr=False)
    ... class Curve(Brief):
    ...     name: str
    ...     points: list[float]
    >>> Curve("loss", [0.5, 0.25])
    Curve(name='loss', points=[0.5, 0.25])
    >>> Curve("loss", [0.5] * 1000)
    Curve(name='loss', points=[1000 float])
    """

    def __repr__(self) -> str:
        named = {f.name: getattr(self, f.name) for f in fields(self) if f.repr}  # type: ignore[arg-type]
        shown = [f"{name}={in_brief(value)}" for name, value in named.items()]
        return f"{type(self).__name__}({', '.join(shown)})"


def in_brief(value: Any) -> str:
    """Return a value's `repr` if it is short; else what kind of value it is, and how large."""
    return _SHORT.repr(value)


class _Short(reprlib.Repr):
    """The standard library's short `repr`, but for arrays, floats, and much of one kind."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 2
        self.maxdict = self.maxlist = self.maxtuple = MOST
        self.maxstring = self.maxother = 60

    def repr_instance(self, x: Any, level: int) -> str:
        if isinstance(x, float):  # NumPy's as well
            return f"{x:.6g}"
        if isinstance(x, PathLike):
            return self.repr_str(str(x), level)
        if hasattr(x, "shape") and hasattr(x, "dtype"):
            return f"{x.dtype}{list(x.shape)}" if x.size > MOST else _numbers(x)
        first, *more = repr(x).splitlines() or [""]
        whole = not more or first.endswith(")")  # a network's first line has its sizes
        return first if whole and len(first) <= self.maxother else f"{type(x).__name__}(...)"

    repr_float = repr_instance

    def repr_list(self, x: list[Any], level: int) -> str:
        many = _many(x)
        return f"[{many}]" if many else super().repr_list(x, level)

    def repr_tuple(self, x: tuple[Any, ...], level: int) -> str:
        many = _many(x)
        return f"({many})" if many else super().repr_tuple(x, level)


def _numbers(array: Any) -> str:
    return " ".join(
        np.array2string(np.asarray(array), precision=4, suppress_small=True, separator=", ").split()
    )


def _many(entries: Any) -> str:
    """Say how many there are of what, if they are many or no plain values."""
    plain = all(isinstance(x, str | int | float | None) for x in entries)
    if not entries or (plain and len(entries) <= MOST):
        return ""
    kinds = " or ".join(dict.fromkeys(type(x).__name__ for x in entries))
    return f"{len(entries)} {kinds}"


_SHORT = _Short()
