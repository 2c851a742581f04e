"""What a report is about: a packed student, its float teacher, and the images to ask them about."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary import deploy
from tinyternary.brief import Brief
from tinyternary.data import Dataset, OtherSets, Splits, load, other_sets
from tinyternary.data.classes import check_classes
from tinyternary.deploy.engine import Engine
from tinyternary.deploy.memory import LIMIT_BYTES
from tinyternary.errors import CheckpointError, ConfigError
from tinyternary.evaluate import predict_logits
from tinyternary.evaluate.judged import Judged, judge
from tinyternary.train.checkpoints import read_json
from tinyternary.train.run import Run, load_run


@dataclass(eq=False)
class Network:
    """One network of a report: the engine that answers, and the run behind it, if there is one.

    Attributes
    ----------
    engine : Engine
        Of the packed file, which is what users run.
    file_bytes : int
        Size of that file.
    run : Run, optional
        With the model as it was trained; None for a packed file.
    """

    engine: Engine
    file_bytes: int
    run: Run | None = None
    _logits: dict[tuple[str, str], NDArray[np.float32]] = field(default_factory=dict, repr=False)

    def logits(self, data: Dataset) -> NDArray[np.float32]:
        """Answers (N, C) to a split, one pass of the packed file; asked once."""
        key = (data.name, data.split)
        if key not in self._logits:
            self._logits[key] = predict_logits(self.engine, data.images)
        return self._logits[key]

    def probabilities(self, data: Dataset) -> NDArray[np.float64]:
        """Probabilities (N, C) of a split, as the file states them: at its temperature."""
        return self.engine.header.scores(self.logits(data))

    def judged(self, data: Dataset) -> Judged:
        """Answers to a split, judged as the file decides."""
        limit = self.engine.header.threshold
        return judge(data.labels, self.probabilities(data), data.task, limit)


@dataclass(eq=False, repr=False)
class Subject(Brief):
    """What a report is about.

    Attributes
    ----------
    networks : dict of str to Network
        "teacher", if there is one, then "student".
    data : Splits
    name : str
        The run's folder, or the file.
    others : OtherSets
        Strangers to the networks, from the folder of the data; none for a packed file, which is
        not asked about them.
    """

    networks: dict[str, Network]
    data: Splits
    name: str
    others: OtherSets = field(default_factory=OtherSets)

    @property
    def student(self) -> Network:
        """The network that the report is about."""
        return self.networks["student"]

    @property
    def runs(self) -> dict[str, Run]:
        """The runs of the networks; none, if the student is a packed file."""
        if self.student.run is None:
            return {}
        return {who: each.run for who, each in self.networks.items() if each.run is not None}

    @cached_property
    def test(self) -> dict[str, Judged]:
        """Each network's answers to the test images, judged."""
        return {who: each.judged(self.data.test) for who, each in self.networks.items()}


def read_subject(
    source: str | os.PathLike[str],
    teacher: str | os.PathLike[str] | None = None,
    *,
    data: str | Splits | None = None,
    root: str | os.PathLike[str] | None = None,
    size: int | None = None,
    seed: int = 0,
    limit_bytes: int = LIMIT_BYTES,
) -> Subject:
    """Read the networks and the images of a report.

    Parameters
    ----------
    source : path
        A run folder, a folder with the run folders `teacher` and `student` (what
        `reproduce` writes for each seed), or a packed file.
    teacher : path, optional
        A run folder or a packed file to compare with.
    data : str or Splits, optional
        By default the data set that the run or the file names.
    root, size, seed
        As in `tinyternary.data.load`; also of the other sets that lie there, see
        `tinyternary.data.other_sets`.
    limit_bytes : int
        As in `Engine`, for packed files.

    Raises
    ------
    CheckpointError, PackedFileError
        If a folder holds no run, or a file is damaged.
    ConfigError, DataFileError
        If the data are unknown, missing, or other than those the networks were trained for, or
        another set's file is damaged.
    """
    folder = Path(source)
    parts = {who: folder / who for who in ("teacher", "student")}
    both = not (folder / "config.json").is_file() and parts["student"].is_dir()
    paths: dict[str, Path] = {"student": parts["student"] if both else folder}
    if teacher is not None:
        paths = {"teacher": Path(teacher), **paths}
    elif both and parts["teacher"].is_dir():
        paths = {"teacher": parts["teacher"], **paths}
    networks = {who: _network(path, limit_bytes) for who, path in paths.items()}
    if not isinstance(data, Splits):
        student = networks["student"]
        name = data or (student.run.dataset if student.run else student.engine.header.dataset)
        if not name:
            raise ConfigError(f"{source}: names no data set; give --data")
        data = load(name, root=root, seed=seed, size=size)
    for who, network in networks.items():
        header = network.engine.header
        for part in data:
            part.check_fits(header.config, who=who)
        check_classes(data.test, header.class_names, header.task, who)
    subject = Subject(networks, data, str(source))
    if subject.runs:
        seen = _pretrained_on(paths["student"].parent / "pretraining")
        subject.others = other_sets(data.test, root, seed=seed, seen=seen)
    return subject


def _pretrained_on(folder: Path) -> list[str]:
    """Name the other sets that the run beside teacher and student learned from, if there is one."""
    config = folder / "config.json"
    if not config.is_file():
        return []
    more = read_json(config).get("more", [])
    if not isinstance(more, list) or not all(isinstance(name, str) for name in more):
        raise CheckpointError(f"{config}: more: expected names of data sets, got {more!r}")
    return more


def _network(path: Path, limit_bytes: int) -> Network:
    if path.is_file():
        return Network(deploy.load(path, limit_bytes=limit_bytes), path.stat().st_size)
    return packed_network(load_run(path))


def packed_network(run: Run, **options: Any) -> Network:
    """Pack a run's model, with `options` for `tinyternary.deploy.pack`, and open the file."""
    packed = deploy.pack(
        run.model, preprocessing=run.preprocessing, task=run.task, class_names=run.class_names,
        metrics=run.metrics, dataset=run.dataset, temperature=run.temperature, **options,
    )  # fmt: skip
    return Network(Engine(packed.read()), packed.nbytes, run)


def describe_network(network: Network) -> dict[str, Any]:
    """Say what a network is: shape, quantisers, preprocessing, decision, and how it was trained.

    Returns
    -------
    dict of JSON types
        ``config``, ``rules`` (quantiser to how many matrices), ``bits``, ``preprocessing``,
        ``temperature``, ``threshold``, ``library``; of a run also ``recipe``, ``seed``,
        ``seconds``, ``finished`` and ``recorded``: accuracy and AUC as the run recorded them,
        with the copies of each image that they average.
    """
    header, run = network.engine.header, network.run
    rules: dict[str, int] = {}
    for name, rule in header.policy.items():
        if name not in header.layers:  # the gains of a norm, no matrix
            continue
        words = f"{rule.weight} per {rule.granularity}, inputs {rule.activation}"
        rules[words] = rules.get(words, 0) + 1
    found: dict[str, Any] = {
        "config": header.config.to_dict(),
        "matrices": len(header.layers),
        "rules": rules,
        "bits": header.bits,
        "preprocessing": header.preprocessing.to_dict(),
        "temperature": header.temperature,
        "threshold": None if header.threshold is None else list(header.threshold),
        "library": header.library_version,
    }
    if run is not None:
        asked, test = run.recipe.evaluation, run.metrics.get("test", {})
        found |= {
            "recipe": run.recipe.to_dict(),
            "seed": run.seed,
            "seconds": run.seconds,
            "finished": bool(run.metrics),
            "recorded": {
                "flips": asked.flips, "shifts": asked.shifts,
                **{name: test.get(name) for name in ("acc", "auc", "intervals")},
            },
        }  # fmt: skip
    return found
