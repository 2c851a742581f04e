"""Condense run folders into one small file that a notebook can be drawn from (lesson 12).

Run folders hold weights and states, tens of megabytes; what a table and a figure need of
them is a few dozen kilobytes of numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinyternary.config import Task
from tinyternary.data import Splits, load
from tinyternary.errors import CheckpointError
from tinyternary.experiments.ablation import read_ablation
from tinyternary.experiments.answers import (
    by_similarity,
    chosen_thresholds,
    single_answers,
    single_pass,
)
from tinyternary.experiments.results import STAGES, read_results
from tinyternary.experiments.sweep_points import sweep_points
from tinyternary.files import replace_content
from tinyternary.strict_json import to_json
from tinyternary.train.history import History

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
    """Read the folder of an experiment, an ablation or a sweep into plain JSON types.

    Parameters
    ----------
    out : path
        What `reproduce`, `ablate` or `sweep` was given as `out`.
    root : path, optional
        Folder of the MedMNIST files.
    data : Splits, optional
        The images, if they are loaded already.
    images : bool
        False leaves out what needs the test images again; a sweep needs them.
    progress : bool
        Show a bar for each network that is asked.

    Returns
    -------
    dict
        An ablation: as its ``ablation.json``. A sweep: as `sweep_points`. An experiment: as
        `Results.to_dict`, and ``curves`` (seed to stage to rows, at most `CURVE_POINTS`
        epochs) and, with images, ``single_pass``: the saved weights asked about each test
        image once (`single_pass`);
        ``similarity``: the same answers sorted by how much an image looks like one of the
        training images (`by_similarity`); of a binary task also ``thresholds``
        (`chosen_thresholds`).

    Raises
    ------
    CheckpointError
        If the folder holds none of them, or a file in it is damaged.
    DataFileError
        If the images are not there.
    """
    out = Path(out)
    if (out / "ablation.json").is_file():
        return read_ablation(out).to_dict()
    if (out / "sweep.json").is_file():
        return sweep_points(out, root, data=data, progress=progress)
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
        answers = single_answers(folders, data.test, progress)
        record["single_pass"] = single_pass(answers, data.test)
        if data.test.task is not Task.MULTI_LABEL:
            record["similarity"] = by_similarity(answers, data)
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


def write_collected(path: str | Path, record: Mapping[str, Any]) -> None:
    """Write what `collect` gives, one line per entry, in one stroke.

    Raises
    ------
    CheckpointError
        If the file cannot be written.
    """
    lines = [f"{to_json(name)}: {to_json(value)}" for name, value in record.items()]
    content = ("{\n" + ",\n".join(lines) + "\n}\n").encode()
    replace_content(path, content, CheckpointError, make_folder=True)


def _rounded(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value
