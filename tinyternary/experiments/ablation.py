"""Run an ablation: one short student per combination, all from one float teacher (lesson 12).

Each finished cell is a file of its own, so that a stopped ablation goes on where it was and
several processes can share the cells.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tinyternary import __version__
from tinyternary.brief import Brief
from tinyternary.data import Splits, load
from tinyternary.deploy import pack
from tinyternary.errors import CheckpointError, ConfigError
from tinyternary.experiments.factorial import Effects, factorial_effects
from tinyternary.experiments.factors import (
    FACTORS,
    Ablation,
    Cell,
    cells_of,
    read_ablation_plan,
    student_of,
)
from tinyternary.experiments.jobs import Job, run_together
from tinyternary.models import ViT
from tinyternary.quant import ternarize
from tinyternary.train._identity import (
    current_settings,
    differing_setting,
    image_checksums,
    weights_checksum,
)
from tinyternary.train.checkpoints import read_json, write_json
from tinyternary.train.distill import distill
from tinyternary.train.recipe import Recipe
from tinyternary.train.run import Run, load_run

_KEPT = ("acc", "auc", "loss", "balanced_accuracy", "ece")


@dataclass(repr=False)
class AblationResults(Brief):
    """Cells of an ablation, as far as they are done.

    Attributes
    ----------
    name, dataset : str
    config : dict
        ``levels`` of each factor, the ``recipe`` as resolved, the ``teacher``'s network.
    teacher : dict
        Its validation and test metrics and its packed ``bytes``.
    cells : list of dict
        Level of each factor, ``val`` and ``test`` metrics, ``bytes`` of the packed file,
        ``seconds``, ``seed``; in the plan's order.
    skipped : dict of str to str
        Levels of policy that were left out, and why.
    planned : int
        Cells in all.
    """

    name: str
    dataset: str
    config: dict[str, Any]
    teacher: dict[str, Any]
    cells: list[dict[str, Any]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    planned: int = 0

    def column(self, response: str) -> list[float | None]:
        """One number of every cell: "test_acc", "val_auc", "bytes", ...; None if undefined."""
        split, _, metric = response.partition("_")
        return [
            cell[split][metric] if split in ("val", "test") else cell[response]
            for cell in self.cells
        ]

    def effects(self, response: str = "test_acc", level: float = 0.95) -> Effects:
        """Work out main effects and pair interactions on a number of the cells.

        Raises
        ------
        ConfigError
            If there are too few cells, or one for which it is undefined; see
            `factorial_effects`.
        """
        return factorial_effects(self.cells, FACTORS, self.column(response), response, level)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, read back by `from_dict`; effects are worked out anew."""
        return {
            "ablation": self.name, "dataset": self.dataset, "library": __version__,
            "config": self.config, "teacher": self.teacher, "planned": self.planned,
            "skipped": self.skipped, "cells": self.cells,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> AblationResults:
        """Rebuild from what `to_dict` gave."""
        names = ("dataset", "config", "teacher", "cells", "skipped", "planned")
        return cls(name=fields["ablation"], **{name: fields[name] for name in names})


def read_ablation(path: str | Path) -> AblationResults:
    """Read an ablation's folder, or its ``ablation.json``.

    Raises
    ------
    CheckpointError
        If there is none, or it is damaged.
    """
    path = Path(path)
    file = path / "ablation.json" if path.is_dir() else path
    try:
        return AblationResults.from_dict(read_json(file))
    except KeyError as error:
        raise CheckpointError(f"{file}: not an ablation (no field {error})") from None


def ablate(
    name: str | Path,
    teacher: str | Path | Run,
    root: str | Path | None = None,
    *,
    out: str | Path,
    cells: tuple[int | None, int | None] = (None, None),
    progress: bool = True,
    data: Splits | None = None,
    jobs: int = 1,
) -> AblationResults:
    """Run the cells of an ablation that are not done yet.

    Parameters
    ----------
    name : str or path
        An ablation of the package ("pneumoniamnist") or a TOML file.
    teacher : path or Run
        Run folder of the float teacher; every cell starts from its weights.
    root : path, optional
        Folder of the MedMNIST files.
    out : path
        Folder for ``cells/NAME.json`` and ``ablation.json``. Cells that are there are
        read, not run; several processes may run different cells into one folder.
    cells : (int or None, int or None)
        First cell and the one after the last, as in a slice.
    progress : bool
    data : Splits, optional
        The images, if they are loaded already.
    jobs : int
        Cells at a time, each in a process of its own with one thread.

    Returns
    -------
    AblationResults
        Of all cells in `out`.

    Raises
    ------
    ConfigError
        If the plan or the teacher cannot be used, or no cell is chosen.
    CheckpointError
        If a cell in `out` is of another ablation: of another teacher, recipe or data.
    """
    plan, out = read_ablation_plan(name), Path(out)
    run = teacher if isinstance(teacher, Run) else load_run(teacher)
    if getattr(run.model, "policy", None):
        raise ConfigError(f"teacher {run.run_dir or ''}: ternary; cells start from a float one")
    if not run.metrics:
        raise ConfigError(f"teacher {run.run_dir or ''}: not finished (no metrics.json)")
    given, data = data, load(plan.dataset, root=root) if data is None else data
    everything, skipped = cells_of(plan, run.model.config)
    chosen = everything[slice(*cells)]
    if not chosen:
        first, last = ("" if end is None else end for end in cells)
        raise ConfigError(f"cells {first}:{last}: none of the {len(everything)} cells")
    recipe = plan.recipe.resolved(data.channels, data.train.mirror_safe, len(data.train))
    settings = current_settings({
        "recipe": recipe.to_dict(), "teacher": weights_checksum(run.model),
        **image_checksums(data), "seed": plan.seed,
    })  # fmt: skip
    todo = [cell for cell in chosen if _read_cell(out, cell, settings) is None]
    results = AblationResults(
        plan.name, data.name,
        {"levels": {**plan.levels(), "policy": [p for p in plan.policy if p not in skipped]},
         "recipe": recipe.to_dict(), "model": run.model.config.to_dict(), "seed": plan.seed},
        _teacher(run, data), [], skipped, len(everything),
    )  # fmt: skip
    if jobs > 1:
        each = {"name": name, "teacher": teacher, "root": root, "out": out, "data": given,
                "progress": False}  # fmt: skip
        cells_apart = [
            Job(cell.name, ablate, {**each, "cells": (place, place + 1)})
            for place, cell in enumerate(everything) if cell in todo
        ]  # fmt: skip
        run_together(cells_apart, jobs, progress)
        todo = []
    steps = recipe.epochs * (len(data.train) // recipe.batch_size)
    bar: Any = tqdm(
        total=steps * len(chosen), initial=steps * (len(chosen) - len(todo)), unit="step",
        disable=not progress, dynamic_ncols=True, mininterval=0.5,
        bar_format="{desc} {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}{postfix}]",
    )  # fmt: skip
    with bar:
        for cell in todo:
            done = len(chosen) - len(todo) + todo.index(cell)
            bar.set_description_str(f"cell {done + 1} of {len(chosen)}, {cell.name}", refresh=False)
            try:
                record = _run_cell(plan, cell, run, data, recipe, lambda *_: bar.update())
            except KeyboardInterrupt:
                kept = f"; the same command goes on from {out}" if done else ""
                bar.write(f"stopped at {cell.name}{kept}", sys.stderr)
                raise
            write_json(_file(out, cell), {**record, "settings": settings})
            _assemble(results, out, everything, settings)
            bar.set_postfix_str(f"test ACC {record['test']['acc']:.3f}", refresh=False)
    return _assemble(results, out, everything, settings)


def _file(out: Path, cell: Cell) -> Path:
    return out / "cells" / f"{cell.name}.json"


def _read_cell(out: Path, cell: Cell, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Give a cell's record without its settings, or None if it is not done."""
    path = _file(out, cell)
    if not path.is_file():
        return None
    record = read_json(path)
    other = differing_setting(current_settings(record.pop("settings", {})), settings)
    if other is not None:
        name, theirs, ours = other
        raise CheckpointError(
            f"{path} is of another ablation: {name} was {theirs!r}, now {ours!r}; "
            "choose another folder"
        )
    return record


def _assemble(
    results: AblationResults, out: Path, cells: list[Cell], settings: dict[str, Any]
) -> AblationResults:
    """Write ``ablation.json`` from every cell that is done, whoever ran it.

    Looks again after writing: see `tinyternary.experiments.results.write_results`.
    """
    while True:
        found = [_read_cell(out, cell, settings) for cell in cells]
        results.cells = [record for record in found if record is not None]
        write_json(out / "ablation.json", results.to_dict())
        if sum(_file(out, cell).is_file() for cell in cells) == len(results.cells):
            return results


def _run_cell(
    plan: Ablation, cell: Cell, teacher: Run, data: Splits, recipe: Recipe, on_step: Any
) -> dict[str, Any]:
    config, rules = student_of(plan, cell, teacher.model.config)
    student = ternarize(ViT(config, seed=plan.seed), rules)
    alpha = recipe.distillation.alpha if cell.distillation else 0.0
    run = distill(
        student, teacher, data, recipe, seed=plan.seed, progress=False, on_step=on_step, alpha=alpha
    )
    return {
        **cell.to_dict(), "seed": plan.seed, "bytes": _bytes(run),
        "seconds": run.seconds, **{split: _short(run.metrics[split]) for split in ("val", "test")},
    }  # fmt: skip


def _teacher(run: Run, data: Splits) -> dict[str, Any]:
    found: dict[str, Any] = {"bytes": _bytes(run), "seconds": run.seconds}
    return found | {split: _short(metrics) for split, metrics in run.metrics.items()}


def _short(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the metrics that an ablation compares, with the intervals of ACC and AUC."""
    intervals = metrics.get("intervals", {})
    return {
        **{name: metrics[name] for name in _KEPT},
        "intervals": {name: intervals[name] for name in ("acc", "auc") if name in intervals},
    }


def _bytes(run: Run) -> int:
    """Bytes of the packed file: codes of 2 bits a trit, everything else float32."""
    return pack(
        run.model, preprocessing=run.preprocessing, task=run.task, class_names=run.class_names
    ).nbytes
