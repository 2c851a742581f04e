"""The one writer and reader of JSON: what any other program reads, or one clear error."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinyternary.text import is_text, quoted, visible

_MOST_LEVELS = 100
"""Objects and lists inside each other that are read."""


def plain_data(value: Any) -> Any:
    """Turn a value into JSON's own types: what is no number (NaN, infinity) is None.

    NumPy's numbers and arrays become Python's, and halves of characters, which come with names of
    files that are no UTF-8, are escaped.

    Raises
    ------
    TypeError
        If it holds anything else.
    """
    if isinstance(value, Mapping):
        return {_text(str(key)): plain_data(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain_data(inner) for inner in value]
    if isinstance(value, np.generic | np.ndarray):
        return plain_data(value.tolist())
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, int):
        return value
    raise TypeError(f"{type(value).__name__} does not go into JSON")


def to_json(value: Any, indent: int | None = None, *, compact: bool = False) -> str:
    """Return a value as JSON (RFC 8259, ASCII); see `plain_data`.

    Parameters
    ----------
    value : object
    indent : int, optional
        Spaces per level; without it everything is on one line.
    compact : bool
        Whether no space stands after commas and colons.

    Raises
    ------
    TypeError
        If it is no plain data.

    Examples
    --------
    >>> to_json({"auc": np.float64("nan"), "images": np.arange(2)})
    '{"auc": null, "images": [0, 1]}'
    """
    separators = (",", ":") if compact else None
    return json.dumps(plain_data(value), indent=indent, separators=separators, allow_nan=False)


def _text(text: str) -> str:
    return text if is_text(text) else visible(text)


def parse_object(
    text: str | bytes, label: str, error: type[Exception], *, allow_nan: bool = False
) -> dict[str, Any]:
    """Parse a JSON object: UTF-8, no repeated key, nothing nested without end.

    Every number is one that a float64 can hold: none is read as infinity, none overflows later.

    Parameters
    ----------
    text : str or bytes
    label : str
        What it is, for the message: ``"model.safetensors: header"``.
    error : exception class
        What is raised if it is anything else.
    allow_nan : bool
        Whether NaN and Infinity are read, as None: older versions wrote them for what was
        undefined.

    Raises
    ------
    error
        One line that begins with `label`.

    Examples
    --------
    >>> parse_object('{"a": [1, 2]}', "settings", ValueError)
    {'a': [1, 2]}
    >>> parse_object('{"a": 1, "a": 2}', "settings", ValueError)
    Traceback (most recent call last):
    ValueError: settings: not valid JSON (a name occurs twice)
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) != len(pairs):
            raise ValueError("a name occurs twice")
        return table

    def constant(name: str) -> Any:
        if not allow_nan:
            raise ValueError(f"{name} is not JSON")

    def integer(digits: str) -> int:
        _float(digits)
        return int(digits)

    try:
        # `json.loads` would guess an encoding, and let half characters through
        text = text.decode("utf-8") if isinstance(text, bytes) else text
        value = json.loads(
            text, object_pairs_hook=unique, parse_constant=constant, parse_float=_float,
            parse_int=integer,
        )  # fmt: skip
        if "\\u" in text:  # an escape may stand for half a character, which nothing can write
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        _check_depth(value)
    except (ValueError, RecursionError) as problem:  # JSON and UTF-8 errors are ValueErrors
        reason = str(problem).splitlines()[0][:120] if str(problem) else type(problem).__name__
        raise error(f"{label}: not valid JSON ({reason})") from None
    if not isinstance(value, dict):
        raise error(f"{label}: expected a JSON object, got {type(value).__name__}")
    return value


def _float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"the number {quoted(digits)} is too large")
    return number


def _check_depth(value: Any) -> None:
    """Refuse what is nested deeper than code that walks it by recursion can go."""
    level = [value]
    for _ in range(_MOST_LEVELS):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise ValueError(f"more than {_MOST_LEVELS} levels")
