import json

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from safetensors.numpy import load_file, save_file

from tests.damage import damaged
from tests.train.small import model, splits
from tinyternary.errors import CheckpointError
from tinyternary.train import CheckpointWarning, distill, fit, load_run
from tinyternary.train._state import STATES
from tinyternary.train.checkpoints import (
    READABLE,
    load_checkpoint,
    read_json,
    save_checkpoint,
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
    with pytest.raises(CheckpointError, match="no such file; expected a checkpoint"):
        load_checkpoint(tmp_path / "b.safetensors")


@st.composite
def damaged_checkpoints(draw, folder):
    arrays = {"w": np.ones(16, np.float32), "x/s": np.float64(3), "x/n": np.arange(3)}
    save_checkpoint(folder / "sound.safetensors", "state", arrays, {"step": 1})
    return draw(damaged((folder / "sound.safetensors").read_bytes()))


@given(data=st.data())
@settings(max_examples=300)
def test_damage_is_an_error_or_harmless(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damage")
    path = folder / "a.safetensors"
    path.write_bytes(data.draw(damaged_checkpoints(folder)))
    try:
        found = load_checkpoint(path)
    except CheckpointError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert set(found.header) >= {"kind", "format"}
    for array in found.arrays.values():
        assert array.flags.writeable
        assert array.flags.owndata


def test_a_checkpoint_cut_short_anywhere_is_an_error(tmp_path):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, "state", {"w": np.ones(16, np.float32)}, {"step": 1})
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=r"a\.safetensors: "):
            load_checkpoint(path)


def test_every_flipped_bit_is_noticed(tmp_path):
    """Of the header's text, of the checksum and of the arrays, whatever the value becomes."""
    path = tmp_path / "a.safetensors"
    arrays = {"w": np.linspace(-1, 1, 16, dtype=np.float32), "n": np.arange(3)}
    save_checkpoint(path, "state", arrays, {"step": 1})
    content = path.read_bytes()
    padding = content.rindex(b"}", 0, len(content) - 88) + 1  # spaces up to the arrays
    assert content[padding:-88].strip() == b""
    for place in {*range(padding), *range(len(content) - 88, len(content))}:
        for bit in range(8):
            changed = bytes([content[place] ^ 1 << bit])
            path.write_bytes(content[:place] + changed + content[place + 1 :])
            with pytest.raises(CheckpointError, match=r"^\S*a\.safetensors: "):
                load_checkpoint(path)


def test_a_file_from_before_checksums_is_read(tmp_path):
    for version in READABLE:
        header = json.dumps({"kind": "state", "format": version})
        save_file({"w": np.ones(2)}, str(tmp_path / "a"), metadata={"tinyternary": header})
        if version == READABLE[-1]:
            with pytest.raises(CheckpointError, match="checksum: missing"):
                load_checkpoint(tmp_path / "a")
        else:
            assert load_checkpoint(tmp_path / "a").arrays["w"].tolist() == [1, 1]


@pytest.mark.parametrize("dtype", [np.int64, np.float64, np.float16, np.uint8])
@pytest.mark.parametrize("owner", ["model", "optimizer", "average", "extra"])
def test_an_array_of_another_type_does_not_pass(tmp_path, owner, dtype):
    """NumPy would fill a float32 array with any of them without a word."""
    options = {"epochs": 1, "ema": 0.9, "run_dir": tmp_path, "progress": False}
    teacher = model(seed=3)
    distill(model(), teacher, splits(), **options)
    path = tmp_path / "last.safetensors"
    saved = load_checkpoint(path)
    name = next(name for name in saved.arrays if name.startswith(f"{owner}/"))
    arrays = {**saved.arrays, name: saved.arrays[name].astype(dtype)}
    header = {k: v for k, v in saved.header.items() if k not in ("kind", "format", "library")}
    save_checkpoint(path, "state", arrays, header)
    with pytest.raises(CheckpointError, match=f"has dtype {np.dtype(dtype)}, expected float32"):
        distill(model(), teacher, splits(), **options)


def test_a_damaged_state_gives_way_to_the_one_before(tmp_path):
    options = {"epochs": 3, "batch_size": 16, "ema": 0.9, "progress": False}
    whole = fit(model(), splits(), run_dir=tmp_path / "a", **options)

    def stop(step, net):
        if step == 17:
            raise RuntimeError("power cut")

    folder = tmp_path / "b"
    with pytest.raises(RuntimeError, match="power cut"):
        fit(model(), splits(), run_dir=folder, on_step=stop, save_seconds=1e-9, **options)
    last, previous = folder / "last.safetensors", folder / "previous.safetensors"
    steps = [load_checkpoint(path).field("step") for path in (last, previous)]
    assert steps == [16, 15]
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.warns(
        CheckpointWarning, match=r"last\.safetensors: .* state before it, of step 15$"
    ):
        again = fit(model(), splits(), run_dir=folder, **options)
    assert again.metrics == whole.metrics
    for name, array in whole.model.state_dict().items():
        np.testing.assert_array_equal(array, again.model.state_dict()[name])
    assert load_checkpoint(last).field("step") == 18

    # killed between the two: there is no last one
    last.unlink()
    assert fit(model(), splits(), run_dir=folder, **options).metrics == whole.metrics
    for path in (last, previous):
        path.write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"last\.safetensors: the file is empty"):
        fit(model(), splits(), run_dir=folder, **options)
    assert fit(model(), splits(), run_dir=folder, resume=False, **options).metrics == whole.metrics


def test_a_damaged_state_does_not_push_out_a_sound_one(tmp_path):
    """Going on from the second to last, a save must not leave two files of which none is sound."""
    options = {"epochs": 2, "run_dir": tmp_path, "progress": False}
    fit(model(), splits(), **options)
    last, sound = tmp_path / "last.safetensors", []
    last.write_bytes(last.read_bytes()[:-9])

    def readable():
        names = [name for name in STATES if (tmp_path / name).exists()]
        return [name for name in names if load_checkpoint(tmp_path / name, "state")]

    with pytest.warns(CheckpointWarning):
        fit(model(), splits(), on_epoch=lambda row: sound.append(readable()), **options)
    assert sound == [["last.safetensors"]]
    assert readable() == ["last.safetensors", "previous.safetensors"]


def test_a_state_of_a_later_version_is_not_replaced(tmp_path):
    options = {"epochs": 2, "run_dir": tmp_path, "progress": False}
    fit(model(), splits(), **options)
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, "state", {}, {"format": READABLE[-1] + 1})
    content = path.read_bytes()
    with pytest.raises(CheckpointError, match=f"format {READABLE[-1] + 1}"):
        fit(model(), splits(), **options)
    assert path.read_bytes() == content


@given(
    name=st.sampled_from(
        ["step", "loss_sum", "best_score", "seconds", "history", "settings", "optimizer_steps"]
    ),
    value=st.sampled_from(
        [None, [], {}, "x", "0x1p0", {"rows": 3}, {"rows": [], "best_epoch": []}]
    ),
)
@settings(max_examples=40)
def test_a_header_that_is_no_state_is_an_error_of_one_line(tmp_path_factory, name, value):
    folder = tmp_path_factory.mktemp("run")
    options = {"epochs": 1, "run_dir": folder, "progress": False}
    fit(model(depth=1), splits(32), batch_size=16, **options)
    saved = load_checkpoint(folder / "last.safetensors")
    header = {k: v for k, v in saved.header.items() if k not in ("kind", "format", "library")}
    for path in folder.glob("*.safetensors"):
        if load_checkpoint(path).header["kind"] == "state":
            save_checkpoint(path, "state", saved.arrays, {**header, name: value})
    try:
        fit(model(depth=1), splits(32), batch_size=16, **options)
    except CheckpointError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert name in ("loss_sum", "best_score")
    assert value == "0x1p0"


def test_arrays_are_the_readers_own(tmp_path):
    path = tmp_path / "a.safetensors"
    arrays = {
        "w": np.arange(12, dtype=">f4").reshape(3, 4).T,
        "n": np.int64(7),
        "s": np.ones((), np.float32),
        "b": np.array([True, False]),
        "none": np.empty((0, 2), np.float16),
    }
    save_checkpoint(path, "state", arrays, {})
    before = path.read_bytes()
    by_library = load_file(path)
    for name, array in load_checkpoint(path).arrays.items():
        for found in (array, by_library[name]):
            np.testing.assert_array_equal(found, arrays[name])
            assert found.shape == arrays[name].shape
        assert array.dtype.isnative
        array[...] = 0
    assert path.read_bytes() == before


def test_what_is_not_a_number_comes_back_as_none(tmp_path):
    save_checkpoint(tmp_path / "a.safetensors", "state", {}, {"auc": float("nan")})
    assert load_checkpoint(tmp_path / "a.safetensors").field("auc") is None
    write_json(tmp_path / "a.json", {"auc": np.float64("nan")})
    assert read_json(tmp_path / "a.json")["auc"] is None
    (tmp_path / "a.json").write_text('{"auc": NaN}')  # as earlier versions wrote
    assert read_json(tmp_path / "a.json")["auc"] is None


def test_a_file_that_cannot_be_written_is_the_error_of_a_run(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "a"):
        with pytest.raises(CheckpointError, match=r"is a folder|cannot be written"):
            save_checkpoint(path, "state", {}, {})
        with pytest.raises(CheckpointError, match=r"is a folder|cannot be written"):
            write_json(path, {})
    with pytest.raises(CheckpointError, match="'w': cannot be stored as complex128"):
        save_checkpoint(tmp_path / "a", "state", {"w": np.ones(1, complex)}, {})
    save_checkpoint(tmp_path / "new" / "a", "state", {}, {})


def test_json_takes_numpy_and_refuses_other_things(tmp_path):
    write_json(tmp_path / "a.json", {"a": np.float32(0.5), "b": np.arange(3)})
    assert read_json(tmp_path / "a.json") == {"a": 0.5, "b": [0, 1, 2]}
    with pytest.raises(TypeError, match="set"):
        write_json(tmp_path / "a.json", {"a": {1}})
    (tmp_path / "b.json").write_text(json.dumps([1]))
    with pytest.raises(CheckpointError, match="expected a JSON object, got list"):
        read_json(tmp_path / "b.json")
    (tmp_path / "c.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"c\.json: not valid JSON"):
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
