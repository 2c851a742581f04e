"""`reproduce`, `crossvalidate`, `ablate` and `collect` as a user runs them, on phantoms and a network of crumbs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.cli.test_command_line import run
from tests.patience import PATIENCE

NETWORK = "[model]\npatch_size = 7\nwidth = 16\ndepth = 1\nheads = 2\nmlp_width = 32\n"
QUICK = 'epochs = 1\nbatch_size = 256\naugment = "none"\nwarmup_epochs = 0\n'
STUDENT = QUICK + 'start_from_teacher = true\nfeature = "none"\n'
EXPERIMENT = (
    'name = "crumbs"\ndataset = "phantoms"\nseeds = [0, 1]\n'
    f"{NETWORK}[teacher]\n{QUICK}[student]\n{STUDENT}"
)
ABLATION = (
    'name = "crumbs"\ndataset = "phantoms"\nquantiser = ["absmean", "twn"]\n'
    'granularity = ["tensor"]\ndistillation = [true]\n[policy]\nbitmedvit = {}\nall-linear = {}\n'
    f"[recipe]\n{STUDENT}"
)


@pytest.mark.slow
def test_reproduce_ablate_collect_end_to_end(tmp_path) -> None:
    (tmp_path / "crumbs.toml").write_text(EXPERIMENT)
    (tmp_path / "ablation.toml").write_text(ABLATION)
    narrow = {**os.environ, "COLUMNS": "80"}
    shared = {"cwd": tmp_path, "env": narrow}

    # two processes share the seeds
    pieces = [
        subprocess.Popen(
            [sys.executable, "-m", "tinyternary", "reproduce", "crumbs.toml", "--out", "runs",
             "--seeds", seed, "--quiet", "--json"],
            stdout=subprocess.PIPE, text=True, **shared,
        )
        for seed in "01"
    ]  # fmt: skip
    printed = [json.loads(piece.communicate(timeout=PATIENCE)[0]) for piece in pieces]
    assert [piece.returncode for piece in pieces] == [0, 0]
    written = json.loads((tmp_path / "runs" / "results.json").read_text())
    assert [row["seed"] for row in written["seeds"]] == [0, 1]
    assert max(printed, key=lambda found: len(found["seeds"])) == written

    # nothing is left to do: the table, within 80 columns
    done = run("reproduce", "crumbs.toml", "--out", "runs", "--quiet", **shared)
    assert done.returncode == 0, done.stderr
    assert "student - teacher" in done.stdout
    assert "95 % t" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80

    teacher = ("--teacher", "runs/seed-0/teacher", "--out", "cells", "--quiet")
    part = run("ablate", "ablation.toml", *teacher, "--cells", "0:1", **shared)
    assert part.returncode == 0, part.stderr
    assert "1 of 4 cells" in part.stdout
    whole = run("ablate", "ablation.toml", *teacher, **shared)
    assert whole.returncode == 0, whole.stderr
    assert "policy: all-linear" in whole.stdout
    assert max(map(len, whole.stdout.splitlines())) <= 80
    found = json.loads(run("ablate", "ablation.toml", *teacher, "--json", **shared).stdout)
    assert len(found["cells"]) == 4
    assert found["effects"]["test_acc"]["levels"]

    for folder in ("runs", "cells"):
        small = run("collect", folder, "--out", f"{folder}.json", **shared)
        assert small.returncode == 0, small.stderr
        text = (tmp_path / f"{folder}.json").read_text()
        assert str(tmp_path) not in text
        assert json.loads(text)["dataset"] == "phantoms"


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_done_and_the_same_command_goes_on(tmp_path) -> None:
    (tmp_path / "crumbs.toml").write_text(
        EXPERIMENT.replace("epochs = 1", "epochs = 5", 1).replace("[0, 1]", "[0]")
    )
    command = ["reproduce", "crumbs.toml", "--out", "runs"]
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # as a shell
    code += f"from tinyternary.cli import main; main({command})"
    going = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    history, waited = tmp_path / "runs" / "seed-0" / "teacher" / "history.json", 0.0
    while not history.exists():
        time.sleep(0.1)
        waited += 0.1
        assert waited < 60
        assert going.poll() is None
    going.send_signal(signal.SIGINT)
    said = going.communicate(timeout=PATIENCE)[1].strip().splitlines()
    assert going.returncode == 130
    assert said[-1] == "error: interrupted"
    assert any("the same command goes on from" in line for line in said)
    epochs = len(json.loads(history.read_text())["rows"])
    assert 1 <= epochs < 5
    done = run(*command, "--quiet", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(history.read_text())["rows"]) == 5


@pytest.mark.slow
def test_crossvalidate_shares_folds_and_shows_their_mean(tmp_path) -> None:
    (tmp_path / "crumbs.toml").write_text(EXPERIMENT)
    shared = {"cwd": tmp_path, "env": {**os.environ, "COLUMNS": "100"}}
    command = ("crossvalidate", "crumbs.toml", "--folds", "2", "--out", "folds", "--quiet")
    part = run(*command, "--only", "1", "--json", **shared)
    assert part.returncode == 0, part.stderr
    found = json.loads(part.stdout)
    assert list(found["folds"]) == ["1"]
    done = run(*command, **shared)
    assert done.returncode == 0, done.stderr
    assert f"{found['folds']['1']['student']['acc']:.4f}" in done.stdout
    assert "mean" in done.stdout
    assert "not for clinical use" in " ".join(done.stdout.split())
    assert (tmp_path / "folds" / "fold-0" / "student" / "metrics.json").is_file()
