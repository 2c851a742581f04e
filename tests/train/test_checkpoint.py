import json
import os

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from safetensors.numpy import save_file

from tests.train.small import model, splits
from tinyternary.errors import CheckpointError
from tinyternary.train import fit, load_run
from tinyternary.train.checkpoints import (
    load_checkpoint,
    read_json,
    save_checkpoint,
    write_bytes,
    write_json,
)


def test_round_trip(tmp_path):
    arrays = {
        "model/w": np.arange(6, dtype=np.float32).reshape(2, 3),
        "x/s": np.float64(3) * np.ones(()),
    }
    save_checkpoint(tmp_path / "a.safetensors", "state", arrays, {"step": np.int64(3)})
    back = load_checkpoint(tmp_path / "a.safetensors", "state")
    assert back.field("step") == 3
    assert list(back.part("model")) == ["w"]
    for name, array in arrays.items():
        np.testing.assert_array_equal(back.arrays[name], array)
    with pytest.raises(CheckpointError, match="no field 'stop'"):
        back.field("stop")


def test_wrong_kind_version_and_foreign_files(tmp_path):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, "weights", {"w": np.ones(2)}, {})
    with pytest.raises(CheckpointError, match="'weights', expected 'state'"):
        load_checkpoint(path, "state")
    save_checkpoint(path, "weights", {"w": np.ones(2)}, {"format": 99})
    with pytest.raises(CheckpointError, match="format 99"):
        load_checkpoint(path)
    save_file({"w": np.ones(2)}, str(path))
    with pytest.raises(CheckpointError, match="no tinyternary checkpoint"):
        load_checkpoint(path)
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "b.safetensors")


@given(cut=st.integers(0, 400), flip=st.integers(0, 399), seed=st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_damage_is_an_error_or_harmless(tmp_path_factory, cut, flip, seed):
    path = tmp_path_factory.mktemp("damage") / "a.safetensors"
    save_checkpoint(path, "state", {"w": np.ones(16, np.float32)}, {"step": 1})
    content = bytearray(path.read_bytes())
    short = content[: min(cut, len(content) - 1)]
    path.write_bytes(bytes(short))
    with pytest.raises(CheckpointError):
        load_checkpoint(path)
    content[flip % len(content)] ^= 1 << (seed + 1)
    path.write_bytes(bytes(content))
    try:
        load_checkpoint(path)
    except CheckpointError as error:
        assert str(path) in str(error)  # noqa: PT017


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_json_takes_numpy_and_refuses_other_things(tmp_path):
    write_json(tmp_path / "a.json", {"a": np.float32(0.5), "b": np.arange(3)})
    assert read_json(tmp_path / "a.json") == {"a": 0.5, "b": [0, 1, 2]}
    with pytest.raises(TypeError, match="set"):
        write_json(tmp_path / "a.json", {"a": {1}})
    (tmp_path / "b.json").write_text(json.dumps([1]))
    with pytest.raises(CheckpointError, match="expected a JSON object, got list"):
        read_json(tmp_path / "b.json")
    (tmp_path / "c.json").write_text("{")
    with pytest.raises(CheckpointError, match="not JSON"):
        read_json(tmp_path / "c.json")


@pytest.mark.parametrize("rule", ["ttq", "seq", "learned-learned"])
def test_learned_scales_of_a_whole_matrix_are_numbers(tmp_path, rule):
    """A file keeps them as they are: neither loading nor going on meets an array of one."""
    run = fit(model(rule_of(rule)), splits(), epochs=1, run_dir=tmp_path, ema=0.9, progress=False)
    found = load_run(tmp_path).model.state_dict()
    for name, array in run.model.state_dict().items():
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)
    (tmp_path / "metrics.json").unlink()
    again = fit(model(rule_of(rule)), splits(), epochs=1, run_dir=tmp_path, ema=0.9, progress=False)
    assert again.history.rows == run.history.rows


def rule_of(weight):
    return {"*.qkv": weight, "head": "absmean"}


def test_a_state_from_before_a_network_field_existed_goes_on(tmp_path):
    run = tmp_path / "run"
    fit(model(), splits(), epochs=1, run_dir=run, progress=False)
    path = run / "last.safetensors"
    state = load_checkpoint(path, "state")
    header = {k: v for k, v in state.header.items() if k not in ("kind", "format", "library")}
    del header["settings"]["model"]["attn_norm"]
    save_checkpoint(path, "state", state.arrays, header)
    assert fit(model(), splits(), epochs=1, run_dir=run, progress=False).metrics
    with pytest.raises(CheckpointError, match=r"model\.attn_norm was True, now False"):
        fit(model(attn_norm=False), splits(), epochs=1, run_dir=run, progress=False)
