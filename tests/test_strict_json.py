"""JSON is an object, or one error of the caller's class that begins with the caller's words."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.train.small import model
from tinyternary.config import Task
from tinyternary.data import Dataset, Splits
from tinyternary.strict_json import parse_object, to_json
from tinyternary.train import fit
from tinyternary.train.history import History


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
        ('{"a": ' + "9" * 5000 + "}", "not valid JSON .*too large"),
        ('{"a": [1e999]}', "not valid JSON .*'1e999' is too large"),
        ('{"a": 1' + "0" * 308 + "0}", "not valid JSON .*too large"),
        ('{"a": ' + "[" * 200 + "]" * 200 + "}", "not valid JSON .*100 levels"),
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
    assert found == {"a": None, "b": None}  # as older versions wrote what is undefined


@given(st.text(alphabet='{}[]",:\\u0d8 1eE+-.nulatrfsNI') | st.binary())
def test_nothing_else_is_raised(text):
    try:
        assert isinstance(parse_object(text, "x", OwnError), dict)
    except OwnError as error:
        assert str(error).startswith("x: ")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017


def strictly(text):
    """What a parser that knows RFC 8259 and nothing else reads."""
    return parse_object(text, "x", OwnError)


NUMBERS = st.floats() | st.integers(-(2**62), 2**62) | st.floats(width=32).map(np.float32)
VALUES = st.recursive(
    NUMBERS | st.text(st.characters()) | st.booleans() | st.none() | st.just("\udcff"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), VALUES), st.sampled_from([None, 1]))
def test_what_is_written_is_strict_and_comes_back(value, indent):
    text = to_json(value, indent)
    assert text.isascii()
    found = strictly(text)
    assert found.keys() == value.keys()
    assert strictly(to_json(found)) == found
    for key, inner in value.items():
        if isinstance(inner, float) and not np.isfinite(inner):
            assert found[key] is None
        elif isinstance(inner, int | float | None):
            assert found[key] == inner


def test_what_is_no_data_is_not_written():
    with pytest.raises(TypeError, match="set does not go into JSON"):
        to_json({"a": {1}})


def test_every_json_that_a_run_leaves_is_strict(tmp_path):
    """A validation set of one class has no AUC, and training writes what it has of it."""
    images = np.zeros((8, 8, 8, 1), np.uint8)
    one = Dataset(images, np.zeros(8, np.int64), Task.BINARY, ("a", "b"))
    fit(model(num_classes=2), Splits(one, one, one), epochs=1, batch_size=4, run_dir=tmp_path,
        progress=False)  # fmt: skip
    files = sorted(tmp_path.glob("*.json"))
    assert {file.name for file in files} >= {"config.json", "history.json", "metrics.json"}
    for file in files:
        strictly(file.read_bytes())
    found = History.read(tmp_path / "history.json")
    assert found["val_auc"] == [None]
