"""A sweep: recipes x sets x policies x seeds of one TOML file, as independent jobs (lesson 12).

    OUT/sweep.json                              what was planned, and how far it is
    OUT/breastmnist-breastmnist-all-linear/     an arm: what `reproduce` leaves behind
        arm.json                                its experiment, and the MD5 of its data files
        seed-0/teacher, seed-0/student          run folders
        results.json

A run whose student is tested is finished, and is not run again; one that was stopped goes on from
its last state. Arms that differ in policy only share their teachers. What a worker does with a run
is in `tinyternary.experiments.sweep_runs`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tqdm import tqdm

from tinyternary import __version__
from tinyternary.config import POLICIES
from tinyternary.data import NAMES
from tinyternary.data.medmnist.archives import data_file, data_root, md5_of
from tinyternary.data.medmnist.catalog import flag_and_size
from tinyternary.errors import CheckpointError, ConfigError, TinyTernaryError, unknown_name
from tinyternary.experiments.experiment import Experiment, read_experiment
from tinyternary.experiments.jobs import HERE, Job, check_place, run_jobs
from tinyternary.experiments.packaged import read_packaged
from tinyternary.experiments.reproduction import find_experiment
from tinyternary.experiments.results import Results, write_results
from tinyternary.experiments.search_space import Search
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
from tinyternary.train.recipe import one_line


class Sweep(BaseModel):
    """What to run: all combinations of four lists.

    Attributes
    ----------
    name : str
    recipes : list of str
        Experiments of the package, or TOML files beside this one.
    datasets : list of str
        By default each recipe's own.
    policies : list of str
        By default each recipe's own.
    seeds : list of int
        By default each recipe's own.
    change : dict
        Fields of `Experiment` to change in every run, also where there are few images.
    search : Search, optional
        For ``--search``: what to try, in place of running each combination once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    recipes: list[str] = Field(default=["default"], min_length=1)
    datasets: list[str] = []
    policies: list[str] = []
    seeds: list[Annotated[int, Field(ge=0)]] = []
    change: dict[str, Any] = {}
    search: Search | None = None


def read_sweep(path: str | Path) -> Sweep:
    """Read a sweep's TOML file.

    Raises
    ------
    ConfigError
        If it cannot be read, or a field in it is wrong.
    """
    path = Path(path)
    if path.suffix != ".toml":
        raise ConfigError(f"sweep: expected a TOML file, got {str(path)!r}")
    fields, source = read_packaged(path, "recipes", "sweep")
    try:
        plan = Sweep(**fields)
    except ValidationError as error:
        raise ConfigError(one_line(error, source)) from None
    beside = [str(path.parent / name) if name.endswith(".toml") else name for name in plan.recipes]
    return plan.model_copy(update={"recipes": beside})


@dataclass(frozen=True)
class Arm:
    """One combination of recipe, data set and policy, run with several seeds.

    Attributes
    ----------
    name : str
        Of its folder: ``recipe-dataset-policy``.
    recipe, dataset : str
    experiment : Experiment
        With the arm's policy.
    change : dict
        Fields to change once it is known how many images there are.
    seeds : list of int
    """

    name: str
    recipe: str
    dataset: str
    experiment: Experiment
    change: Mapping[str, Any]
    seeds: Sequence[int]

    def files(self, root: str | Path | None) -> dict[Path, str]:
        """Find the data files, and give their MD5 sums.

        Raises
        ------
        DataFileError
            If one is missing.
        """
        names = {self.dataset, *self.for_images(0).pretraining.datasets}
        paths = [data_file(name, root) for name in sorted(names - {"phantoms"})]
        return {path: md5_of(path) for path in paths}

    def for_images(self, train_images: int) -> Experiment:
        """Give the experiment that is run with so many training images."""
        return self.experiment.for_images(train_images).changed(self.change)


def arms_of(plan: Sweep, change: Mapping[str, Any] | None = None) -> list[Arm]:
    """List the arms of a sweep.

    Parameters
    ----------
    plan : Sweep
    change : mapping, optional
        Takes the place of the plan's own.

    Raises
    ------
    ConfigError
        If a recipe, data set, policy or field does not exist, or two arms are one.
    """
    change = plan.change if change is None else change
    for policy in plan.policies:
        if policy not in POLICIES:
            raise unknown_name("policy", policy, POLICIES)
    found: dict[str, Arm] = {}
    for recipe, dataset, policy in product(
        plan.recipes, plan.datasets or [""], plan.policies or [""]
    ):
        experiment, flag = _experiment(recipe, dataset)
        experiment = experiment.changed({"policy": policy or experiment.policy})
        short = Path(recipe).name.removesuffix(".toml")
        name = f"{short}-{flag}-{experiment.policy}"
        if not re.fullmatch(r"\w[\w.-]*", name, re.ASCII):
            raise ConfigError(
                f"recipe {recipe!r}: a folder is named after it; expected letters, digits, _ and -"
            )
        if name in found:
            raise ConfigError(f"two recipes, data sets and policies are one: {name}")
        arm = Arm(name, short, flag, experiment, change, plan.seeds or experiment.seeds)
        for images in (0, 10**9):  # what is wrong is said before anything is run
            arm.for_images(images)
        found[name] = arm
    return list(found.values())


def _experiment(recipe: str, dataset: str) -> tuple[Experiment, str]:
    if not dataset:
        return find_experiment(recipe)
    if dataset not in NAMES:
        flag_and_size(dataset)  # one of another size, or an error that says what there is
    return read_experiment(recipe), dataset


@dataclass
class SweepResults:
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
    plan : Sweep or path
        Or its TOML file.
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


def sharing_teachers(arms: Sequence[Arm]) -> dict[str, list[str]]:
    """Name for each arm those that differ from it in their policy only."""
    teachers = {
        arm.name: (arm.experiment.changed({"policy": ""}), arm.change, arm.dataset) for arm in arms
    }
    return {
        name: [other for other in teachers if other != name and teachers[other] == teacher]
        for name, teacher in teachers.items()
    }


def _keep_or_refuse(folder: Path, arm: Arm, files: Mapping[Path, str]) -> None:
    """Write down what an arm is, or see that the one that is there already is the same."""
    path = folder / "arm.json"
    mine = {
        "experiment": _settings(arm.experiment), "change": dict(arm.change),
        "files": {path.name: md5 for path, md5 in files.items()},
    }  # fmt: skip
    if not path.is_file():
        write_json(path, mine)
        return
    there = read_json(path)
    try:
        there["experiment"] = _settings(Experiment(**there["experiment"]))
    except (KeyError, TypeError, ValidationError) as error:
        raise CheckpointError(f"{path}: not an arm of a sweep ({type(error).__name__})") from None
    other = differing_setting(there, mine)
    if other is not None:
        name, theirs, ours = other
        raise CheckpointError(
            f"{folder} is of another sweep: {name} was {theirs!r}, now {ours!r}; choose another "
            "folder"
        )


def _settings(experiment: Experiment) -> dict[str, Any]:
    return experiment.model_dump(mode="json", exclude={"seeds"})
