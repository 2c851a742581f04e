"""Run an experiment: teacher and ternary student, seed after seed (lesson 12)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinyternary.data import NAMES, Dataset, Splits, load
from tinyternary.errors import CheckpointError, ConfigError
from tinyternary.experiments.experiment import Experiment, experiments, read_experiment
from tinyternary.experiments.jobs import Job, run_together
from tinyternary.experiments.results import (
    Results,
    resolved,
    seed_folders,
    seed_row,
    write_results,
)
from tinyternary.models import ViT
from tinyternary.quant import ternarize
from tinyternary.train._identity import current_settings, differing_setting, image_checksums
from tinyternary.train.checkpoints import read_json
from tinyternary.train.distill import distill
from tinyternary.train.fit import fit
from tinyternary.train.pretrain import pretrain
from tinyternary.train.run import Run


def run_experiment(
    experiment: Experiment,
    data: Splits,
    *,
    seed: int = 0,
    out: str | Path | None = None,
    progress: bool = True,
    test: bool = True,
    more: Sequence[Dataset] = (),
    label: str = "",
) -> tuple[Run, Run]:
    """Train an experiment's teacher, then distil its student.

    Parameters
    ----------
    experiment : Experiment
    data : Splits
    seed : int
        Of weights, batches and augmentation.
    out : path, optional
        Folder for the run folders `pretraining`, `teacher` and `student`; what is in
        them already is not run again.
    progress : bool
    test : bool
        False leaves the test images alone.
    more : sequence of Dataset
        Images for pretraining besides, see `pretrain`.
    label : str
        Text beside the progress bars; by default the data set and the seed.

    Returns
    -------
    (Run, Run)
        Teacher and student.
    """
    runs = _run_stages(experiment, data, seed, out, progress, test, more, label)
    return runs["teacher"], runs["student"]


def _run_stages(
    experiment: Experiment,
    data: Splits,
    seed: int,
    out: str | Path | None,
    progress: bool,
    test: bool = True,
    more: Sequence[Dataset] = (),
    label: str = "",
) -> dict[str, Run]:
    """Run an experiment's stages; gives the run of each, by name."""
    label = label or f"{data.name} seed {seed}"
    experiment = experiment.for_images(len(data.train))
    config = experiment.vit(data.image_size, data.channels, data.num_classes)
    teacher_recipe, student_recipe = experiment.recipes(len(data.train))

    def folder(part: str) -> Path | None:
        return Path(out) / part if out is not None else None

    runs: dict[str, Run] = {}
    teacher = ViT(config, seed=seed)
    pretraining = experiment.pretraining_for(len(data.train))
    if pretraining.epochs:
        runs["pretraining"] = pretrain(
            teacher, data, pretraining, run_dir=folder("pretraining"), seed=seed,
            progress=progress, more=more, label=f"{label} pretraining",
        )  # fmt: skip
    runs["teacher"] = fit(
        teacher, data, teacher_recipe, run_dir=folder("teacher"), seed=seed, progress=progress,
        test=test, label=f"{label} teacher",
    )  # fmt: skip
    student = ternarize(ViT(config, seed=seed), experiment.policy)
    runs["student"] = distill(
        student, runs["teacher"], data, student_recipe, run_dir=folder("student"), seed=seed,
        progress=progress, test=test, label=f"{label} student",
    )  # fmt: skip
    return runs


def _refuse_another(out: Path, experiment: Experiment, data: Splits) -> None:
    """Refuse to add seeds to another experiment's folder, before hours are spent on them."""
    config = experiment.vit(data.image_size, data.channels, data.num_classes)
    recipes = dict(zip(("teacher", "student"), experiment.recipes(len(data.train))))
    images = image_checksums(data)
    for seed, folder in seed_folders(out).items():
        for who, recipe in recipes.items():
            path = folder / who / "config.json"
            if not path.is_file():
                continue
            there = resolved({who: read_json(path)})[who]
            train = data.train
            choices = recipe.resolved(train.channels, train.mirror_safe, len(train)).to_dict()
            mine = current_settings(
                {"dataset": data.name, "model": config.to_dict(), "recipe": choices, **images}
            )
            shared = {name: there[name] for name in mine if name in there}
            other = differing_setting(shared, mine)
            if other is not None:
                name, theirs, ours = other
                raise CheckpointError(
                    f"{out}: seed-{seed}/{who} is of another experiment: {name} was {theirs!r}, "
                    f"now {ours!r}; choose another folder"
                )


def find_experiment(name: str | Path, dataset: str | None = None) -> tuple[Experiment, str]:
    """Give the experiment that a name means, and the name of its data set.

    Parameters
    ----------
    name : str or path
        An experiment of the package, a data set without one of its own (it gets
        "default"), or a TOML file.
    dataset : str, optional
        Data set for an experiment that names none.

    Raises
    ------
    ConfigError
        If there is no such experiment or data set.
    """
    if Path(name).suffix != ".toml" and name not in experiments() and name in NAMES:
        experiment, dataset = read_experiment("default"), str(name)
    else:
        experiment = read_experiment(name)
    flag = dataset or experiment.dataset
    if not flag:
        raise ConfigError(f"experiment {experiment.name!r} is for any data set: name one")
    return experiment, flag


def images_besides(experiment: Experiment, flag: str, root: str | Path | None) -> list[Dataset]:
    """Load the training images of the other data sets that an experiment's pretraining names."""
    return [load(name, root=root).train for name in experiment.pretraining.datasets if name != flag]


def reproduce(
    name: str | Path,
    root: str | Path | None = None,
    seeds: Sequence[int] | None = None,
    *,
    out: str | Path | None = None,
    dataset: str | None = None,
    progress: bool = True,
    jobs: int = 1,
) -> Results:
    """Run an experiment of the package again.

    Parameters
    ----------
    name : str or path
        A data set with an experiment of its own ("breastmnist"), any other data
        set (it gets the experiment "default"), or a TOML file.
    root : path, optional
        Folder of the MedMNIST files.
    seeds : sequence of int, optional
        By default the experiment's own.
    out : path, optional
        Folder for run folders (``seed-0/teacher``, ...) and `results.json`. Seeds
        and stages that are there already are not run again. Several processes may
        run different seeds into one folder at the same time.
    dataset : str, optional
        Data set for an experiment that names none.
    progress : bool
    jobs : int
        Seeds at a time, each in a process of its own with one thread; more than one need
        `out`. The bits are the same.

    Returns
    -------
    Results
        Of all seeds that are done in `out`, those of earlier calls too; without
        `out`, of the seeds that were run.

    Raises
    ------
    ConfigError
        If there is no such experiment or data set.
    CheckpointError
        If `out` holds another experiment.
    """
    experiment, flag = find_experiment(name, dataset)
    chosen = list(experiment.seeds if seeds is None else seeds)
    if not chosen:
        raise ConfigError("seeds: expected at least one")
    if min(chosen) < 0:
        raise ConfigError(f"seeds: expected integers of at least 0, got {min(chosen)}")
    data = load(flag, root=root)
    experiment = experiment.for_images(len(data.train))
    if out is not None:
        _refuse_another(Path(out), experiment, data)
    if jobs > 1:
        if out is None:
            raise ConfigError("jobs: several processes need a folder for their runs: give out")
        each = {"name": name, "root": root, "out": out, "dataset": dataset, "progress": False}
        seeds_apart = [
            Job(f"seed {seed}", reproduce, {**each, "seeds": [seed]})
            for seed in dict.fromkeys(chosen)
        ]
        run_together(seeds_apart, jobs, progress)
        return write_results(out, experiment.name)
    more = images_besides(experiment, flag, root)
    results = Results(experiment.name, flag)
    for seed in dict.fromkeys(chosen):
        folder = Path(out) / f"seed-{seed}" if out is not None else None
        runs = _run_stages(experiment, data, seed, folder, progress, more=more)
        if out is not None:
            results = write_results(out, experiment.name)
            continue
        results.seeds.append(seed_row(seed, runs))
        if not results.config:
            results.config = resolved({stage: run.config for stage, run in runs.items()})
            student = runs["student"]
            results.class_names, results.task = list(student.class_names), student.task.value
    return results
