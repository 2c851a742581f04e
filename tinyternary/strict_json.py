"""JSON that somebody else wrote, read strictly: an object, or one clear error."""

from __future__ import annotations

import json
from typing import Any


def parse_object(
    text: str | bytes, label: str, error: type[Exception], *, allow_nan: bool = False
) -> dict[str, Any]:
    """Parse a JSON object: UTF-8, no repeated key, nothing nested without end.

    Parameters
    ----------
    text : str or bytes
    label : str
        What it is, for the message: ``"model.safetensors: header"``.
    error : exception class
        What is raised if it is anything else.
    allow_nan : bool
        Whether NaN and Infinity are numbers, as in what `json.dumps` writes by default.

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

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not JSON")

    try:
        # `json.loads` would guess an encoding, and let half characters through
        text = text.decode("utf-8") if isinstance(text, bytes) else text
        constants = None if allow_nan else refuse
        value = json.loads(text, object_pairs_hook=unique, parse_constant=constants)
        if "\\u" in text:  # an escape may stand for half a character, which nothing can write
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as problem:  # JSON and UTF-8 errors are ValueErrors
        reason = str(problem).splitlines()[0][:120] if str(problem) else type(problem).__name__
        raise error(f"{label}: not valid JSON ({reason})") from None
    if not isinstance(value, dict):
        raise error(f"{label}: expected a JSON object, got {type(value).__name__}")
    return value
