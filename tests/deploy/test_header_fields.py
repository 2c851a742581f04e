"""What becomes of every field of a packed file's header: carried, applied or refused, everywhere.

A field that the table does not name, or an exporter that drops one, is a failure: a decision
threshold once reached the engine and not the graph.
"""

import json
import re

import numpy as np
import pytest

from tests.deploy.c.building import COMPILERS, answers, build, check_equal, needs_compiler, said
from tests.deploy.small_models import images_for, make_model
from tinyternary.config import Preprocessing, SetLimits
from tinyternary.deploy import Engine, inspect, model_card, pack, to_c, to_onnx
from tinyternary.deploy.format.header import FORMAT_VERSION, LAYOUT_VERSION
from tinyternary.deploy.format.header_fields import parse_header
from tinyternary.errors import PackedFileError

CARRIED, APPLIED, REFUSED = "carried", "applied", "refused where it is another"
TABLE = {
    # field: engine, ONNX graph, inspect, model card; C carries the card and applies the same
    "format_version": (REFUSED, CARRIED, CARRIED, CARRIED),
    "layout_version": (REFUSED, CARRIED, CARRIED, CARRIED),
    "library_version": (CARRIED, CARRIED, CARRIED, CARRIED),
    "bits": (APPLIED, APPLIED, CARRIED, CARRIED),
    "rest": (APPLIED, APPLIED, CARRIED, CARRIED),
    "config": (APPLIED, APPLIED, CARRIED, CARRIED),
    "kinds": (APPLIED, APPLIED, CARRIED, CARRIED),
    "layers": (APPLIED, APPLIED, CARRIED, CARRIED),
    "rules": (CARRIED, CARRIED, CARRIED, CARRIED),
    "policy": (CARRIED, CARRIED, CARRIED, CARRIED),
    "preprocessing": (APPLIED, APPLIED, CARRIED, CARRIED),
    "task": (APPLIED, APPLIED, CARRIED, CARRIED),
    "class_names": (APPLIED, CARRIED, CARRIED, CARRIED),
    "threshold": (APPLIED, APPLIED, CARRIED, CARRIED),
    "dataset": (CARRIED, CARRIED, CARRIED, CARRIED),
    "metrics": (CARRIED, CARRIED, CARRIED, CARRIED),
    "temperature": (APPLIED, APPLIED, CARRIED, CARRIED),
    "prediction_sets": (APPLIED, CARRIED, CARRIED, CARRIED),
}
FULL = {
    "bits": 1.6, "rest": "float16", "task": "multi-label", "threshold": [0.37, 0.5, 0.62], "temperature": 0.735,
    "class_names": ["round", "lobed", "grainy"], "dataset": "of a test", "metrics": {"acc": 0.8125},
    "preprocessing": Preprocessing(28, (0.25, 0.5, 0.75), (0.5, 0.5, 0.25)),
}  # fmt: skip

SETS = {
    "prediction_sets": SetLimits((0.5, 0.9), (20, 40, 9), ((0.5, 0.4, 0.25), (0.25, 0.2, 0.0))),
    "class_names": FULL["class_names"],
}
"""What only a task with one label an image has."""


@pytest.fixture(scope="module")
def packed():
    return pack(make_model("bitmedvit"), **FULL)


@pytest.fixture(scope="module")
def packed_with():
    """The model with everything, or the one whose field another task forbids."""
    files = {
        True: pack(make_model("bitmedvit"), **SETS),
        False: pack(make_model("bitmedvit"), **FULL),
    }
    return lambda field: files[field in SETS and field not in FULL]


def test_every_field_has_a_row(packed_with):
    every = {
        **packed_with("bits").header.to_dict(),
        **packed_with("prediction_sets").header.to_dict(),
    }
    assert list(TABLE) == list(every)


NEWEST = {"format_version": FORMAT_VERSION, "layout_version": LAYOUT_VERSION}


@pytest.mark.parametrize("field", [name for name, row in TABLE.items() if row[0] == REFUSED])
def test_another_version_is_refused(field, packed):
    fields = packed.header.to_dict()
    with pytest.raises(PackedFileError, match=field):
        parse_header({**fields, field: NEWEST[field] + 1}, "file", 1000)


@pytest.mark.parametrize("field", TABLE)
def test_inspect_carries(field, packed_with, tmp_path):
    packed = packed_with(field)
    found = inspect(packed.save(tmp_path / "model.safetensors"))
    fields = packed.header.to_dict()
    if field in ("kinds", "layers"):  # row by row
        storages = {row["name"]: row["storage"] for row in found["layers"]}
        assert {name: layer.storage for name, layer in packed.header.layers.items()}.items() <= (
            storages.items()
        )
    elif field in ("rules", "policy"):  # the rule itself in place of its number
        assert found["policy"] == {n: rule.to_dict() for n, rule in packed.header.policy.items()}
    else:
        assert found[field] == fields[field]
    json.dumps(found, allow_nan=False)


IN_THE_CARD = {
    "format_version": ["format 2"],
    "layout_version": ["layout 1"],
    "bits": ["1.6 bits per weight"],
    "rest": ["the rest is float16"],
    "config": ["28 x 28 pixels", "width 32", "2 blocks", "4 heads"],
    "kinds": ["matrices are ternary"],
    "layers": ["of 10 weight matrices"],
    "rules": ["absmean per tensor, inputs int8"],
    "policy": ["Matrices quantised as"],
    "preprocessing": ["less [0.25, 0.5, 0.75], divided by [0.5, 0.5, 0.25]"],
    "task": ["Task: multi-label"],
    "class_names": ["round, lobed, grainy"],
    "threshold": ["probability above 0.37, 0.5, 0.62"],
    "dataset": ["Trained on: of a test"],
    "metrics": ["| acc | 0.8125 |"],
    "temperature": ["a sigmoid of each logit divided by 0.735"],
    "prediction_sets": ["`predict --coverage` 0.5 to 0.9", "20 of round, 40 of lobed, 9 of grainy"],
}


@pytest.mark.parametrize("field", TABLE)
def test_the_card_carries(field, packed_with):
    packed = packed_with(field)
    card = model_card(packed.read())
    wanted = IN_THE_CARD.get(field, [packed.header.library_version])
    assert all(words in card for words in wanted), wanted


def test_c_carries_the_card(packed, tmp_path):
    to_c(packed, tmp_path)
    assert (tmp_path / "MODEL.md").read_text("utf-8") == model_card(packed.read())


ANOTHER = {
    "bits": [{"bits": 2}, {"bits": 1.6}],
    "rest": [{"rest": "float32"}, {"rest": "int8"}],
    "config": [{"activation": "gelu"}, {"activation": "relu_squared"}],
    "kinds": [{"policy": "bitmedvit"}, {"policy": "all-linear"}],
    "layers": [{"policy": "bitmedvit"}, {"policy": "everything"}],
    "preprocessing": [{}, {"preprocessing": FULL["preprocessing"]}],
    "task": [{"num_classes": 2}, {"num_classes": 2, "task": "multi-label"}],
    "class_names": [{}, {"class_names": ["a", "b", "c"]}],
    "threshold": [
        {"num_classes": 2, "task": "binary-class", "threshold": 0.9},
        {"num_classes": 2, "task": "binary-class", "threshold": 0.1},
    ],
    "temperature": [
        # as far from one half as the temperature takes what is decided
        {"num_classes": 2, "task": "binary-class", "threshold": 0.3, "temperature": 0.05},
        {"num_classes": 2, "task": "binary-class", "threshold": 0.3, "temperature": 20.0},
    ],
    "prediction_sets": [
        {"prediction_sets": SetLimits((0.9,), (40,), ((0.0,),))},
        {"prediction_sets": SetLimits((0.9,), (40,), ((1.0,),))},
    ],
}
"""Two models that differ in a field alone: arguments of `pack`, of the model and its policy."""
OPTIONS = (
    "bits", "rest", "preprocessing", "task", "class_names", "threshold", "temperature",
    "prediction_sets",
)  # fmt: skip


def one_of(arguments):
    options = {name: value for name, value in arguments.items() if name in OPTIONS}
    changes = {name: value for name, value in arguments.items() if name not in OPTIONS}
    model = make_model(changes.pop("policy", "bitmedvit"), **changes)
    return pack(model, **options), images_for(model, 16)


@pytest.mark.parametrize("field", [name for name, row in TABLE.items() if row[0] == APPLIED])
def test_the_engine_applies(field):
    answers = []
    for arguments in ANOTHER[field]:
        packed, images = one_of(arguments)
        coverage = 0.9 if field == "prediction_sets" else None
        answers.append(Engine(packed.read()).predict(images, coverage))
    a, b = answers
    if field == "bits":  # two ways to store the same numbers
        np.testing.assert_array_equal(a.logits, b.logits)
    elif field == "class_names":
        assert a.names != b.names
    elif field == "prediction_sets":
        np.testing.assert_array_equal(a.logits, b.logits)
        assert a.sets.all()
        assert not b.sets.any()
    elif field in ("task", "threshold", "temperature"):
        np.testing.assert_array_equal(a.logits, b.logits)
        assert a.labels.tolist() != b.labels.tolist()
    else:
        assert not np.array_equal(a.logits, b.logits)


@needs_compiler
@pytest.mark.slow
# C names classes, and has no sets
@pytest.mark.parametrize(
    "field",
    [name for name, row in TABLE.items() if row[0] == APPLIED and name != "prediction_sets"],
)
def test_c_applies(field, tmp_path):
    for arguments in ANOTHER[field]:
        packed, images = one_of(arguments)
        engine = Engine(packed.read())
        to_c(packed, tmp_path)
        build(tmp_path, COMPILERS[0])
        check_equal(engine, answers(tmp_path, images), images)
        done = said(tmp_path, "images.pnm")
        assert done.returncode == 0, done.stderr
        names = [line.partition(": ")[2].partition("\t")[0] for line in done.stdout.splitlines()]
        if arguments.get("task") == "multi-label":
            names = [", ".join(re.findall(r"([^;]+); ?", line)) for line in names]
        assert names == engine.predict(images).names


@pytest.mark.parity
@pytest.mark.parametrize("field", TABLE)
def test_the_graph_carries_and_applies(field, tmp_path, packed):
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    for arguments in ANOTHER.get(field, [{}]):
        packed, images = one_of(arguments)
        path = to_onnx(packed, tmp_path / "model.onnx")
        properties = {p.key: p.value for p in onnx.load(path).metadata_props}
        assert json.loads(properties["header"])[field] == packed.header.to_dict()[field]
        if TABLE[field][1] == APPLIED:
            session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            logits, labels = session.run(["logits", "labels"], {"images": images})
            expected = Engine(packed.read()).predict(images)
            np.testing.assert_allclose(logits, expected.logits, rtol=0, atol=5e-3)
            # decided as the engine decides on the same logits
            np.testing.assert_array_equal(labels, Engine(packed.read()).decide(logits).labels)


@pytest.mark.parity
@pytest.mark.parametrize("temperature", [None, 0.31, 17.0])
@pytest.mark.parametrize(
    ("task", "classes", "threshold"),
    [
        ("binary-class", 2, 0.0), ("binary-class", 2, 1.0), ("binary-class", 2, 0.3),
        ("multi-class", 2, None), ("multi-class", 3, None), ("multi-class", 1, None),
        ("ordinal-regression", 4, None), ("multi-label", 3, None), ("multi-label", 1, 0.2),
        ("multi-label", 3, [0.0, 0.4, 1.0]),
    ],
)  # fmt: skip
def test_the_graph_answers_as_the_engine_does(task, classes, threshold, temperature, tmp_path):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    model = make_model("bitmedvit", num_classes=classes)
    packed = pack(model, task=task, threshold=threshold, temperature=temperature)
    path = to_onnx(packed, tmp_path / "model.onnx")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    logits, labels, probabilities = session.run(
        ["logits", "labels", "probabilities"], {"images": images_for(model, 32)}
    )
    expected = Engine(packed.read()).decide(logits)
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, expected.labels)
    np.testing.assert_allclose(probabilities, expected.probabilities, rtol=2e-7)
