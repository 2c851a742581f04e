"""What is written: sizes, safety, and files of earlier days."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.deploy.small_models import images_for, make_model
from tests.deploy.test_engine import CASES, POLICIES
from tinyternary import cost
from tinyternary.deploy import Engine, inspect, load, model_card, pack
from tinyternary.errors import ConfigError, PackedFileError

GOLDEN = Path(__file__).parent / "golden"
ANSWERS = {
    name: answer
    for path in sorted(GOLDEN.glob("v?-answers.json"))
    for name, answer in json.loads(path.read_text()).items()
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("fused", [True, False])
def test_files_of_every_format_load_for_ever(name, fused):
    engine = load(GOLDEN / name) if fused else Engine(load(GOLDEN / name).packed, fused=False)
    images = np.array(ANSWERS[name]["images"], np.uint8)
    # rounding of floats differs between processors, and may tip an int8 code over
    answer = engine.predict(images)
    np.testing.assert_allclose(answer.logits, ANSWERS[name]["logits"], rtol=0, atol=5e-3)
    if "probabilities" in ANSWERS[name]:  # from format 2 on: they no longer follow from logits
        wanted = ANSWERS[name]["probabilities"]
        np.testing.assert_allclose(answer.probabilities, wanted, rtol=0, atol=5e-3)
    assert engine.header.to_dict()["format_version"] == int(name[1])
    assert engine.class_names == ("round", "lobed", "grainy")
    assert engine.header.dataset == "phantoms"


@pytest.mark.parametrize("rest", ["float32", "float16", "int8"])
@pytest.mark.parametrize("bits", [2, 1.6])
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_bytes_equal_the_cost_models_prediction(policy, bits, rest, tmp_path):
    model = make_model(policy, width=48, heads=3, mlp_width=80)
    path = pack(model, bits=bits, rest=rest).save(tmp_path / "m.safetensors")
    found = inspect(path)
    assert found["file_bytes"] == os.stat(path).st_size
    assert found["header_bytes"] + found["tensor_bytes"] == os.stat(path).st_size
    assert cost.analyze(model, bits=bits, rest=rest).bytes_stored == found["tensor_bytes"]
    assert sum(row["bytes"] for row in found["layers"]) == found["tensor_bytes"]


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_bytes_equal_the_prediction_whatever_the_shape(changes):
    model = make_model("everything", **changes)
    assert cost.analyze(model).bytes_stored == pack(model).tensor_bytes


def test_safetensors_reads_the_file(packed, packed_path):
    from safetensors.numpy import load_file

    stored = load_file(packed_path)
    tensors = packed.read().tensors
    assert set(stored) == set(tensors)
    for name, array in tensors.items():
        np.testing.assert_array_equal(stored[name], array)


def test_packing_twice_gives_the_same_bytes(model):
    assert pack(model).content == pack(model).content


def test_arrays_are_views_of_the_file(packed_path):
    tensors = load(packed_path).packed.tensors
    for array in tensors.values():
        assert not array.flags.owndata
        assert not array.flags.writeable


def test_an_engine_survives_the_files_replacement(model, packed, tmp_path):
    path = packed.save(tmp_path / "m.safetensors")
    engine = load(path)
    images = images_for(model)
    expected = engine(images)
    pack(make_model(seed=9)).save(path)
    np.testing.assert_array_equal(engine(images), expected)
    path.unlink()
    np.testing.assert_array_equal(engine(images), expected)


def test_what_cannot_be_packed():
    model = make_model()
    with pytest.raises(ConfigError, match="bits"):
        pack(model, bits=3)
    with pytest.raises(ConfigError, match="storage of the rest"):
        pack(model, rest="int7")
    with pytest.raises(ConfigError, match=r"class_names: .* expected 3 names, not 2"):
        pack(model, class_names=["a", "b"])
    with pytest.raises(ConfigError, match="threshold"):
        pack(model, threshold=1.5)
    with pytest.raises(ConfigError, match="task"):
        pack(model, task="detection")
    with pytest.raises(ConfigError, match="metrics"):
        pack(model, metrics={"x": object()})
    model.norm.weight.data[0] = np.nan
    with pytest.raises(ConfigError, match=r"norm\.weight"):
        pack(model)
    big = make_model(None)
    big.head.weight.data[0, 0] = 1e6
    with pytest.raises(ConfigError, match=r"head\.weight.*F16"):
        pack(big, rest="float16")


def test_metrics_that_are_not_finite_become_null(model):
    packed = pack(model, metrics={"a": np.float32("nan"), "b": [np.int64(2)], "c": float("inf")})
    assert packed.read().header.metrics == {"a": None, "b": [2], "c": None}


def test_a_full_disk_leaves_the_old_file(packed, tmp_path, monkeypatch):
    path = packed.save(tmp_path / "m.safetensors")
    before = path.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PackedFileError, match=r"m\.safetensors: cannot be written: No space left"):
        pack(make_model(seed=3)).save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.safetensors"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_device_that_is_full(packed, tmp_path):
    with pytest.raises(PackedFileError):
        packed.save(tmp_path / "missing" / "m.safetensors")
    with pytest.raises(PackedFileError, match="is a folder"):
        packed.save(tmp_path)


@pytest.mark.slow
def test_sigkill_leaves_one_whole_file(packed, tmp_path):
    path = packed.save(tmp_path / "m.safetensors")
    code = (
        "import sys\n"
        "from tinyternary.files import replace_content\n"
        "content = open(sys.argv[1], 'rb').read()\n"
        "print('ready', flush=True)\n"
        "while True: replace_content(sys.argv[1], content)\n"
    )
    rng = np.random.default_rng(0)
    for _ in range(8):
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0, 0.05))
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert path.read_bytes() == packed.content


def test_inspect_and_card(packed_path, tmp_path, model):
    found = inspect(packed_path)
    json.dumps(found)
    rows = {row["name"]: row for row in found["layers"]}
    assert rows["blocks.0.mlp.fc1"]["storage"] == "ternary"
    assert 2 <= rows["blocks.0.mlp.fc1"]["bits"] < 2.1
    weights = sum(p.data.size for p in model.parameters())
    assert found["parameters"] == weights
    card = model_card(load(packed_path).packed, "m.safetensors")
    assert "for teaching and research, not for clinical use" in card.lower()
    assert "phantoms" in card
    classes = len(load(packed_path).class_names)
    metrics = {
        "test": {
            "acc": 0.9, "intervals": {"acc": [0.88, 0.92]}, "flips": "both", "shifts": 1,
            "per_class": {"sensitivity": [0.5] * (classes - 1) + [0.75]},
        },
        "params": 12,
    }  # fmt: skip
    saved = pack(model, metrics=metrics).save(tmp_path / "m.safetensors", card=True)
    text = saved.with_suffix(".md").read_text()
    assert "| test acc | 0.9 | 0.88 to 0.92 |" in text
    assert "flips: both; shifts: up to 1 pixels" in text
    last = load(saved).class_names[-1]
    assert f"| {last} | 0.75 |" in text
    assert "| params | 12 |  |" in text
