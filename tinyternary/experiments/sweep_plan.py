"""What a sweep is to run, from a TOML file: all combinations of five lists (lesson 12).

Recipes, variants, data sets, policies and seeds. Each combination but for the seed is an *arm*. The
files in `sweeps/` are part of the package.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tinyternary.config import POLICIES
from tinyternary.data import NAMES
from tinyternary.data.medmnist.archives import data_file, md5_of
from tinyternary.data.medmnist.catalog import flag_and_size
from tinyternary.errors import ConfigError, unknown_name
from tinyternary.experiments.experiment import Experiment, read_experiment
from tinyternary.experiments.packaged import packaged, read_packaged
from tinyternary.experiments.reproduction import find_experiment
from tinyternary.experiments.search_space import Search
from tinyternary.train.recipe import one_line


class Sweep(BaseModel):
    """What to run: all combinations of five lists.

    Attributes
    ----------
    name : str
    recipes : list of str
        Experiments of the package, or TOML files beside this one.
    variants : dict of str to dict
        By name: fields of `Experiment` that are different in it. Without any, recipes are run
        as they are.
    datasets : list of str
        By default each recipe's own.
    policies : list of str
        By default each recipe's own.
    seeds : list of int
        By default each recipe's own.
    change : dict
        Fields of `Experiment` to change in every run, also where there are few images.
    by_recipe : dict of str to dict
        By the name of a recipe: fields to change in its runs only. What a variant says counts
        for more, and what `change` says for less.
    search : Search, optional
        For ``--search``: what to try, in place of running each combination once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    recipes: list[str] = Field(default=["default"], min_length=1)
    variants: dict[str, dict[str, Any]] = {}
    datasets: list[str] = []
    policies: list[str] = []
    seeds: list[Annotated[int, Field(ge=0)]] = []
    change: dict[str, Any] = {}
    by_recipe: dict[str, dict[str, Any]] = {}
    search: Search | None = None


def sweeps() -> list[str]:
    """Names of the sweeps in the package."""
    return packaged("sweeps")


def read_sweep(name: str | Path) -> Sweep:
    """Read a sweep of the package by name, or any TOML file by path.

    Raises
    ------
    ConfigError
        If there is no such sweep, or a field in it is wrong.
    """
    fields, source = read_packaged(name, "sweeps", "sweep")
    try:
        plan = Sweep(**fields)
    except ValidationError as error:
        raise ConfigError(one_line(error, source)) from None
    folder = Path(name).parent
    beside = [str(folder / each) if each.endswith(".toml") else each for each in plan.recipes]
    return plan.model_copy(update={"recipes": beside})


@dataclass(frozen=True)
class Arm:
    """One combination of recipe, variant, data set and policy, run with several seeds.

    Attributes
    ----------
    name : str
        Of its folder: ``recipe-dataset-policy``, or ``recipe-variant-dataset-policy``.
    recipe, variant, dataset : str
    experiment : Experiment
        With the arm's policy.
    change : dict
        Fields to change once it is known how many images there are.
    seeds : list of int
    """

    name: str
    recipe: str
    variant: str
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
    shorts = [_short(recipe) for recipe in plan.recipes]
    for name in plan.by_recipe:
        if name not in shorts:
            raise unknown_name("recipe", name, shorts)
    found: dict[str, Arm] = {}
    for recipe, variant, dataset, policy in product(
        plan.recipes, plan.variants or [""], plan.datasets or [""], plan.policies or [""]
    ):
        experiment, flag = _experiment(recipe, dataset)
        experiment = experiment.changed({"policy": policy or experiment.policy})
        short = _short(recipe)
        parts = (short, variant, flag, experiment.policy)
        name = "-".join(part for part in parts if part)
        if not re.fullmatch(r"\w[\w.-]*", name, re.ASCII):
            raise ConfigError(
                f"recipe {recipe!r}, variant {variant!r}: a folder is named after them; expected "
                "letters, digits, _ and -"
            )
        if name in found:
            raise ConfigError(f"two recipes, variants, data sets and policies are one: {name}")
        changes = merged(change, plan.by_recipe.get(short, {}), plan.variants.get(variant, {}))
        seeds = plan.seeds or experiment.seeds
        arm = Arm(name, short, variant, flag, experiment, changes, seeds)
        for images in (0, 10**9):  # what is wrong is said before anything is run
            arm.for_images(images)
        found[name] = arm
    return list(found.values())


def _short(recipe: str) -> str:
    return Path(recipe).name.removesuffix(".toml")


def merged(*tables: Mapping[str, Any]) -> dict[str, Any]:
    """Put tables of fields on top of each other, table by table where both have one.

    Examples
    --------
    >>> merged({"teacher": {"epochs": 2, "lr": 1e-3}}, {"teacher": {"epochs": 5}})
    {'teacher': {'epochs': 5, 'lr': 0.001}}
    """
    found: dict[str, Any] = {}
    for table in tables:
        for name, value in table.items():
            there = found.get(name)
            if isinstance(there, Mapping) and isinstance(value, Mapping):
                value = merged(there, value)
            found[name] = value
    return found


def _experiment(recipe: str, dataset: str) -> tuple[Experiment, str]:
    if not dataset:
        return find_experiment(recipe)
    if dataset not in NAMES:
        flag_and_size(dataset)  # one of another size, or an error that says what there is
    return read_experiment(recipe), dataset


def sharing_teachers(arms: Sequence[Arm]) -> dict[str, list[str]]:
    """Name for each arm those that differ from it in their policy only."""
    teachers = {
        arm.name: (arm.experiment.changed({"policy": ""}), arm.change, arm.dataset) for arm in arms
    }
    return {
        name: [other for other in teachers if other != name and teachers[other] == teacher]
        for name, teacher in teachers.items()
    }
