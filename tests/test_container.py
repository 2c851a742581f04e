"""The one reader and writer of safetensors files; the safetensors library is the oracle."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from safetensors import SafetensorError
from safetensors.numpy import load, save

from tests.damage import damaged
from tinyternary.container import Rules, open_container, parse_container, render_container


class OwnError(Exception):
    """The caller's."""


ANY = Rules(OwnError, "a test's file")
STRICT = Rules(OwnError, "a test's file", ("F32", "F16", "I8", "U8"), 4096, aligned=True)
NAMES = st.text(max_size=12).filter(lambda name: name != "__metadata__")
SHAPES = hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4)
DTYPES = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?"]
METADATA = st.dictionaries(st.text(max_size=8), st.text(max_size=30), max_size=3)


@st.composite
def arrays(draw, orders="<"):
    dtype = draw(st.sampled_from(orders)) + draw(st.sampled_from(DTYPES))
    shape = draw(SHAPES)
    # bytes, so that NaN with every payload is among the floats
    raw = draw(st.binary(min_size=size_of(dtype, shape), max_size=size_of(dtype, shape)))
    if dtype.endswith("?"):
        raw = bytes(byte & 1 for byte in raw)
    return np.frombuffer(raw, dtype).reshape(shape)


def with_header(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"w": {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}}


def size_of(dtype, shape):
    return np.dtype(dtype).itemsize * int(np.prod(shape))


def assert_same(found, expected):
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype.newbyteorder("<")
    assert found.tobytes() == expected.astype(expected.dtype.newbyteorder("<")).tobytes()


@given(st.dictionaries(NAMES, arrays(), max_size=4), st.none() | METADATA)
def test_what_the_library_writes_is_read(tensors, metadata):
    # of no arrays and an empty map the library makes a header that it cannot read itself
    found = parse_container(save(tensors, metadata or None), ANY, "file")
    assert found.metadata == (metadata or {})
    assert set(found.tensors) == set(tensors)
    for name, array in tensors.items():
        assert_same(found.tensors[name], array)


@given(st.dictionaries(NAMES, arrays("<>"), max_size=4), METADATA, st.data())
def test_what_is_written_the_library_reads(tmp_path_factory, tensors, metadata, data):
    for name in tensors:  # views: transposed, and every other element of a longer array
        if data.draw(st.booleans()):
            tensors[name] = np.repeat(tensors[name].T, 2, 0)[::2] if tensors[name].ndim else (
                tensors[name]
            )  # fmt: skip
    content = render_container(tensors, metadata, ANY)
    assert content == render_container(dict(reversed(tensors.items())), metadata, ANY)
    by_library = load(content)
    path = tmp_path_factory.mktemp("written") / "file.safetensors"
    path.write_bytes(content)
    ours = open_container(path, ANY)
    assert ours.header_bytes + ours.data_bytes == len(content)
    assert ours.header_bytes % 64 == 0
    assert ours.metadata == metadata
    assert set(by_library) == set(ours.tensors) == set(tensors)
    for name, array in tensors.items():
        assert_same(by_library[name], array)
        assert_same(ours.tensors[name], array)


@given(hnp.arrays("<u2", SHAPES))
def test_bfloat16_is_the_upper_half_of_a_float32(upper):
    content = save({"b": upper})
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["b"]["dtype"] = "BF16"
    found = parse_container(with_header(header, content[8 + length :]), ANY, "file").tensors["b"]
    assert found.dtype == np.float32
    assert found.shape == upper.shape
    np.testing.assert_array_equal(found.view(np.uint32), upper.astype(np.uint32) << 16)


def test_bfloat16_values_are_the_known_ones():
    raw = np.array([0x3F80, 0xC000, 0x3FC0, 0x7F80], "<u2").tobytes()
    content = with_header(entry("BF16", (4,), (0, 8)), raw)
    assert parse_container(content, ANY, "file").tensors["w"].tolist() == [1, -2, 1.5, np.inf]


FILES = [
    render_container({"w": np.arange(12, dtype="f4").reshape(3, 4), "b": np.array([True, False]),
                      "n": np.int64(7), "none": np.empty((0, 3), "f2")}, {"key": "value"}, ANY),
    save({"h": np.arange(5, dtype="f2"), "d": np.ones((2, 1))}),
]  # fmt: skip


@pytest.mark.parametrize("rules", [ANY, STRICT], ids=["any", "strict"])
@given(data=st.data())
@settings(max_examples=400)
def test_damage_is_the_callers_error_or_what_the_library_reads_too(rules, data):
    content = data.draw(damaged(data.draw(st.sampled_from(FILES))))
    try:
        found = parse_container(content, rules, "file")
    except OwnError as error:
        assert str(error).startswith("file: ")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
        return
    try:
        expected = load(content)
    except (SafetensorError, KeyError) as error:  # it lets bfloat16 through, and cannot name it
        assert error.args == ("BF16",)  # noqa: PT017
        return
    assert set(found.tensors) == set(expected)
    for name, array in expected.items():
        assert found.tensors[name].tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"abc", "header length: the file has 3 bytes"),
        (with_header(entry(), b"123"), "w: data_offsets: ends at byte 4 of 3"),
        (with_header(entry(), b"12345"), "data: 5 bytes, expected 4"),
        (with_header(entry("F8_E4M3"), b"1234"), "w: dtype: 'F8_E4M3', expected one of F64, F32"),
        (with_header(entry("BOOL", offsets=(0, 1)), b"\2"), "w: holds a byte that is neither 0"),
        (with_header(entry(shape=(2,)), b"1234"), "w: data_offsets: 4 bytes, expected 8"),
        (with_header(entry(shape=(True,)), b"1234"), "w: shape: expected a list of counts"),
        (with_header(entry(shape=(1,) * 65), b"1234"), "w: shape: expected a list of counts"),
        # NumPy cannot make it, though it needs no byte
        (with_header(entry(shape=(0, 1 << 61, 1 << 61), offsets=(0, 0))), "w: shape: too large"),
        (with_header(entry(offsets=(4, 8)), bytes(8)), "w: data_offsets: starts at 4, expected 0"),
        (with_header({"__metadata__": {"a": 1}}), "__metadata__: expected a map of strings"),
        (with_header(b'{"__metadata__": {"a": "\\ud800"}}'), "header: not valid JSON .'utf-8'"),
        (with_header(b'{"__metadata__": {"a": "\xff"}}'), "header: not valid JSON .'utf-8'"),
        (with_header(b'{"w": 1, "w": 2}'), r"header: not valid JSON \(a name occurs twice"),
        (with_header(b"{" + b'"a":{' * 100_000), "header: not valid JSON"),
        (with_header(b"[]"), "header: expected JSON; this is not a test's file"),
    ],
)
def test_what_is_wrong_is_named(content, says):
    with pytest.raises(OwnError, match=f"^file: {says}"):
        parse_container(content, ANY, "file")


def test_the_rules_are_the_callers():
    for rules, offset in ((ANY, 2), (STRICT, 0)):
        text = json.dumps(entry()).encode()
        text += b" " * ((offset - 8 - len(text)) % 4)
        content = with_header(text, np.float32(1.5).tobytes())
        assert parse_container(content, rules, "file").tensors["w"].tolist() == [1.5]
        moved = with_header(text + b" ", np.float32(1.5).tobytes())
        if rules.aligned:
            with pytest.raises(OwnError, match="w: data_offsets: not a multiple of 4"):
                parse_container(moved, rules, "file")
        else:
            found = parse_container(moved, rules, "file").tensors["w"]
            assert found.flags.aligned
            assert found.tolist() == [1.5]
    doubles = {"w": np.ones(2)}
    with pytest.raises(OwnError, match="w: dtype: 'F64', expected one of F32, F16, I8, U8"):
        parse_container(render_container(doubles, {}, ANY), STRICT, "file")
    with pytest.raises(OwnError, match="'w': cannot be stored as float64"):
        render_container(doubles, {}, STRICT)
    with pytest.raises(OwnError, match="'w': cannot be stored as complex64"):
        render_container({"w": np.ones(2, np.complex64)}, {}, ANY)
    long = {"a": "x" * 4096}
    assert parse_container(render_container({}, long, ANY), ANY, "file").metadata == long
    with pytest.raises(OwnError, match=r"header length: .*expected at most 4096"):
        parse_container(render_container({}, long, ANY), STRICT, "file")
    with pytest.raises(OwnError, match=r"header: .* bytes, expected at most 4096"):
        render_container({}, long, STRICT)
    with pytest.raises(OwnError, match="keeps this name for itself"):
        render_container({"__metadata__": np.ones(1)}, {}, ANY)


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(OwnError, match="no such file; expected a test's file"):
        open_container(tmp_path / "missing", ANY)
    (tmp_path / "empty").touch()
    with pytest.raises(OwnError, match="the file is empty; expected a test's file"):
        open_container(tmp_path / "empty", ANY)
    with pytest.raises(OwnError, match="cannot be read: Is a directory"):
        open_container(tmp_path, ANY)
