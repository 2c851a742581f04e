"""Run a sweep: the arms of its plan, seed by seed, as independent jobs (lesson 12).

    OUT/sweep.json                              what was planned, and how far it is
    OUT/breastmnist-breastmnist-all-linear/     an arm: what `reproduce` leaves behind
        arm.json                                what it is: its experiment, MD5 of its data files
        seed-0/teacher, seed-0/student          run folders
        results.json

A run whose student is tested is finished, and is not run again; one that was stopped goes on from
its last state. Arms that differ in policy only share their teachers. What is planned is read by
`tinyternary.experiments.sweep_plan`, what a worker does with a run is in
`tinyternary.experiments.sweep_runs`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from tqdm import tqdm

from tinyternary import __version__
from tinyternary.brief import Brief
from tinyternary.data.medmnist.archives import data_root
from tinyternary.errors import CheckpointError, TinyTernaryError
from tinyternary.experiments.experiment import Experiment
from tinyternary.experiments.jobs import HERE, Job, check_place, run_jobs
from tinyternary.experiments.results import Results, write_results
from tinyternary.experiments.sweep_plan import Arm, Sweep, arms_of, read_sweep, sharing_teachers
from tinyternary.experiments.sweep_runs import (
    forget,
    is_finished,
    is_kept,
    place,
    token_of,
    train_run,
)
from tinyternary.files import one_at_a_time
from tinyternary.train._identity import differing_setting
from tinyternary.train.checkpoints import read_json, write_json

ARM = "arm.json"
"""What an arm is, in its folder."""


@dataclass(repr=False)
class SweepResults(Brief):
    """What a sweep has found so far.

    Attributes
    ----------
    name : str
    planned : int
        Runs in all.
    arms : dict of str to Results
        By the arm's name; those without a finished run are missing.
    failed : dict of str to str
        Runs that ended with an error (``arm/seed-N``), and which.
    """

    name: str
    planned: int
    arms: dict[str, Results] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def finished(self) -> int:
        """Runs that are done."""
        return sum(len(found.seeds) for found in self.arms.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types: metrics of each run by seed, and over seeds, by arm."""
        return {
            "sweep": self.name, "library": __version__, "planned": self.planned,
            "finished": self.finished, "failed": self.failed,
            "arms": {name: found.to_dict() for name, found in self.arms.items()},
        }  # fmt: skip


def sweep(
    plan: Sweep | str | Path,
    root: str | Path | None = None,
    *,
    out: str | Path,
    where: str = HERE,
    progress: bool = True,
) -> SweepResults:
    """Run what is not finished of a sweep.

    Parameters
    ----------
    plan : Sweep, str or path
        Or the name of one in the package, or a TOML file.
    root : path, optional
        Folder of the MedMNIST files.
    out : path
        Folder for the arms. The same call goes on from what is there.
    where : str
        "here", "processes:4", "local:4" or "tcp://host:8786": see
        `tinyternary.experiments.jobs.run_jobs`. The bits are the same everywhere.
    progress : bool

    Returns
    -------
    SweepResults
        Of all planned runs that are done in `out`, those of earlier calls too.

    Raises
    ------
    ConfigError
        If the plan cannot be run, or there is no such scheduler.
    DataFileError
        If a data file is missing.
    CheckpointError
        If `out` holds an arm of other settings, or another sweep is going on there.
    TrainingError
        If the scheduler is lost.
    """
    plan = plan if isinstance(plan, Sweep) else read_sweep(plan)
    check_place(where)
    arms = arms_of(plan)
    found = SweepResults(plan.name, sum(len(set(arm.seeds)) for arm in arms))
    out = Path(out)
    with alone(out) as token:
        found.failed = run_arms(arms, root, out, token, where, progress=progress)
        for arm in arms:
            if any(is_finished(out / arm.name / f"seed-{seed}") for seed in arm.seeds):
                results = write_results(out / arm.name, arm.recipe)
                results.seeds = [row for row in results.seeds if row["seed"] in arm.seeds]
                found.arms[arm.name] = results
        write_json(out / "sweep.json", {**found.to_dict(), "token": token})
    return found


@contextmanager
def alone(out: str | Path) -> Iterator[str]:
    """Keep a folder to one sweep at a time; gives the token by which workers know the folder."""
    folder = Path(out)
    busy = CheckpointError(f"{folder}: another sweep runs there; wait for its end")
    with one_at_a_time(folder, busy):
        token = token_of(folder) or secrets.token_hex(8)
        if not (folder / "sweep.json").is_file():
            write_json(folder / "sweep.json", {"token": token})
        yield token


def _runs(arms: Sequence[Arm]) -> list[tuple[Arm, int]]:
    """List all runs, policy by policy: the first trains the teachers that the others take over."""
    runs = [(arm, seed) for arm in arms for seed in dict.fromkeys(arm.seeds)]
    policies = list(dict.fromkeys(arm.experiment.policy for arm in arms))
    return sorted(runs, key=lambda run: policies.index(run[0].experiment.policy))


def run_arms(
    arms: Sequence[Arm],
    root: str | Path | None,
    out: Path,
    token: str,
    where: str,
    *,
    inside: str = "",
    test: bool = True,
    progress: bool = True,
) -> dict[str, str]:
    """Run what is not finished of some arms, in ``out/inside``; gives errors by run.

    Without `test`, test images are left alone.
    """
    folder = out / inside
    files = {arm.name: arm.files(root) for arm in arms}
    for arm in arms:
        _keep_or_refuse(folder / arm.name, arm, files[arm.name])
    runs, alike = _runs(arms), sharing_teachers(arms)
    todo = [
        Job(f"{inside}{arm.name}/seed-{seed}-{token}", train_run, {
            "arm": arm, "seed": seed, "folder": f"{inside}{arm.name}/seed-{seed}",
            "out": out.resolve(), "token": token, "test": test,
            "progress": progress and where == HERE,
            "files": {path.name: md5 for path, md5 in files[arm.name].items()},
            "root": data_root(root).resolve(),
            "alike": [f"{inside}{other}/seed-{seed}" for other in alike[arm.name]],
        }, is_kept)
        for arm, seed in runs
        if not is_finished(folder / arm.name / f"seed-{seed}", test)
    ]  # fmt: skip
    sent = sorted({path for each in files.values() for path in each})
    failed: dict[str, str] = {}
    bar: Any = tqdm(
        total=len(runs), initial=len(runs) - len(todo), unit="run", dynamic_ncols=True,
        disable=not progress or where == HERE, desc=inside.strip("/") or "sweep",
        bar_format="{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} runs "
        "[{elapsed}<{remaining}{postfix}]",
    )  # fmt: skip
    with bar:
        for job, outcome in run_jobs(todo, where, sent, partial(forget, token)):
            name = job.arguments["folder"].removeprefix(inside)
            if isinstance(outcome, TinyTernaryError):
                failed[name] = str(outcome)
            else:
                place(folder / name, outcome)
            bar.set_postfix_str(name, refresh=False)
            bar.update()
    return failed


def _keep_or_refuse(folder: Path, arm: Arm, files: Mapping[Path, str]) -> None:
    """Write down what an arm is, or see that the one that is there already is the same."""
    path = folder / ARM
    mine = {
        "experiment": _settings(arm.experiment), "change": dict(arm.change),
        "files": {path.name: md5 for path, md5 in files.items()},
    }  # fmt: skip
    if path.is_file():
        there = read_json(path)
        there.pop("parts", None)
        try:
            there["experiment"] = _settings(Experiment(**there["experiment"]))
        except (KeyError, TypeError, ValidationError) as error:
            kind = type(error).__name__
            raise CheckpointError(f"{path}: not an arm of a sweep ({kind})") from None
        other = differing_setting(there, mine)
        if other is not None:
            name, theirs, ours = other
            raise CheckpointError(
                f"{folder} is of another sweep: {name} was {theirs!r}, now {ours!r}; choose "
                "another folder"
            )
    parts = {
        "recipe": arm.recipe, "variant": arm.variant, "dataset": arm.dataset,
        "policy": arm.experiment.policy,
    }  # fmt: skip
    write_json(path, {"parts": parts, **mine})


def _settings(experiment: Experiment) -> dict[str, Any]:
    return experiment.model_dump(mode="json", exclude={"seeds"})
