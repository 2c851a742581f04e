"""Damaged files: each gives one clear error that names the file and a field, or a sound model."""

import json
import os
import re
import time
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tests.damage import damaged
from tests.deploy.small_models import images_for, make_model
from tinyternary.config import LayerQuant
from tinyternary.container import checksum, parse_container, render_container
from tinyternary.deploy import Engine, pack
from tinyternary.deploy.format.header import FORMAT_VERSION, RULES
from tinyternary.deploy.format.reader import read_packed_bytes
from tinyternary.errors import PackedFileError

COUNT = int(os.environ.get("TINYTERNARY_FUZZ", 20_000))
SMALL = {"width": 16, "depth": 1, "heads": 2, "mlp_width": 20, "image_size": 8}
FIELD = re.compile(r"^fuzz: [^:]{1,130}: \S")

ODD = [
    None, True, False, 0, 1, -1, 2, 3, 7, 255, 1 << 31, 1 << 63, 10**30, 0.5, -0.0, 1e308, "", "x",
    "int8", "float32", "ternary", "cls", [], [0], [1, 2], [[]], {}, {"a": 1}, "\ud800", "a" * 300,
]  # fmt: skip


@pytest.fixture(scope="module")
def files():
    cases = [
        ({"policy": "all-linear"}, {}),
        ({"policy": "everything", "pool": "cls"}, {"bits": 1.6}),
        ({"policy": "bitmedvit", "kv_heads": 1, "mlp_norm": False}, {"rest": "int8"}),
        ({"policy": {"blocks.*.mlp.fc?": LayerQuant(weight="ttq")}}, {"rest": "float16"}),
        ({"policy": {"*": LayerQuant(weight="int4", granularity="channel")}}, {}),
        ({"policy": "all-linear", "positions": "sinusoidal"}, {"task": "multi-label"}),
    ]
    return [pack(make_model(**model, **SMALL), **options).content for model, options in cases]


def split(content):
    container = parse_container(content, RULES, "fuzz")
    return dict(container.metadata), dict(container.tensors)


def sealed(metadata, tensors):
    """A file with a right checksum, whatever it says."""
    metadata["checksum"] = checksum(metadata["header"], tensors)
    return render_container(tensors, metadata, RULES)


def flip(rng, content):
    damaged = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
    return bytes(damaged)


def flip_header(rng, content):
    damaged = bytearray(content)
    length = int.from_bytes(content[:8], "little")
    damaged[rng.integers(8 + length)] = rng.integers(256)
    return bytes(damaged)


def truncate(rng, content):
    return content[: rng.integers(len(content))]


def extend(rng, content):
    return content + rng.bytes(rng.integers(1, 200))


def cut_out(rng, content):
    start = rng.integers(len(content))
    return content[:start] + content[start + rng.integers(1, 64) :]


def overwrite(rng, content):
    start = rng.integers(len(content))
    piece = rng.bytes(rng.integers(1, 64))
    return content[:start] + piece + content[start + len(piece) :]


def header_length(rng, content):
    lengths = [0, 1, 7, 8, 1 << 20, 1 << 32, (1 << 64) - 1, int(rng.integers(1 << 16))]
    length = lengths[rng.integers(len(lengths))]
    return length.to_bytes(8, "little") + content[8:]


def outer_json(rng, content):
    """Another value somewhere in the container's header."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    name = str(rng.choice(list(header)))
    key = str(rng.choice(["dtype", "shape", "data_offsets", "name"]))
    if key == "name" or name == "__metadata__":
        header[name] = pick(rng)
    elif key in ("shape", "data_offsets") and rng.random() < 0.6 and header[name][key]:
        header[name][key][rng.integers(len(header[name][key]))] = pick(rng)
    else:
        header[name][key] = pick(rng)
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def pick(rng):
    return ODD[rng.integers(len(ODD))]


def inner_json(rng, content):
    """Another value, or none, somewhere in the model's header; the checksum is right."""
    metadata, tensors = split(content)
    header = json.loads(metadata["header"])
    place = header
    for _ in range(4):
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            break
        key = keys[rng.integers(len(keys))]
        if isinstance(place[key], dict | list) and rng.random() < 0.7:
            place = place[key]
            continue
        if rng.random() < 0.15 and isinstance(place, dict):
            del place[key]
        else:
            place[key] = pick(rng)
        break
    if rng.random() < 0.05:
        header[str(pick(rng))] = pick(rng)
    metadata["header"] = json.dumps(header)
    return sealed(metadata, tensors)


def new_version(rng, content):
    metadata, tensors = split(content)
    header = json.loads(metadata["header"])
    header[str(rng.choice(["format_version", "layout_version"]))] = int(
        rng.integers(FORMAT_VERSION + 1, 99)
    )
    metadata["header"] = json.dumps(header)
    return sealed(metadata, tensors)


def array_values(rng, content):
    """Codes 11, NaN and negative scales and the like; the checksum is right."""
    metadata, tensors = split(content)
    name = str(rng.choice(sorted(tensors)))
    array = tensors[name].copy()
    if array.size:
        where = rng.integers(array.size)
        if array.dtype == np.uint8:
            array.flat[where] = rng.integers(256)
        elif array.dtype == np.int8:
            array.flat[where] = rng.integers(-128, 128)
        else:
            array.flat[where] = rng.choice([np.nan, np.inf, -np.inf, -1.0, 0.0, 60000.0])
    tensors[name] = array
    return sealed(metadata, tensors)


def array_shape(rng, content):
    metadata, tensors = split(content)
    name = str(rng.choice(sorted(tensors)))
    array = tensors.pop(name)
    kind = rng.integers(5)
    if kind == 0:
        tensors[name] = array.reshape(-1)[:-1]
    elif kind == 1:
        tensors[name] = array[None]
    elif kind == 2:
        tensors[name] = array.astype(rng.choice(["f4", "f2", "i1", "u1"]))
    elif kind == 3:
        tensors[name + "x"] = array
    return sealed(metadata, tensors)


def metadata_text(rng, content):
    metadata, tensors = split(content)
    key = str(rng.choice(sorted(metadata)))
    if rng.random() < 0.3:
        del metadata[key]
    else:
        text = metadata[key]
        cut = rng.integers(len(text))
        metadata[key] = text[:cut] + str(pick(rng)).encode("ascii", "ignore").decode() + text[cut:]
    return render_container(tensors, metadata, RULES)


DAMAGE = [
    flip, flip_header, truncate, extend, cut_out, overwrite, header_length, outer_json, inner_json,
    new_version, array_values, array_shape, metadata_text,
]  # fmt: skip


def read(content):
    """The error's text, or the model."""
    try:
        return read_packed_bytes(content, "fuzz")
    except PackedFileError as error:
        return str(error)


@given(data=st.data())
@settings(max_examples=300)
def test_damage_to_the_container_is_one_clear_error(files, data):
    content = files[0]
    found = read(data.draw(damaged(content).filter(lambda changed: changed != content)))
    # spaces after the header change nothing; alignment, names and values are another matter
    if isinstance(found, str):
        assert FIELD.match(found), found
        assert "\n" not in found
    else:
        assert found.checksum == split(content)[0]["checksum"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_damaged_files(files, record_property):
    rng = np.random.default_rng(2024)
    outcomes, fields = Counter(), Counter()
    slowest = 0.0
    for i in range(COUNT):
        damage = DAMAGE[i % len(DAMAGE)]
        content = damage(rng, files[rng.integers(len(files))])
        start = time.perf_counter()
        found = read(content)
        slowest = max(slowest, time.perf_counter() - start)
        if isinstance(found, str):
            assert FIELD.match(found), (damage.__name__, found)
            assert "\n" not in found
            assert len(found) < 500
            outcomes[damage.__name__, "refused"] += 1
            fields[found.split(": ")[1]] += 1
            continue
        # what is accepted has a right checksum; now and then, that it runs
        outcomes[damage.__name__, "accepted"] += 1
        metadata, tensors = split(content)
        assert metadata["checksum"] == checksum(metadata["header"], tensors)
        if outcomes[damage.__name__, "accepted"] % 20 == 1:
            size, channels = found.header.config.image_size, found.header.config.channels
            logits = Engine(found, 1)(np.zeros((1, size, size, channels), np.uint8))
            assert logits.shape == (1, found.header.config.num_classes)
    record_property("outcomes", str(outcomes))
    print(f"\n{COUNT} damaged files: {dict(outcomes)}; {len(fields)} fields named; "
          f"slowest {slowest * 1e3:.1f} ms")  # fmt: skip
    assert slowest < 5
    # nothing that breaks bytes without mending the checksum may pass
    for damage in (truncate, extend, cut_out, header_length, new_version):
        assert outcomes[damage.__name__, "accepted"] == 0, damage.__name__
    if COUNT >= 10_000:
        assert len(fields) > 60
        for damage in DAMAGE:
            assert outcomes[damage.__name__, "refused"] > 100, damage.__name__


def test_reading_allocates_a_small_multiple_of_the_file(files):
    rng = np.random.default_rng(7)
    for i in range(260):
        content = DAMAGE[i % len(DAMAGE)](rng, files[rng.integers(len(files))])
        tracemalloc.start()
        read(content)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 30 * len(content) + 400_000, DAMAGE[i % len(DAMAGE)].__name__


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"config": {"depth": 10**7}}, "config.depth"),
        ({"config": {"image_size": 8 * 2048, "positions": "sinusoidal"}}, "config.image_size"),
        ({"config": {"width": 1 << 24}}, "patch_embed.proj|cls_token|norm|blocks"),
        ({"config": {"heads": 3}}, "config"),
        ({"config": {"dropout": 1.0}}, "config"),
        ({"format_version": FORMAT_VERSION + 1}, "format_version"),
        ({"bits": 1.5}, "bits"),
        ({"task": "detection"}, "task"),
        ({"threshold": [2.0]}, "threshold"),
        ({"class_names": ["a"]}, "class_names"),
        ({"surprise": 1}, "header"),
    ],
    ids=str,
)
def test_fields_that_lie(files, changes, field):
    metadata, tensors = split(files[0])
    header = json.loads(metadata["header"])
    for name, value in changes.items():
        header[name] = {**header[name], **value} if isinstance(value, dict) else value
    if header["config"]["image_size"] != SMALL["image_size"]:
        header["preprocessing"]["image_size"] = header["config"]["image_size"]
    metadata["header"] = json.dumps(header)
    message = read(sealed(metadata, tensors))
    assert re.match(rf"fuzz: ({field})", message), message


def test_a_newer_format_says_so(files):
    metadata, tensors = split(files[0])
    header = json.loads(metadata["header"])
    header["format_version"], header["library_version"] = 7, "3.2.1"
    metadata["header"] = json.dumps(header)
    message = read(sealed(metadata, tensors))
    assert "7" in message
    assert "3.2.1" in message
    assert "upgrade" in message


def test_values_that_a_right_checksum_cannot_vouch_for(files):
    for content, name, value, reason in [
        (files[0], "blocks.0.mlp.fc1.codes", 0b11, "code 11"),
        (files[1], "blocks.0.mlp.fc1.codes", 0, None),
        (files[1], "blocks.0.mlp.fc1.codes", 1, "no five trits"),
        (files[0], "blocks.0.mlp.fc1.scale", np.nan, "NaN"),
        (files[0], "blocks.0.mlp.fc1.scale", -1, "positive"),
        (files[2], "head.values", -128, "-128"),
        (files[4], "head.values", 0, "0000"),
        (files[0], "norm.weight", np.inf, "infinity"),
    ]:
        metadata, tensors = split(content)
        tensors[name] = tensors[name].copy()
        tensors[name].flat[0] = value
        found = read(sealed(metadata, tensors))
        if reason is None:
            assert not isinstance(found, str)
        else:
            assert found.startswith(f"fuzz: {name}: ")
            assert reason in found


def test_other_files_are_told_apart(tmp_path):
    from safetensors.numpy import save

    assert "not a packed model" in read(save({"w": np.zeros(3, np.float32)}))
    assert "not a packed model" in read(b"\x89PNG\r\n\x1a\n" + bytes(100))
    assert "8 more" not in read(b"abc")
    from tinyternary.deploy import load

    with pytest.raises(PackedFileError, match="no such file"):
        load(tmp_path / "missing.safetensors")
    (tmp_path / "empty").touch()
    with pytest.raises(PackedFileError, match="the file is empty"):
        load(tmp_path / "empty")
    with pytest.raises(PackedFileError, match="cannot be read"):
        load(tmp_path)


def test_an_engine_on_each_fuzz_file_agrees_with_itself(files):
    for content in files:
        engine = Engine(read_packed_bytes(content), 1)
        config = engine.header.config

        class Model:
            pass

        Model.config = config
        images = images_for(Model, 2)
        plain = Engine(read_packed_bytes(content), fused=False)
        np.testing.assert_allclose(engine(images), plain(images), atol=0.02)
