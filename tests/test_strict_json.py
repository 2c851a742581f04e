"""JSON is an object, or one error of the caller's class that begins with the caller's words."""

import math

import pytest
from hypothesis import given, strategies as st

from tinyternary.strict_json import parse_object


class OwnError(Exception):
    """The caller's."""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not valid JSON"),
        ("[1]", "expected a JSON object, got list"),
        ('{"a": NaN}', r"not valid JSON \(NaN is not JSON\)"),
        ('{"a": -Infinity}', r"not valid JSON \(-Infinity is not JSON\)"),
        ('{"a": {"b": 1, "b": 1}}', r"not valid JSON \(a name occurs twice\)"),
        ('{"a":' * 100_000, "not valid JSON"),
        (r'{"a": "\ud83d"}', "not valid JSON .*surrogates not allowed"),
        ('{"a": 1}'.encode("utf-16"), "not valid JSON"),
        (b'{"a": "\xed\xa0\x80"}', "not valid JSON"),
        ('{"a": ' + "9" * 5000 + "}", "not valid JSON"),
    ],
)
def test_what_is_refused(text, reason):
    with pytest.raises(OwnError, match=f"^x.json: settings: {reason}"):
        parse_object(text, "x.json: settings", OwnError)


def test_what_is_read():
    assert parse_object(r'{"a": "\ud83d\ude00", "b": "\\ud83d"}', "x", OwnError) == {
        "a": "\N{GRINNING FACE}", "b": r"\ud83d",
    }  # fmt: skip
    found = parse_object('{"a": NaN, "b": -Infinity}', "x", OwnError, allow_nan=True)
    assert math.isnan(found["a"])
    assert found["b"] == -math.inf


@given(st.text(alphabet='{}[]",:\\u0d8 1eE+-.nulatrfsNI') | st.binary())
def test_nothing_else_is_raised(text):
    try:
        assert isinstance(parse_object(text, "x", OwnError), dict)
    except OwnError as error:
        assert str(error).startswith("x: ")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
