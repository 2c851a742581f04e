"""Results of an experiment: test and validation metrics by seed, read from run folders (lesson 12).

`reproduce` leaves ``OUT/seed-N/{pretraining,teacher,student}`` behind; `read_results` makes
``results.json`` of whatever seeds are there, so that several processes can share the seeds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinyternary import __version__
from tinyternary.brief import Brief
from tinyternary.errors import CheckpointError
from tinyternary.experiments.seeds import over_seeds, shown
from tinyternary.strict_json import plain_data
from tinyternary.train._identity import START, current_settings, differing_setting
from tinyternary.train.checkpoints import read_json, write_json
from tinyternary.train.history import History
from tinyternary.train.run import Run

STAGES = ("pretraining", "teacher", "student")
"""In the order in which they run; an experiment may leave the first one out."""
_PER_SEED = ("seed", "library", "teacher", START)  # entries of a run's config that are no choice


@dataclass(repr=False)
class Results(Brief):
    """Metrics of teacher and student by seed.

    Attributes
    ----------
    experiment, dataset : str
    seeds : list of dict
        Each has `seed`; `teacher` and `student`: their test metrics, with 95 % bootstrap
        intervals over the test images in ``intervals``; `validation`: the same two on
        validation images; `seconds`: training and validation time of all stages;
        `stages`: seconds of each; `library`: version that trained it.
    config : dict
        What was run, as resolved for the data: by stage ("pretraining", "teacher",
        "student") the network, its policy, the recipe and the preprocessing.
    class_names : list of str
    task : str
    """

    experiment: str
    dataset: str
    seeds: list[dict[str, Any]] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict, repr=False)
    class_names: list[str] = field(default_factory=list)
    task: str = ""

    def values(self, who: str, metric: str) -> list[float | None]:
        """One test metric of "teacher" or "student", seed by seed; None where it is undefined."""
        return [row[who][metric] for row in self.seeds]

    def paired(self, metric: str) -> dict[str, Any]:
        """Student minus teacher of the same seed, over seeds: see `over_seeds`."""
        pairs = zip(self.values("student", metric), self.values("teacher", metric))
        return over_seeds([None if s is None or t is None else s - t for s, t in pairs])

    def summary(self) -> dict[str, dict[str, dict[str, Any]]]:
        """ACC and AUC over seeds (`over_seeds`) of "teacher", "student" and "student - teacher"."""
        found: dict[str, dict[str, dict[str, Any]]] = {
            who: {metric: over_seeds(self.values(who, metric)) for metric in ("acc", "auc")}
            for who in ("teacher", "student")
        }
        found["student - teacher"] = {metric: self.paired(metric) for metric in ("acc", "auc")}
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, read back by `from_dict`."""
        return {
            "experiment": self.experiment, "dataset": self.dataset, "library": __version__,
            "task": self.task, "class_names": self.class_names, "config": self.config,
            "seeds": self.seeds, "summary": self.summary() if self.seeds else {},
        }  # fmt: skip

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Results:
        """Rebuild from what `to_dict` gave."""
        names = ("experiment", "dataset", "seeds", "config", "class_names", "task")
        return cls(**{name: fields[name] for name in names})

    def table(self) -> list[list[str]]:
        """Header, one row per seed, their mean, and the half width of its 95 % t-interval."""
        head = ["seed", "teacher ACC", "teacher AUC", "student ACC", "student AUC", "minutes"]
        columns = [(who, metric) for who in ("teacher", "student") for metric in ("acc", "auc")]
        rows = [
            [str(row["seed"]), *(shown(row[who][metric]) for who, metric in columns),
             f"{row['seconds'] / 60:.1f}"]
            for row in self.seeds
        ]  # fmt: skip
        summary = self.summary()
        means = [summary[who][metric] for who, metric in columns]
        minutes = over_seeds([row["seconds"] for row in self.seeds])["mean"] / 60
        rows.append(["mean", *(shown(m["mean"]) for m in means), f"{minutes:.1f}"])
        if len(self.seeds) > 1:
            halves = [
                f"± {m['interval'][1] - m['mean']:.4f}" if m["interval"] else "-" for m in means
            ]
            rows.append(["95 % t", *halves, ""])
        return [head, *rows]

    def difference(self) -> str:
        """Student minus teacher in one line, with its interval where there are seeds enough."""
        parts = []
        for metric in ("acc", "auc"):
            found = self.paired(metric)
            ends = found["interval"]
            about = f" (95 % {ends[0]:+.4f} to {ends[1]:+.4f})" if ends else ""
            parts.append(f"{metric.upper()} {shown(found['mean'], '+.4f')}{about}")
        return "student - teacher: " + ", ".join(parts)


def seed_row(seed: int, runs: Mapping[str, Run]) -> dict[str, Any]:
    """One entry of `Results.seeds` from the runs of a seed, by stage."""
    teacher, student = runs["teacher"], runs["student"]
    stages = {stage: runs[stage].seconds for stage in STAGES if stage in runs}
    return _row(
        seed, teacher.metrics, student.metrics, stages, str(student.config.get("library", ""))
    )


def _row(
    seed: int,
    teacher: Mapping[str, Any],
    student: Mapping[str, Any],
    stages: dict[str, float],
    library: str,
) -> dict[str, Any]:
    return {
        "seed": seed,
        "teacher": teacher["test"],
        "student": student["test"],
        "validation": {"teacher": teacher.get("val"), "student": student.get("val")},
        "seconds": sum(stages.values()),
        "stages": stages,
        "library": library,
    }


def resolved(configs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Choices of an experiment from its stages' `config.json`: what all seeds have in common."""
    kept: dict[str, Any] = {}
    for stage in STAGES:
        if stage in configs:
            config = current_settings(configs[stage])
            kept[stage] = {k: v for k, v in config.items() if k not in _PER_SEED}
    found: dict[str, Any] = plain_data(kept)  # tuples as lists: as read from a file
    return found


def seed_folders(out: str | Path) -> dict[int, Path]:
    """Folders ``seed-N`` in `out` by N, whatever is in them."""
    found = {}
    for path in Path(out).glob("seed-*"):
        number = re.fullmatch(r"seed-(\d+)", path.name)
        if number and path.is_dir():
            found[int(number[1])] = path
    return dict(sorted(found.items()))


def read_results(out: str | Path) -> Results:
    """Read the results of an experiment from its run folders alone.

    Parameters
    ----------
    out : path
        What `reproduce` was given as `out`. Seeds that are missing, or whose student is
        not done or was not tested, are left out.

    Returns
    -------
    Results
        The experiment's name is that in ``results.json``, or the data set's.

    Raises
    ------
    CheckpointError
        If no seed is done, a file is damaged, or two seeds were not run alike: their
        mean would be of different experiments.
    """
    out = Path(out)
    found: Results | None = None
    first = ""
    for seed, folder in seed_folders(out).items():
        stages = {s: folder / s for s in STAGES if (folder / s / "config.json").is_file()}
        ends = [stages.get(who, folder) / "metrics.json" for who in ("teacher", "student")]
        if not all(path.is_file() for path in ends):
            continue
        configs = {stage: read_json(path / "config.json") for stage, path in stages.items()}
        teacher, student_metrics = read_json(ends[0]), read_json(ends[1])
        if not ("test" in teacher and "test" in student_metrics):
            continue
        choices, student = resolved(configs), configs["student"]
        if found is None:
            first = folder.name
            found = Results(
                _name(out) or str(student["dataset"]), str(student["dataset"]), [], choices,
                list(student["class_names"]), str(student["task"]),
            )  # fmt: skip
        other = differing_setting(found.config, choices)
        if other is not None:
            name, theirs, ours = other
            raise CheckpointError(
                f"{out}: {folder.name} is another experiment than {first}: {name} is "
                f"{ours!r}, was {theirs!r}"
            )
        seconds = {stage: _seconds(path) for stage, path in stages.items()}
        library = str(student.get("library", ""))
        found.seeds.append(_row(seed, teacher, student_metrics, seconds, library))
    if found is None:
        raise CheckpointError(
            f"{out}: no finished seed (expected seed-0/student/metrics.json with test metrics)"
        )
    return found


def write_results(out: str | Path, name: str) -> Results:
    """Write ``results.json`` from all seeds in `out`, and give them.

    Another process may finish a seed between our reading and our writing. Whoever writes
    looks again afterwards, so the last to write has seen every seed that is done.
    """
    while True:
        results = read_results(out)
        results.experiment = name
        write_json(Path(out) / "results.json", results.to_dict())
        if [row["seed"] for row in read_results(out).seeds] == [r["seed"] for r in results.seeds]:
            return results


def _name(out: Path) -> str:
    path = out / "results.json"
    return str(read_json(path).get("experiment", "")) if path.is_file() else ""


def _seconds(folder: Path) -> float:
    rows = History.read(folder / "history.json").rows
    return float(rows[-1]["seconds"]) if rows else 0.0
