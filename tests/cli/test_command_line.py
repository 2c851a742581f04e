"""The command line as a user meets it: every failure is one line with the right status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from rich.text import Text

from tests.cli.drawn import COMMANDS as EVERY_COMMAND
from tests.patience import PATIENCE
from tinyternary.cli.app import PANELS


def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tinyternary", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        **options,
    )


COMMANDS = (
    "demo", "train", "distill", "evaluate", "reproduce", "crossvalidate", "ablate", "collect",
    "pack", "inspect", "predict", "export", "report", "sweep", "cost", "bench", "lessons", "grade",
    "warmup",
)  # fmt: skip


def test_help_lists_every_command_and_says_where_to_start() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "tinyternary demo" in done.stdout
    assert "not for clinical use" in done.stdout
    for command in COMMANDS:
        assert command in done.stdout
    shown = [command for panel in PANELS.values() for command in panel]
    assert sorted(shown) == sorted(set(COMMANDS))  # each is in one panel
    places = [done.stdout.index(f"─ {panel} ─") for panel in PANELS]
    assert places == sorted(places)


def test_a_slip_of_the_finger_is_one_sentence_after_the_other() -> None:
    done = run("trian")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("Did you mean 'train'? See `tinyternary --help`.\n")


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in ("bench", "lessons")])
def test_help_of_each_command_has_an_example(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert f"Example: tinyternary {command}" in " ".join(done.stdout.split())


@pytest.mark.parametrize(("path", "command"), EVERY_COMMAND)
def test_help_keeps_what_stands_in_brackets(path: str, command: Any) -> None:
    told = [command.help, command.epilog, *(option.help for option in command.params)]
    for text in filter(None, told):  # "tinyternary[peers]" is markup, unless it says otherwise
        assert Text.from_markup(text).plain == text.replace("\\[", "["), path


@pytest.mark.parametrize(
    ("arguments", "status", "names"),
    [
        (["nonsense"], 2, "nonsense"),
        (["cost"], 2, "network"),
        (["cost", "bitmedvitt"], 2, "Did you mean 'bitmedvit'"),
        (["cost", "tiny", "--device", "jetson"], 2, "jetson-orin-nano"),
        (["cost", "tiny", "--policy", "all-linnear"], 2, "all-linear"),
        (["cost", "tiny", "--batch", "0"], 2, "--batch"),
        (["demo", "--data", "breastmist"], 2, "breastmnist"),
        (["evaluate", "no-such-run-folder"], 1, "no-such-run-folder"),
        (["pack", "no-such-run-folder"], 1, "no-such-run-folder"),
        (["inspect", "no-such-file.safetensors"], 1, "no-such-file.safetensors"),
        (["export", "no-such-file.safetensors", "--c", "x"], 1, "no-such-file.safetensors"),
        (["export", "no-such-file.safetensors"], 2, "--c DIR"),
        (["predict", "no-such-file.safetensors", "x.png"], 1, "no-such-file.safetensors"),
        (["grade", "no-such-notebook.ipynb"], 2, "no-such-notebook.ipynb"),
        (["train", "--out", "x", "--set", "epochz=3"], 2, "epochs"),
        (["train", "--out", "x", "--set", "epochs"], 2, "name=value"),
        (["train", "--out", "x", "--set", "optimizer.lrr=3"], 2, "Did you mean 'lr'"),
        (["train", "--out", "x", "--set", "a b=3"], 2, "name=value"),
        (["reproduce", "breastmist", "--out", "x"], 2, "breastmnist"),
        (["reproduce", "breastmnist", "--out", "x", "--seeds", "a,b"], 2, "--seeds"),
        (["reproduce", "breastmnist", "--out", "x", "--seeds=-1"], 2, "at least 0"),
        (["reproduce", "breastmnist", "--out", "x", "--root", "none"], 1, "breastmnist.npz"),
        (["reproduce", "default", "--out", "x"], 2, "name one"),
        (["crossvalidate", "breastmist", "--out", "x"], 2, "breastmnist"),
        (["crossvalidate", "demo", "--out", "x", "--folds", "1"], 2, "2 to"),
        (["crossvalidate", "demo", "--out", "x", "--only", "4"], 2, "some of 0 to 3"),
        (["crossvalidate", "demo", "--out", "x", "--only", "a"], 2, "--only"),
        (["ablate", "pneumonia", "--teacher", "t", "--out", "x"], 2, "pneumoniamnist"),
        (["ablate", "pneumoniamnist", "--teacher", "no-run", "--out", "x"], 1, "no-run"),
        (["ablate", "pneumoniamnist", "--teacher", "t", "--out", "x", "--cells", "4"], 2, "0:40"),
        (["report", "no-such-run", "--out", "x.html"], 1, "no-such-run"),
        (["report", "no-such.safetensors", "--data", "breastmist"], 1, "no-such.safetensors"),
        (["collect", "no-such-folder", "--out", "x.json"], 1, "no-such-folder"),
    ],
)
def test_a_failure_is_one_line_that_names_the_cause(arguments, status, names, tmp_path) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert names in lines[0]


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(tmp_path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    done = run("demo", "--out", str(blocker / "demo"))
    assert done.returncode == 2
    assert str(blocker) in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("damage", ["missing", "truncated", "not-a-zip"])
def test_a_bad_data_file_is_named_and_nothing_is_written(damage, tmp_path) -> None:
    file = tmp_path / "breastmnist.npz"
    if damage == "truncated":
        file.write_bytes(b"PK\x03\x04" + bytes(100))
    elif damage == "not-a-zip":
        file.write_text("hello")
    done = run(
        "demo", "--data", "breastmnist", "--root", str(tmp_path), "--out", str(tmp_path / "o")
    )
    assert done.returncode == 1, done.stderr
    assert "breastmnist.npz" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list((tmp_path / "o").glob("*"))


def test_json_is_all_that_reaches_standard_output() -> None:
    done = run("cost", "tiny", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["network"] == "tiny"


def test_what_fits_a_microcontroller_is_told_in_eighty_columns():
    options = ("micro", "--flash", "100000", "--ram", "32768")
    rows = json.loads(run("cost", *options, "--json").stdout)["as_c"]
    printed = run("cost", *options, env={**os.environ, "COLUMNS": "80"}).stdout
    assert max(map(len, printed.splitlines())) <= 80
    table = printed.partition("As C in")[2]
    for row in rows:
        line = next(each for each in table.splitlines() if row["policy"] in each.split()[:1])
        assert f"{row['flash_bytes']:,}" in line
        assert f"{row['ram_bytes']:,}" in line
        assert line.split()[-1] == ("yes" if row["fits"] else "no")
