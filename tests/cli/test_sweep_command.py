"""`tinyternary sweep`, and `--jobs` of the commands whose runs are independent."""

from __future__ import annotations

import json
import os

import pytest

from tests.cli.test_command_line import run
from tests.cli.test_experiments_command import ABLATION, EXPERIMENT
from tests.experiments.crumbs import RECIPE, weights, write_data, write_plan


def test_the_help_has_an_example() -> None:
    said = run("sweep", "--help").stdout
    assert "Example: tinyternary sweep" in said
    assert "--scheduler" in said


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--jobs", "2", "--scheduler", "local:2"), "give one of them"),
        (("--scheduler", "nowhere"), "expected local:N"),
        (("--search",), "no [search]"),
    ],
)
def test_what_cannot_be_is_one_line_and_status_2(tmp_path, options, says) -> None:
    write_plan(tmp_path)
    write_data(tmp_path / "data")
    done = run("sweep", "sweep.toml", "--root", "data", "--out", "out", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_sweep_end_to_end(tmp_path) -> None:
    write_data(tmp_path / "data")
    plan = write_plan(tmp_path, epochs=1, seeds=[0])
    wild = RECIPE.format(epochs=1).replace("[student]\n", "[student]\nlr = 1e30\nclip_norm = 0\n")
    (tmp_path / "wild.toml").write_text(wild)
    shared = {"cwd": tmp_path, "env": {**os.environ, "COLUMNS": "80"}}
    command = ("sweep", "sweep.toml", "--root", "data", "--out", "out", "--jobs", "2")
    done = run(*command, "--json", **shared)
    assert done.returncode == 0, done.stderr
    assert "2/2 runs" in done.stderr
    found = json.loads(done.stdout)
    assert (found["finished"], found["planned"], found["failed"]) == (2, 2, {})
    assert json.loads((tmp_path / "out" / "sweep.json").read_text()).items() >= found.items()

    plan.write_text(plan.read_text().replace("['crumbs.toml']", "['crumbs.toml', 'wild.toml']"))
    failed = run(*command, "--quiet", **shared)
    assert failed.returncode == 1
    assert "2 of 4 runs" in failed.stdout
    assert max(map(len, failed.stdout.splitlines())) <= 80
    errors = [line for line in failed.stderr.splitlines() if line.startswith("error: wild-")]
    assert len(errors) == 2


@pytest.mark.slow
def test_jobs_of_reproduce_crossvalidate_and_ablate_give_the_same_bits(tmp_path) -> None:
    (tmp_path / "crumbs.toml").write_text(EXPERIMENT)
    (tmp_path / "ablation.toml").write_text(ABLATION)
    teacher = ("--teacher", "reproduce-1/seed-0/teacher")
    for command, *given in (
        ("reproduce", "crumbs.toml"),
        ("crossvalidate", "crumbs.toml", "--folds", "2"),
        ("ablate", "ablation.toml", *teacher),
    ):
        printed = []
        for jobs in "12":
            out = f"{command}-{jobs}"
            # one thread in both: with more, BLAS adds up a bootstrap of ECE in another order
            options = ("--out", out, "--jobs", jobs, "--threads", "1", "--quiet", "--json")
            done = run(command, *given, *options, cwd=tmp_path)
            assert done.returncode == 0, done.stderr
            printed.append(without_times(json.loads(done.stdout)))
        assert printed[0] == printed[1]
        one, two = (weights(tmp_path / f"{command}-{jobs}") for jobs in "12")
        assert one == two
        assert bool(one) == (command != "ablate")


def without_times(found):
    if isinstance(found, dict):
        return {
            name: without_times(value) for name, value in found.items()
            if name not in ("seconds", "stages")
        }  # fmt: skip
    return [without_times(value) for value in found] if isinstance(found, list) else found
