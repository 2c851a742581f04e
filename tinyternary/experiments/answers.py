"""What the saved networks of an experiment answer to its images, asked once more (lesson 12)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import Task
from tinyternary.data import Dataset, Splits, most_similar
from tinyternary.evaluate import predict_logits, scores
from tinyternary.evaluate.calibration import reliability
from tinyternary.evaluate.confusion import confusion, summary
from tinyternary.evaluate.judged import judge
from tinyternary.evaluate.metrics import defined, mean_auc
from tinyternary.evaluate.strata import all_right
from tinyternary.evaluate.thresholds import choose_threshold
from tinyternary.train.run import Run, load_run

SIMILAR = (0.8, 0.9, 0.95, 0.98)
"""Correlations with the most similar training image that part bands of test images."""
Answers = dict[str, dict[int, NDArray[np.float64]]]


def single_answers(folders: Mapping[int, Path], test: Dataset, progress: bool = False) -> Answers:
    """Ask the saved networks of each seed about the test images, once each.

    The recorded metrics may average mirrored and shifted copies of an image (`flips` and
    `shifts` of a recipe); a packed file answers once.

    Returns
    -------
    dict
        "teacher" and "student" to seed to probabilities (N, C).
    """
    found: Answers = {"teacher": {}, "student": {}}
    for seed, folder in folders.items():
        for who, answers in found.items():
            label = f"seed {seed} {who}: one pass" if progress else None
            answers[seed] = _ask(load_run(folder / who), test, "none", 0, label)
    return found


def _ask(
    run: Run, data: Dataset, flips: str, shifts: int, label: str | None
) -> NDArray[np.float64]:
    logits = predict_logits(
        run.model, data.images, run.preprocessing, flips=flips, shifts=shifts, progress=label
    )
    return scores(logits, data.task)


def single_pass(answers: Answers, test: Dataset) -> dict[str, Any]:
    """Judge single answers to the test images.

    Returns
    -------
    dict
        ``seeds``: seed to "teacher" and "student", each with ``acc``, ``auc`` and
        ``reliability`` (see `tinyternary.evaluate.calibration.reliability`). ``wrong``:
        "teacher" and "student" to how many images 0, 1, ... of the seeds get wrong, and
        "shared": images that every network of every seed gets wrong. ``images``.
    """
    found: dict[str, dict[str, Any]] = {str(seed): {} for seed in answers["teacher"]}
    counts: dict[str, NDArray[np.int64]] = {}
    for who, by_seed in answers.items():
        counts[who] = np.sum([missed(each, test) for each in by_seed.values()], axis=0)
        for seed, probabilities in by_seed.items():
            judged = judge(test.labels, probabilities, test.task)
            found[str(seed)][who] = {
                "acc": float(judged.right.mean()),
                "auc": defined(mean_auc(judged)),
                "reliability": reliability(judged),
            }
    seeds = len(found)
    shared = sum(counts.values()) == 2 * seeds
    return {
        "seeds": found, "images": len(test),
        "wrong": {**{who: np.bincount(c, minlength=seeds + 1).tolist()
                     for who, c in counts.items()},
                  "shared": int(np.sum(shared))},
    }  # fmt: skip


def missed(probabilities: NDArray[np.float64], data: Dataset) -> NDArray[np.int64]:
    """Say which images get a wrong answer: (N,) of 0 and 1; one wrong label is enough."""
    return np.asarray(~all_right(judge(data.labels, probabilities, data.task)), np.int64)


def by_similarity(answers: Answers, data: Splits) -> dict[str, Any]:
    """Sort the test images by how much they look like a training image; tasks of one label.

    Returns
    -------
    dict
        ``above``: `SIMILAR`, correlations that part the bands, least similar images first;
        ``images`` in each band; ``nearest``: the share of them whose most similar training
        image has their label; "teacher" and "student": the share that single answers get
        right, over all seeds. Shares of no image are None. See
        `tinyternary.data.most_similar`.
    """
    test = data.test
    correlation, index = most_similar(test.images, data.train.images, mirror=test.mirror_safe)
    band = np.searchsorted(SIMILAR, correlation)
    images = np.bincount(band, minlength=len(SIMILAR) + 1)
    truth = test.labels.reshape(len(test), -1)
    right = {"nearest": (data.train.labels.reshape(len(data.train), -1)[index] == truth).all(1)}
    for who, by_seed in answers.items():
        right[who] = 1 - np.mean([missed(each, test) for each in by_seed.values()], axis=0)
    return {
        "above": list(SIMILAR), "images": images.tolist(),
        **{name: [float(share[band == i].mean()) if images[i] else None
                  for i in range(len(images))]
           for name, share in right.items()},
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
            asked = run.recipe.evaluation
            val, test = (
                _ask(run, part, asked.flips, asked.shifts,
                     f"seed {seed} {who}: {part.split} images" if progress else None)
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


def _decided(
    data: Dataset, probabilities: NDArray[Any], threshold: float
) -> dict[str, float | None]:
    judged = judge(data.labels, probabilities, data.task, threshold)
    balanced = summary(confusion(judged), data.task)["balanced_accuracy"]
    return {"acc": float(judged.right.mean()), "balanced_accuracy": defined(balanced)}
