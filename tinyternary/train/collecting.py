"""Condense run folders into one small file that a notebook can be drawn from (lesson 12).

Run folders hold weights and states, tens of megabytes; what a table and a figure need of
them is a few dozen kilobytes of numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinyternary.data import Dataset, Splits, load
from tinyternary.spec import Task
from tinyternary.train.ablation import read_ablation
from tinyternary.train.calibration import reliability
from tinyternary.train.checkpoint import write_bytes
from tinyternary.train.evaluation import predict_logits, scores
from tinyternary.train.history import History
from tinyternary.train.judgement import judge
from tinyternary.train.metrics import accuracy, auc
from tinyternary.train.results import STAGES, read_results
from tinyternary.train.run import load_run
from tinyternary.train.thresholds import choose_threshold

CURVE_POINTS = 50
"""Epochs that are kept of a stage's history."""
_CURVES = ("epoch", "train_loss", "val_loss", "val_acc", "val_auc")


def collect(
    out: str | Path,
    root: str | Path | None = None,
    *,
    data: Splits | None = None,
    images: bool = True,
    progress: bool = False,
) -> dict[str, Any]:
    """Read an experiment's or an ablation's folder into plain JSON types.

    Parameters
    ----------
    out : path
        What `reproduce` or `ablate` was given as `out`.
    root : path, optional
        Folder of the MedMNIST files.
    data : Splits, optional
        The images, if they are loaded already.
    images : bool
        False leaves out what needs the test images again.
    progress : bool
        Show a bar for each network that is asked.

    Returns
    -------
    dict
        An ablation: as its ``ablation.json``. An experiment: as `Results.to_dict`, and
        ``curves`` (seed to stage to rows, at most `CURVE_POINTS` epochs) and, with images,
        ``single_pass``: the saved weights asked about each test image once (`single_pass`);
        of a binary task also ``thresholds`` (`chosen_thresholds`).

    Raises
    ------
    CheckpointError
        If the folder holds neither, or a file in it is damaged.
    DataFileError
        If the images are not there.
    """
    out = Path(out)
    if (out / "ablation.json").is_file():
        return read_ablation(out).to_dict()
    results = read_results(out)
    folders = {row["seed"]: out / f"seed-{row['seed']}" for row in results.seeds}
    record = results.to_dict()
    record["curves"] = {
        str(seed): {
            stage: thinned(History.read(folder / stage / "history.json"))
            for stage in STAGES
            if (folder / stage / "history.json").is_file()
        }
        for seed, folder in folders.items()
    }
    if images:
        data = load(results.dataset, root=root) if data is None else data
        record["single_pass"] = single_pass(folders, data.test, progress)
        if data.test.task is Task.BINARY:
            record["thresholds"] = chosen_thresholds(folders, data, progress)
    return record


def thinned(history: History) -> list[dict[str, Any]]:
    """Keep at most `CURVE_POINTS` epochs of a history, evenly, the last among them."""
    rows = history.rows
    kept = np.unique(np.linspace(0, len(rows) - 1, min(CURVE_POINTS, len(rows))).round())
    return [
        {name: _rounded(rows[int(i)][name]) for name in _CURVES if name in rows[int(i)]}
        for i in kept
    ]


def single_pass(
    folders: Mapping[int, Path], test: Dataset, progress: bool = False
) -> dict[str, Any]:
    """Ask the saved networks of each seed about the test images, once each.

    The recorded metrics may average mirrored and shifted copies of an image (`flips` and
    `shifts` of a recipe); a packed file answers once.

    Returns
    -------
    dict
        ``seeds``: seed to "teacher" and "student", each with ``acc``, ``auc`` and
        ``reliability`` (see `tinyternary.train.calibration.reliability`). ``wrong``:
        "teacher" and "student" to how many images 0, 1, ... of the seeds get wrong, and
        "shared": images that every network of every seed gets wrong. ``images``.
    """
    found: dict[str, Any] = {}
    wrong: dict[str, list[NDArray[np.bool_]]] = {"teacher": [], "student": []}
    for seed, folder in folders.items():
        found[str(seed)] = {}
        for who, lists in wrong.items():
            run = load_run(folder / who)
            logits = predict_logits(
                run.model, test.images, run.preprocessing,
                progress=f"seed {seed} {who}: one pass" if progress else None,
            )  # fmt: skip
            probabilities = scores(logits, test.task)
            judged = judge(test.labels, probabilities, test.task)
            missed = judged.truth != judged.decided
            lists.append(missed.any(1) if test.task is Task.MULTI_LABEL else missed)
            found[str(seed)][who] = {
                "acc": accuracy(test.labels, probabilities, test.task),
                "auc": auc(test.labels, probabilities, test.task),
                "reliability": reliability(judged),
            }
    counts = {who: np.sum(lists, axis=0, dtype=np.int64) for who, lists in wrong.items()}
    histogram = {who: np.bincount(c, minlength=len(folders) + 1) for who, c in counts.items()}
    shared = sum(counts.values()) == 2 * len(folders)
    return {
        "seeds": found, "images": len(test),
        "wrong": {**{who: bins.tolist() for who, bins in histogram.items()},
                  "shared": int(np.sum(shared))},
    }  # fmt: skip


def chosen_thresholds(
    folders: Mapping[int, Path], data: Splits, progress: bool = False
) -> dict[str, Any]:
    """Decide by thresholds that validation images choose, in place of one half.

    Predictions average copies where the run's recipe does so. Binary tasks.

    Returns
    -------
    dict
        Seed to "teacher" and "student", each with ``half`` and each goal of
        `choose_threshold` that is asked ("accuracy", "balanced_accuracy"): ``threshold``,
        and the test images' ``acc`` and ``balanced_accuracy`` at it.
    """
    found: dict[str, Any] = {}
    goals: tuple[Literal["accuracy", "balanced_accuracy"], ...] = ("accuracy", "balanced_accuracy")
    for seed, folder in folders.items():
        found[str(seed)] = {}
        for who in ("teacher", "student"):
            run = load_run(folder / who)
            val, test = (
                scores(
                    predict_logits(
                        run.model, part.images, run.preprocessing,
                        flips=run.recipe.flips, shifts=run.recipe.shifts,
                        progress=f"seed {seed} {who}: {part.split} images" if progress else None,
                    ),
                    part.task,
                )
                for part in (data.val, data.test)
            )  # fmt: skip
            cuts = {"half": 0.5}
            for goal in goals:
                cuts[goal] = float(choose_threshold(data.val.labels, val, Task.BINARY, goal))
            found[str(seed)][who] = {
                name: {"threshold": cut, **_decided(data.test, test, cut)}
                for name, cut in cuts.items()
            }
    return found


def _decided(data: Dataset, probabilities: NDArray[Any], threshold: float) -> dict[str, float]:
    judged = judge(data.labels, probabilities, data.task, threshold)
    right = judged.truth == judged.decided
    each = [float(right[judged.truth == label].mean()) for label in np.unique(judged.truth)]
    return {"acc": float(right.mean()), "balanced_accuracy": float(np.mean(each))}


def write_collected(path: str | Path, record: Mapping[str, Any]) -> None:
    """Write what `collect` gives, one line per entry, in one stroke."""
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in record.items()]
    write_bytes(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def _rounded(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value
