"""Cross-validation: choose between recipes where validation images are too few (lesson 11).

Training and validation images together are dealt into parts; each part is judged by networks
that were trained on the others. The official test images are never read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import Task
from tinyternary.data import Dataset, Splits, load
from tinyternary.errors import ConfigError
from tinyternary.experiments.experiment import Experiment
from tinyternary.experiments.jobs import Job, run_together
from tinyternary.experiments.reproduction import find_experiment, images_besides, run_experiment

WHO = ("teacher", "student")
METRICS = ("acc", "auc", "balanced_accuracy")


def deal(labels: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """Say which part each image belongs to, with the classes alike in all parts.

    Parameters
    ----------
    labels : (N,) or (N, L) int
        Rows of labels that are equal count as one class.
    folds : int
    seed : int

    Returns
    -------
    (N,) int64
        From 0 to folds - 1; the sizes of a class's parts differ by at most 1.
    """
    _, kind = np.unique(labels.reshape(len(labels), -1), axis=0, return_inverse=True)
    rng = np.random.default_rng(seed)
    part = np.empty(len(labels), np.int64)
    dealt = 0  # go on where the last class ended, so that rare classes do not pile up in part 0
    for each in np.unique(kind):
        members = rng.permutation(np.flatnonzero(kind.reshape(-1) == each))
        part[members] = (dealt + np.arange(len(members))) % folds
        dealt += len(members)
    return part


def fold_splits(data: Splits, folds: int, seed: int = 0) -> list[Splits]:
    """Deal training and validation images into parts, each the test images of one split.

    Raises
    ------
    ConfigError
        If there are fewer than two folds, or more than images.
    """
    images = np.concatenate([data.train.images, data.val.images])
    labels = np.concatenate([data.train.labels, data.val.labels])
    if not 2 <= folds <= len(images):
        raise ConfigError(f"folds: expected 2 to {len(images)} (images), got {folds}")
    part = deal(labels, folds, seed)

    def chosen(like: Dataset, mask: NDArray[np.bool_]) -> Dataset:
        return replace(like, images=images[mask], labels=labels[mask])

    nobody = data.val.subset(np.arange(0))
    return [
        Splits(chosen(data.train, part != k), nobody, chosen(data.test, part == k))
        for k in range(folds)
    ]


def cross_validate(
    experiment: str | Path | Experiment,
    root: str | Path | None = None,
    folds: int = 4,
    *,
    data: Splits | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    chosen: Sequence[int] | None = None,
    progress: bool = True,
    jobs: int = 1,
) -> dict[str, Any]:
    """Judge an experiment's teacher and student by cross-validation.

    Parameters
    ----------
    experiment : str, path or Experiment
        As `reproduce` takes it.
    root : path, optional
        Folder of the MedMNIST files.
    folds : int
    data : Splits, optional
        The images, if they are loaded already.
    out : path, optional
        Folder for run folders (``fold-0/teacher``, ...); what is there is not run again.
    seed : int
        Of the deal and of the training.
    chosen : sequence of int, optional
        Only these folds, for several processes; by default all.
    progress : bool
    jobs : int
        Folds at a time, each in a process of its own with one thread.

    Returns
    -------
    dict
        ``folds``: fold to "teacher" and "student", each with ``images``, ``acc``, ``auc`` and
        ``balanced_accuracy``; ``mean``: of each over these folds. Folds share most of their
        training images, so their spread is no interval of the mean (Bengio and Grandvalet,
        JMLR 2004).

    Raises
    ------
    ConfigError
        If there is no such experiment, data set or fold.
    CheckpointError
        If `out` holds another experiment.
    """
    if isinstance(experiment, Experiment):
        plan, flag = experiment, experiment.dataset
    else:
        plan, flag = find_experiment(experiment)
    given, data = data, load(flag, root=root) if data is None else data
    splits = fold_splits(data, folds, seed)
    plan = plan.for_images(len(splits[0].train))  # few images may want other ones besides
    more = images_besides(plan, flag, root)
    wanted = list(range(folds)) if chosen is None else list(dict.fromkeys(chosen))
    if not wanted or not set(wanted) <= set(range(folds)):
        raise ConfigError(f"folds: expected some of 0 to {folds - 1}, got {wanted}")
    found: dict[str, Any] = {}
    if jobs > 1:
        each = {"experiment": experiment, "root": root, "folds": folds, "data": given, "out": out,
                "seed": seed, "progress": False}  # fmt: skip
        folds_apart = [Job(f"fold {k}", cross_validate, {**each, "chosen": [k]}) for k in wanted]
        for part in run_together(folds_apart, jobs, progress).values():
            found |= part["folds"]
    for k in wanted if jobs == 1 else []:
        folder = Path(out) / f"fold-{k}" if out is not None else None
        runs = run_experiment(
            plan, splits[k], seed=seed, out=folder, progress=progress, more=more,
            label=f"{data.name} fold {k}",
        )  # fmt: skip
        found[str(k)] = {
            who: {name: run.metrics["test"][name] for name in ("images", *METRICS)}
            for who, run in zip(WHO, runs)
        }
    return {
        "experiment": plan.name, "dataset": data.name, "task": Task(data.task).value,
        "of": folds, "seed": seed, "folds": found,
        "mean": {who: {name: _mean([fold[who][name] for fold in found.values()])
                       for name in METRICS} for who in WHO},
    }  # fmt: skip


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
