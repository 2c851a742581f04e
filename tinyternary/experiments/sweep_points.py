"""What each network of a sweep takes, and what it gives for that: bytes, energy, accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tinyternary import __version__
from tinyternary.cost import analyze, footprint
from tinyternary.data import Dataset, Splits, load
from tinyternary.errors import CheckpointError
from tinyternary.evaluate.intervals import bootstrap_intervals
from tinyternary.evaluate.metrics import defined, mean_auc
from tinyternary.experiments.results import read_results
from tinyternary.experiments.subject import packed_network
from tinyternary.experiments.sweeping import ARM
from tinyternary.train.checkpoints import read_json
from tinyternary.train.run import Run, load_run

FLOAT = "float32"
"""What stands for a teacher's policy."""
SMALLEST: dict[str, Any] = {"bits": 1.6, "rest": "int8"}
"""How a file is packed that is to be as small as it can be."""
_PARTS = ("recipe", "variant", "dataset", "policy")


def sweep_points(
    out: str | Path,
    root: str | Path | None = None,
    *,
    data: Splits | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """Ask every finished network of a sweep about its test images, in one pass of its packed file.

    Parameters
    ----------
    out : path
        The folder of a sweep.
    root : path, optional
        Folder of the MedMNIST files.
    data : Splits, optional
        The images, if they are loaded already and all arms are about the same.
    progress : bool
        Show a bar over the runs.

    Returns
    -------
    dict of JSON types
        ``sweep``, ``library``; ``points``: a row for each network with ``recipe``, ``variant``,
        ``dataset``, ``policy`` (of a teacher `FLOAT`), ``seed``; ``bytes`` of the packed file (2
        bits a trit, the rest float32), ``parameters``, ``energy_uj`` (modelled microjoules per
        image: ``low``, ``middle``, ``high``); ``acc`` and ``auc`` of a single pass with 95 %
        bootstrap ``intervals`` over the test images; ``averaged``: both as the run recorded
        them, which may average copies of an image; ``seconds`` of training: a student's own, a
        teacher's with its pretraining. A student also has ``smallest``: ``bytes``, ``acc`` and
        ``auc`` of the file with 1.6 bits a trit and the rest in int8, and ``flash_bytes`` and
        ``ram_bytes`` of the program in C that it becomes. ``configs``: arm to what was run, as
        resolved for the data.

    Raises
    ------
    CheckpointError
        If no run is finished, or a file is damaged.
    DataFileError
        If the images are not there.
    """
    out = Path(out)
    plan = read_json(out / "sweep.json")
    arms = {path.parent.name: _parts(path) for path in sorted(out.glob(f"*/{ARM}"))}
    loaded = cache(lambda name: load(name, root=root) if data is None else data)
    points: list[dict[str, Any]] = []
    configs, seen = {}, set()
    found = {name: read_results(out / name) for name in arms if _has_results(out / name)}
    if not found:
        raise CheckpointError(f"{out}: no run of this sweep is finished")
    total = sum(len(results.seeds) for results in found.values())
    with tqdm(total=total, unit="run", desc="one pass", disable=not progress) as bar:
        for name, results in found.items():
            configs[name], test = results.config, loaded(results.dataset).test
            for row in results.seeds:
                for who, policy in (("teacher", FLOAT), ("student", arms[name]["policy"])):
                    point = {**arms[name], "policy": policy, "seed": row["seed"]}
                    key = tuple(point.values())
                    if key in seen:  # policies of one recipe share a teacher
                        continue
                    seen.add(key)
                    run = load_run(out / name / f"seed-{row['seed']}" / who)
                    point |= _takes_and_gives(run, test)
                    point["averaged"] = {metric: row[who][metric] for metric in ("acc", "auc")}
                    point["seconds"] = _seconds(row["stages"], who)
                    if who == "student":
                        point["smallest"] = _smallest(run, test)
                    points.append(point)
                bar.update()
    return {
        "sweep": plan.get("sweep", out.name), "library": __version__, "points": points,
        "configs": configs,
    }  # fmt: skip


def _has_results(folder: Path) -> bool:
    return (folder / "results.json").is_file()


def _parts(path: Path) -> dict[str, str]:
    """Name what an arm combines."""
    parts = read_json(path).get("parts")
    if not isinstance(parts, dict) or sorted(parts) != sorted(_PARTS):
        raise CheckpointError(
            f"{path}: does not say what the arm combines; give `tinyternary sweep` once more with "
            "this folder"
        )
    return {name: str(parts[name]) for name in _PARTS}


def _seconds(stages: Mapping[str, float], who: str) -> float:
    own = ("student",) if who == "student" else ("pretraining", "teacher")
    return sum(stages.get(stage, 0.0) for stage in own)


def _takes_and_gives(run: Run, test: Dataset) -> dict[str, Any]:
    network, cost = packed_network(run), analyze(run.model)
    judged = network.judged(test)
    intervals = bootstrap_intervals(judged)
    return {
        "bytes": network.file_bytes, "parameters": cost.parameters,
        "energy_uj": cost.energy_uj.to_dict(),
        "acc": float(judged.right.mean()), "auc": defined(mean_auc(judged)),
        "intervals": {name: intervals[name] for name in ("acc", "auc") if name in intervals},
    }  # fmt: skip


def _smallest(run: Run, test: Dataset) -> dict[str, Any]:
    network = packed_network(run, **SMALLEST)
    program = footprint(run.model, **SMALLEST, class_names=run.class_names)
    judged = network.judged(test)
    return {
        "bytes": network.file_bytes, "flash_bytes": program.flash_bytes,
        "ram_bytes": program.ram_bytes, "acc": float(judged.right.mean()),
        "auc": defined(mean_auc(judged)),
    }  # fmt: skip
