"""Run an experiment: teacher and ternary student, seed after seed (lesson 12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tinyternary.data import NAMES, Splits, load
from tinyternary.errors import ConfigError
from tinyternary.models import ViT
from tinyternary.quant import ternarize
from tinyternary.train.checkpoint import write_json
from tinyternary.train.distillation import distill
from tinyternary.train.experiment import Experiment, experiments, read_experiment
from tinyternary.train.fitting import fit
from tinyternary.train.pretraining import pretrain
from tinyternary.train.run import Run


@dataclass
class Results:
    """Test metrics of teacher and student by seed.

    Attributes
    ----------
    experiment, dataset : str
    seeds : list of dict
        Each has `seed`, `teacher` and `student` (their test metrics), and
        `seconds` of training in all.
    """

    experiment: str
    dataset: str
    seeds: list[dict[str, Any]] = field(default_factory=list)

    def values(self, who: str, metric: str) -> list[float]:
        """One metric of "teacher" or "student", seed by seed."""
        return [float(row[who][metric]) for row in self.seeds]

    def summary(self) -> dict[str, dict[str, dict[str, float]]]:
        """Mean and standard deviation (over seeds, n - 1) of ACC and AUC."""
        found: dict[str, dict[str, dict[str, float]]] = {}
        for who in ("teacher", "student"):
            found[who] = {}
            for metric in ("acc", "auc"):
                values = self.values(who, metric)
                deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
                found[who][metric] = {"mean": float(np.mean(values)), "std": deviation}
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "experiment": self.experiment, "dataset": self.dataset, "seeds": self.seeds,
            "summary": self.summary(),
        }  # fmt: skip

    def table(self) -> list[list[str]]:
        """Header, one row per seed, and the mean with its deviation."""
        head = ["seed", "teacher ACC", "teacher AUC", "student ACC", "student AUC", "minutes"]
        columns = [(who, metric) for who in ("teacher", "student") for metric in ("acc", "auc")]
        rows = [
            [str(row["seed"]), *(f"{row[who][metric]:.4f}" for who, metric in columns),
             f"{row['seconds'] / 60:.1f}"]
            for row in self.seeds
        ]  # fmt: skip
        summary = self.summary()
        means = [summary[who][metric] for who, metric in columns]
        minutes = float(np.mean([row["seconds"] for row in self.seeds])) / 60
        rows.append(
            ["mean", *(f"{m['mean']:.4f} ± {m['std']:.4f}" for m in means), f"{minutes:.1f}"]
        )
        return [head, *rows]


def run_experiment(
    experiment: Experiment,
    data: Splits,
    *,
    seed: int = 0,
    out: str | Path | None = None,
    progress: bool = True,
    test: bool = True,
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

    Returns
    -------
    (Run, Run)
        Teacher and student.
    """
    config = experiment.vit(data.image_size, data.channels, data.num_classes)
    teacher_recipe, student_recipe = experiment.recipes(len(data.train))

    def folder(part: str) -> Path | None:
        return Path(out) / part if out is not None else None

    teacher = ViT(config, seed=seed)
    pretraining = experiment.pretraining_for(len(data.train))
    if pretraining.epochs:
        pretrain(
            teacher, data, pretraining, run_dir=folder("pretraining"), seed=seed,
            progress=progress, label=f"{data.name} pretraining",
        )  # fmt: skip
    first = fit(
        teacher, data, teacher_recipe, run_dir=folder("teacher"), seed=seed, progress=progress,
        test=test, label=f"{data.name} teacher",
    )  # fmt: skip
    student = ternarize(ViT(config, seed=seed), experiment.policy)
    second = distill(
        student, first, data, student_recipe, run_dir=folder("student"), seed=seed,
        progress=progress, test=test, label=f"{data.name} student",
    )  # fmt: skip
    return first, second


def reproduce(
    name: str | Path,
    root: str | Path | None = None,
    seeds: Sequence[int] | None = None,
    *,
    out: str | Path | None = None,
    dataset: str | None = None,
    progress: bool = True,
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
        and stages that are there already are not run again.
    dataset : str, optional
        Data set for an experiment that names none.
    progress : bool

    Returns
    -------
    Results

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
    chosen = list(experiment.seeds if seeds is None else seeds)
    if not chosen:
        raise ConfigError("seeds: expected at least one")
    data = load(flag, root=root)
    results = Results(experiment.name, flag)
    for seed in chosen:
        folder = Path(out) / f"seed-{seed}" if out is not None else None
        teacher, student = run_experiment(
            experiment, data, seed=seed, out=folder, progress=progress
        )
        results.seeds.append(
            {
                "seed": seed,
                "teacher": teacher.metrics["test"],
                "student": student.metrics["test"],
                "seconds": teacher.seconds + student.seconds,
            }
        )
        if out is not None:
            write_json(Path(out) / "results.json", results.to_dict())
    return results
