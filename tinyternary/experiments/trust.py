"""Everything that a report of a trained network says, measured: what the field asks of one.

Each part asks the functions of `tinyternary.evaluate` and gives plain numbers, so that the page
(`tinyternary.report.trust.page`) and the notebook show the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from tqdm import tqdm

from tinyternary import __version__, cost
from tinyternary.config import Task
from tinyternary.data import Dataset, most_similar
from tinyternary.data.classes import label_words
from tinyternary.data.medmnist.catalog import known_set
from tinyternary.data.quality import image_quality, terciles
from tinyternary.evaluate.metrics import evaluate_scores
from tinyternary.evaluate.paired import paired_intervals
from tinyternary.evaluate.strata import all_right, by_group
from tinyternary.experiments.answers import SIMILAR
from tinyternary.experiments.damaged import IMAGES, damaged
from tinyternary.experiments.explained import explained
from tinyternary.experiments.probabilities import calibrated, operating, prediction_sets
from tinyternary.experiments.strangers import strangers
from tinyternary.experiments.subject import Subject, describe_network
from tinyternary.strict_json import plain_data

QUICK_RESAMPLES = 200
RESAMPLES = 1000
"""Bootstrap samples of the test images."""
ENERGY_TABLE = "45nm"
DEVICES = ("laptop-cpu", "raspberry-pi-5")
"""Where the cost model bounds the time of an image."""


def measure_trust(
    subject: Subject, *, seed: int = 0, quick: bool = False, progress: bool = False
) -> dict[str, Any]:
    """Measure what a report says of a network, and of the teacher beside it.

    Parameters
    ----------
    subject : Subject
        From `read_subject`.
    seed : int
        Of everything that is drawn, but for other sets' images: `read_subject` drew them.
    quick : bool
        Fewer resamples, and coarser searches: for a first look.
    progress : bool
        Show a bar.

    Returns
    -------
    dict of JSON types
        ``tinyternary``, ``subject``, ``seed``, ``quick``, ``networks`` (names, in order), and
        a part for each function of `PARTS`.
    """
    record: dict[str, Any] = {
        "tinyternary": __version__,
        "subject": subject.name,
        "seed": seed,
        "quick": quick,
        "networks": list(subject.networks),
    }
    bar = tqdm(PARTS.items(), leave=False, disable=not progress, unit="part", dynamic_ncols=True)
    for name, measure in bar:
        bar.set_description(f"report: {name}")
        found = measure(subject, seed, quick)
        if found is not None:
            record[name] = plain_data(found)
    return record


Part = Callable[[Subject, int, bool], "dict[str, Any] | None"]


def data(subject: Subject, seed: int, quick: bool) -> dict[str, Any]:
    """Say what the images are, and how many there are of each class in each split."""
    splits = subject.data
    known = None if splits.synthetic else known_set(splits.name)
    return {
        "name": splits.name,
        "title": "synthetic phantoms"
        if splits.synthetic
        else known.title
        if known
        else splits.name,
        "license": known.license if known else None,
        "synthetic": splits.synthetic,
        "task": splits.task.value,
        "class_names": list(splits.class_names),
        "shape": list(splits.test.shape),
        "images": {part.split: len(part) for part in splits},
        "of_each_class": {part.split: _counts(part) for part in splits},
    }


def _counts(part: Dataset) -> list[int]:
    if part.task is Task.MULTI_LABEL:
        return [int(n) for n in part.labels.sum(0)]
    return [int(n) for n in np.bincount(part.labels, minlength=part.num_classes)]


def accuracy(subject: Subject, seed: int, quick: bool) -> dict[str, Any]:
    """Judge each network on the test images, and the paired difference of the two.

    Returns
    -------
    dict
        Each network's name to what `evaluate_scores` gives; with two networks
        ``difference``: metric to ``value`` and ``interval``, second less first.
    """
    resamples = QUICK_RESAMPLES if quick else RESAMPLES
    found: dict[str, Any] = {
        who: evaluate_scores(
            subject.data.test.labels, judged.scores, judged.task, seed,
            threshold=subject.networks[who].engine.header.threshold, resamples=resamples,
        )
        for who, judged in subject.test.items()
    }  # fmt: skip
    if len(found) == 2:
        (first, second), (a, b) = subject.test.values(), found.values()
        found["difference"] = {
            name: {"value": None if None in (a[name], b[name]) else b[name] - a[name],
                   "interval": interval}
            for name, interval in paired_intervals(first, second, seed, resamples).items()
        }  # fmt: skip
    return found


def strata(subject: Subject, seed: int, quick: bool) -> dict[str, Any]:
    """Judge the networks in parts of the test images: classes, near-duplicates, quality.

    Returns
    -------
    dict
        ``classes`` (tasks of one label), ``similarity``, ``brightness``, ``contrast`` and
        ``sharpness`` to the rows of `by_group`; ``edges`` of the last four.
    """
    test, judged = subject.data.test, subject.test
    found: dict[str, Any] = {"edges": {}}
    if test.labels.ndim == 1:
        found["classes"] = by_group(judged, test.labels, test.class_names)
    correlation, _ = most_similar(
        test.images, subject.data.train.images, moves=0 if quick else 1, mirror=test.mirror_safe
    )
    edges = [f"{edge:g}" for edge in SIMILAR]
    bands = [f"below {edges[0]}", *(f"{a} to {b}" for a, b in pairwise(edges)),
             f"above {edges[-1]}"]  # fmt: skip
    found["similarity"] = by_group(judged, np.searchsorted(SIMILAR, correlation), bands)
    found["edges"]["similarity"] = list(SIMILAR)
    for name, values in image_quality(test.images).items():
        group, found["edges"][name] = terciles(values)
        found[name] = by_group(judged, group, ("lowest third", "middle third", "highest third"))
    return found


def costs(subject: Subject, seed: int, quick: bool) -> dict[str, Any]:
    """Count bytes, MACs, modelled energy and the least time of an image; nothing is timed.

    Returns
    -------
    dict
        ``energy_model``; for each network ``file_bytes``, ``parameters``, ``macs``,
        ``energy_uj`` and, by device, ``least_ms`` (a roofline bound).
    """
    found: dict[str, Any] = {"energy_model": cost.energy_table(ENERGY_TABLE).title}
    for who, network in subject.networks.items():
        described = network.run.model if network.run else network.engine.header
        bits = network.engine.header.bits
        report = cost.analyze(described, bits=bits, table=ENERGY_TABLE)
        energy = report.energy_uj
        found[who] = {
            "file_bytes": network.file_bytes,
            "parameters": report.parameters,
            "macs": report.macs,
            "energy_uj": {"low": energy.low, "middle": energy.middle, "high": energy.high},
            "least_ms": {
                cost.device(name).title: 1e3
                * (cost.analyze(described, bits=bits, device=name).seconds or 0.0)
                for name in DEVICES
            },
        }
    return found


def networks(subject: Subject, seed: int, quick: bool) -> dict[str, Any]:
    """Describe each network, see `describe_network`."""
    return {who: describe_network(network) for who, network in subject.networks.items()}


def calibration(subject: Subject, seed: int, quick: bool) -> dict[str, Any]:
    """Compare confidence with accuracy, see `calibrated`."""
    return calibrated(subject, seed, QUICK_RESAMPLES if quick else RESAMPLES)


def sets(subject: Subject, seed: int, quick: bool) -> dict[str, Any] | None:
    """Let the networks answer with sets of classes, see `prediction_sets`."""
    return prediction_sets(subject)


def operating_points(subject: Subject, seed: int, quick: bool) -> dict[str, Any] | None:
    """Say what thresholds mean, see `operating`."""
    return operating(subject, seed, QUICK_RESAMPLES if quick else RESAMPLES)


def robust(subject: Subject, seed: int, quick: bool) -> dict[str, Any] | None:
    """Ask about damaged images, see `damaged`."""
    resamples, images = (QUICK_RESAMPLES, 100) if quick else (RESAMPLES, IMAGES)
    return damaged(subject, seed, resamples, images)


def outliers(subject: Subject, seed: int, quick: bool) -> dict[str, Any] | None:
    """Ask about images of none of the classes, see `strangers`."""
    return strangers(subject, seed, QUICK_RESAMPLES if quick else RESAMPLES)


def maps(subject: Subject, seed: int, quick: bool) -> dict[str, Any] | None:
    """Test maps of what the networks used, see `explained`; None for files and several labels."""
    runs = subject.runs
    if not runs or subject.data.task is Task.MULTI_LABEL:
        return None
    images, orders, draws = (16, 2, 1) if quick else (64, 5, 2)
    return explained(
        runs, subject.data.test, images=images, orders=orders, draws=draws, seed=seed,
        resamples=QUICK_RESAMPLES if quick else RESAMPLES,
    )  # fmt: skip


PARTS: dict[str, Part] = {
    "data": data,
    "accuracy": accuracy,
    "calibration": calibration,
    "sets": sets,
    "operating": operating_points,
    "robustness": robust,
    "outliers": outliers,
    "maps": maps,
    "strata": strata,
    "cost": costs,
    "model": networks,
}
"""What is measured, in the order of the page."""


def mistakes(subject: Subject, count: int = 16) -> dict[str, Any]:
    """Gather the student's wrong answers about test images, the most confident first.

    Returns
    -------
    dict
        ``images`` (N, H, W, C) uint8, ``labels`` and ``predictions`` in words, and
        ``confidences``: the largest probability. No more than `count`.
    """
    judged, test = subject.test["student"], subject.data.test
    wrong = ~all_right(judged)
    order = np.lexsort((-judged.scores.max(1), ~wrong))
    chosen = order[: min(count, int(wrong.sum()))]
    return {
        "images": test.images[chosen],
        "labels": [label_words(test.class_names, judged.truth[i]) for i in chosen],
        "predictions": [label_words(test.class_names, judged.decided[i]) for i in chosen],
        "confidences": [float(judged.scores[i].max()) for i in chosen],
    }
