"""SIGKILL at any moment, started again: the same bits as a run that was never killed."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.patience import PATIENCE
from tinyternary.train import load_checkpoint, load_run

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[2])
from tests.train.small import model, splits
from tinyternary.train import Recipe, distill, fit

recipe = Recipe(epochs=12, batch_size=16, lr=5e-3, augment="none", mixup=0.2, ema=0.95,
                gradual_epochs=2, save_seconds=0.0)
teacher = model(seed=3)
distill(model("all-linear"), teacher, splits(160), recipe, run_dir=sys.argv[1], seed=4,
        progress=False)
"""


def _start(folder: Path) -> subprocess.Popen[bytes]:
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder), str(ROOT)], env=env)


def _step(folder: Path) -> int:
    path = folder / "last.safetensors"
    # a reader must never find half a file, whenever it looks
    return int(load_checkpoint(path, "state").field("step")) if path.exists() else 0


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL (not on Windows)")
def test_killed_runs_end_with_the_same_bits(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert _start(whole).wait(timeout=PATIENCE) == 0

    chance, kills, reached = random.Random(0), 0, []
    deadline = time.monotonic() + PATIENCE
    while True:
        assert time.monotonic() < deadline
        process, before = _start(killed), _step(killed)
        # let it get a little further than it was, then kill it mid-step, mid-write, anywhere
        wanted = before + chance.randint(1, 25)
        while process.poll() is None and _step(killed) < wanted:
            time.sleep(chance.random() * 0.01)
        if process.poll() is not None:
            assert process.returncode == 0
            break
        time.sleep(chance.random() * 0.03)
        process.kill()
        process.wait()
        kills += 1
        reached.append(_step(killed))
    assert kills >= 4, f"killed at steps {reached} only"

    first, second = load_run(whole), load_run(killed)
    for name, array in first.model.state_dict().items():
        np.testing.assert_array_equal(array, second.model.state_dict()[name], err_msg=name)
    assert [{**row, "seconds": 0} for row in first.history] == [
        {**row, "seconds": 0} for row in second.history
    ]
    assert first.metrics == second.metrics
    a, b = (load_checkpoint(f / "last.safetensors").arrays for f in (whole, killed))
    assert a.keys() == b.keys()
    for name, array in a.items():  # optimiser, average and matcher too
        np.testing.assert_array_equal(array, b[name], err_msg=name)
    assert not list(killed.glob(".*.part"))  # what kills left behind is swept up
