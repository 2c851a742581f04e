"""A run that is told to stop saves its state; two runs do not share a folder."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.train.small import model, splits
from tinyternary.errors import CheckpointError, TrainingError
from tinyternary.train import Recipe, fit, load_checkpoint

QUICK = Recipe(epochs=3, batch_size=16, lr=5e-3, warmup_epochs=0.5, augment="none")
SIGNALS = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
PROGRAM = """
import signal, sys
sys.path.insert(0, sys.argv[2])
from tests.train.small import model, splits
from tests.train.test_stopping import QUICK, sending
from tinyternary.train import fit

signal.signal(signal.SIGINT, signal.default_int_handler)  # as a shell starts it
name, ignored = sys.argv[3:]
if ignored:
    signal.signal(getattr(signal, name), signal.SIG_IGN)  # as nohup does
fit(model(), splits(), QUICK, run_dir=sys.argv[1], on_step=sending(name), label="crumbs")
"""


def sending(name, at=8):
    return lambda step, net: step == at and signal.raise_signal(getattr(signal, name))


def program(folder, name, ignored=""):
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", PROGRAM, str(folder), str(root), name, ignored]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def whole():
    return fit(model(), splits(), QUICK, progress=False)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs SIGHUP (not on Windows)")
@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_saves_the_state_and_ends_the_process_as_it_asks(tmp_path, whole, name):
    ended = program(tmp_path, name)
    assert ended.returncode == -getattr(signal, name) or (name == "SIGINT" and ended.returncode)
    assert f"stopped after step 8 of 18; the same command goes on from {tmp_path}" in ended.stderr
    assert load_checkpoint(tmp_path / "last.safetensors").field("step") == 8
    again = fit(model(), splits(), QUICK, run_dir=tmp_path, progress=False)
    assert again.metrics == whole.metrics
    for key, array in whole.model.state_dict().items():
        np.testing.assert_array_equal(array, again.model.state_dict()[key])


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs SIGHUP (not on Windows)")
def test_what_the_process_ignores_it_goes_on_ignoring(tmp_path):
    ended = program(tmp_path, "SIGHUP", ignored="yes")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "metrics.json").exists()


@pytest.mark.parametrize("name", [name for name in SIGNALS if name != "SIGINT"])
def test_a_handler_of_the_callers_gets_the_signal_after_the_state_is_saved(tmp_path, name):
    seen = []
    number = getattr(signal, name)
    last = tmp_path / "last.safetensors"
    mine = lambda signum, frame: seen.append((signum, load_checkpoint(last).field("step")))  # noqa: E731
    before = signal.signal(number, mine)
    try:
        with pytest.raises(KeyboardInterrupt, match="after step 8 of 18; the same command"):
            fit(model(), splits(), QUICK, run_dir=tmp_path, on_step=sending(name), progress=False)
        assert signal.getsignal(number) is mine
    finally:
        signal.signal(number, before)
    assert seen == [(number, 8)]


@pytest.fixture
def interruptible_tests():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible_tests")
def test_no_state_is_promised_where_there_is_none(tmp_path):
    with pytest.raises(KeyboardInterrupt, match=r"^stopped after step 8 of 18$"):
        fit(model(), splits(), QUICK, on_step=sending("SIGINT"), progress=False)

    def poison(step, net):
        net.blocks[1].mlp.fc2.weight.data[0, 0] = np.nan

    for folder in (None, tmp_path):  # harmed in the first step: nothing good was ever saved
        with pytest.raises(TrainingError, match="step 2 of 18") as error:
            fit(model(), splits(), QUICK, run_dir=folder, on_step=poison, progress=False)
        assert "kept" not in str(error.value)
    assert not (tmp_path / "last.safetensors").exists()


def test_a_second_start_in_a_folder_gets_a_line_and_touches_nothing(tmp_path, whole):
    draft = tmp_path / ".last.safetensors.0123abcd.part"

    def second(step, net):
        if step != 9:
            return
        draft.write_bytes(b"the first one's")
        for resume in (True, False):
            before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
            with pytest.raises(CheckpointError, match="another training runs in this folder; "):
                fit(model(), splits(), QUICK, run_dir=tmp_path, resume=resume, progress=False)
            assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

    first = fit(model(), splits(), QUICK, run_dir=tmp_path, on_step=second, progress=False)
    assert first.metrics == whole.metrics
    assert draft.exists()
    fit(model(), splits(), QUICK, run_dir=tmp_path, progress=False)
    assert not draft.exists()  # nobody is there any more whose it could be
