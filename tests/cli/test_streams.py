"""Where the command line writes may be closed, full, or of few characters: one line, a status."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from tests.cli.test_command_line import run
from tests.deploy.small_models import make_model
from tests.train.small import dataset, model
from tinyternary.data import Splits
from tinyternary.data.dataset import Split
from tinyternary.deploy import pack
from tinyternary.train import fit

NAMES = ("[/x]", "[bold]b", "naïve \N{SNOWMAN}", "\x1b[2J", "=1+1", "@SUM(A1)", ":smile:", "\udcff")
"""Names of files and folders that are markup, codes, formulas, or no UTF-8."""


def shell(line: str, **options) -> subprocess.CompletedProcess[str]:
    command = line.replace("tinyternary", f"{sys.executable} -m tinyternary")
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, **options)


@pytest.mark.parametrize("command", ["cost tiny", "cost tiny --json", "--help", "cost --help"])
@pytest.mark.parametrize("closed", [">&-", ">/dev/full"])
def test_an_output_that_takes_nothing_is_one_line(command, closed):
    done = shell(f"tinyternary {command} {closed}")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert "output: " in lines[0]


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full"])
def test_errors_that_nobody_can_read_leave_the_status(closed):
    done = shell(f"tinyternary cost nonsense {closed}")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")
    done = shell(f"tinyternary cost tiny --json {closed}")
    assert done.returncode == 0
    assert done.stdout.startswith("{")


def test_a_reader_that_goes_away_is_no_news():
    done = shell("{ tinyternary cost tiny --layers; echo status $? >&2; } | head -n 1")
    assert done.stderr in ("status 0\n", "status 1\n")


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A model, and a folder of images with names that mean something elsewhere."""
    folder = tmp_path_factory.mktemp("odd")
    names = ["$\\frac$", "\x1b[31mred[/]", "=cmd|' /C calc'!A0"]
    small = make_model(image_size=8, width=16, depth=1, heads=1, mlp_width=16)
    pack(small, class_names=names).save(folder / "m.safetensors")
    for i, name in enumerate(NAMES):
        path = folder / "images" / f"{name}.png"
        os.makedirs(path.parent, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 20 * i, np.uint8)).save(path, "PNG")
    return folder


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_names_are_text_and_no_answer_is_lost(odd, form, encoding):
    done = subprocess.run(
        [sys.executable, "-m", "tinyternary", "predict", "m.safetensors", "images", "--format",
         form], capture_output=True, cwd=odd,
        env={**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "300"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"error" not in done.stderr
    shown = done.stdout.decode(encoding)
    assert shown.count(".png") == len(NAMES)
    assert "\x1b" not in shown
    assert "[/x]" in shown
    assert ":smile:" in shown


def test_no_cell_of_a_csv_is_a_formula(odd):
    names = [f"{name}.png" for name in NAMES]
    done = run("predict", "../m.safetensors", *names, "--format", "csv", cwd=odd / "images")
    assert done.returncode == 0, done.stderr
    rows = list(csv.reader(io.StringIO(done.stdout)))
    assert len(rows) == len(NAMES) + 1
    assert not any(
        cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row
    )
    assert rows[1 + NAMES.index("=1+1")][0] == "'=1+1.png"


def write_breastmnist(folder):
    arrays = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = np.zeros((8, 28, 28), np.uint8)
        arrays[f"{split}_labels"] = np.arange(8, dtype=np.uint8)[:, None] % 2
    np.savez(folder / "breastmnist.npz", **arrays)


def test_a_warning_is_one_line_and_comes_once(tmp_path):
    write_breastmnist(tmp_path)
    done = run("train", "--data", "breastmnist", "--root", ".", "--out", "[/x]", "--epochs", "1", "--set", "batch_size=4",
               "--quiet", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert all(line.startswith("warning: breastmnist.npz: MD5") for line in lines), done.stderr
    assert len(set(lines)) == len(lines)
    assert "[/x]: test" in done.stdout


@pytest.mark.parametrize("command", ["cost", "pack", "train"])
def test_a_disk_that_takes_no_more_is_one_line(command, tmp_path):
    """`ulimit -f` counts blocks of 512 bytes: a larger file ends in an OSError as on a full disk."""
    line = {
        "cost": "cost tiny --out here",
        "pack": "pack run --out here.safetensors",
        "train": "train --out here --data breastmnist --root . --epochs 1 --set batch_size=4",
    }[command]
    if command == "pack":
        small = Splits(*(dataset(16, split=split) for split in get_args(Split)))
        fit(model(), small, epochs=1, batch_size=8, run_dir=tmp_path / "run", progress=False)
    write_breastmnist(tmp_path)
    done = shell(f"ulimit -f 4; tinyternary {line}", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: here")
    assert last.endswith("cannot be written: File too large")
    assert "Traceback" not in done.stderr
