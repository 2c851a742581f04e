"""Errors under MedMNIST-C's corruptions, over those of a baseline (lesson 11).

With e(c, s) the balanced error (1 - balanced accuracy) under corruption c at severity s, e(0) that
on images as they are, b the same of a baseline, and means over the five severities,

    BE(c)  = mean_s e(c, s) / mean_s b(c, s)                          balanced error
    rBE(c) = (mean_s e(c, s) - e(0)) / (mean_s b(c, s) - b(0))        relative balanced error

and BE and rBE are the means over a set's corruptions (Di Salvo, Doerrich and Ledig, arXiv
2406.17536, section 3.3). Below 1 a network errs less than the baseline, or loses less of what it
can do. Where the baseline hardly loses anything, rBE divides by nearly nothing, or less.

MedMNIST-C's baseline is an AlexNet at 224 pixels a side. Here it is a small convolutional network
at 28 (`tinyternary.experiments.robust_baseline`), so these numbers stand beside each other, not
beside published ones. It is one network, and counts as known exactly in every interval.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from tinyternary.brief import Brief
from tinyternary.config import Task, decide, scores
from tinyternary.data import MEDMNIST_C, Dataset, medmnist_c
from tinyternary.data.corruptions.medmnist_c import SEVERITIES
from tinyternary.errors import ConfigError, ShapeError, unknown_name
from tinyternary.evaluate.confusion import mean_of_defined
from tinyternary.evaluate.intervals import percentile_interval
from tinyternary.evaluate.metrics import defined

Ask = Callable[[NDArray[Any]], NDArray[Any]]
Baseline = Mapping[str, Any]
F64 = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class CorruptedAnswers(Brief):
    """One network's decisions about the same images as they are, and damaged.

    Attributes
    ----------
    name : str
        The set whose corruptions these are.
    task : Task
    truth : (N,) int64, or (N, L) of 0 and 1 if multi-label
    clean : like `truth`
        Decisions about images as they are.
    corrupted : dict of str to (5, N) or (5, N, L) int64
        Decisions by corruption and severity.
    """

    name: str
    task: Task
    truth: NDArray[np.int64]
    clean: NDArray[np.int64]
    corrupted: dict[str, NDArray[np.int64]]

    def errors(self, weights: NDArray[Any] | None = None) -> F64:
        """Balanced error of images as they are, then by corruption and severity.

        Parameters
        ----------
        weights : (R, N), optional
            How often each image counts, in R resamples; by default once, and R is 1.

        Returns
        -------
        (R, 1 + 5 K) float64
        """
        if weights is None:
            weights = np.ones((1, len(self.truth)))
        decided = np.concatenate([self.clean[None], *self.corrupted.values()])
        weights = weights.astype(np.float64)
        recalls = []
        for belongs, right in _classes(self.truth, decided == self.truth, self.task):
            drawn = weights[:, belongs]
            count = drawn.sum(1, keepdims=True)
            hits = drawn @ right[:, belongs].T.astype(np.float64)
            recalls.append(np.divide(hits, count, out=np.full_like(hits, np.nan), where=count > 0))
        return 1 - mean_of_defined(np.array(recalls), 0)  # of classes that a resample has


def _classes(
    truth: NDArray[np.int64], right: NDArray[np.bool_], task: Task
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Of each class (of each label, presence and absence): its images, and what is right (S, N)."""
    if task is Task.MULTI_LABEL:
        for label in range(truth.shape[1]):
            for value in (0, 1):
                yield truth[:, label] == value, right[:, :, label]
    else:
        for value in range(int(truth.max()) + 1):
            yield truth == value, right


def answers_under_corruption(
    networks: Mapping[str, Ask],
    data: Dataset,
    *,
    thresholds: Mapping[str, ArrayLike] | None = None,
    seed: int = 0,
    amounts_of: str | None = None,
    progress: str | None = None,
) -> dict[str, CorruptedAnswers]:
    """Ask networks about the same images under each corruption of their set.

    Parameters
    ----------
    networks : mapping of str to callable
        From uint8 images (N, H, W, C) to logits (N, C): an `Engine`, or `predict_logits` of a
        network and its preprocessing.
    data : Dataset
    thresholds : mapping of str to float, or (L,), optional
        By network; of a name that is not there, one half.
    seed, amounts_of
        As in `tinyternary.data.medmnist_c`.
    progress : str, optional
        Shows a bar with this label.

    Raises
    ------
    ConfigError
        If the set has no corruptions.

    Examples
    --------
    >>> data = tt.data.phantoms("test", count=16)
    >>> def dark(images):
    ...     return np.stack([images.mean((1, 2, 3)) - 128] * 8, 1)
    >>> found = answers_under_corruption({"dark": dark}, data, amounts_of="bloodmnist")
    >>> found["dark"].corrupted["pixelate"].shape
    (5, 16)
    """
    name = amounts_of or data.name
    if name not in MEDMNIST_C:
        raise unknown_name("MedMNIST-C set", name, MEDMNIST_C)
    data.check_not_empty()

    def decisions(images: NDArray[Any]) -> dict[str, NDArray[np.int64]]:
        return {
            who: decide(scores(ask(images), data.task), data.task, (thresholds or {}).get(who))
            for who, ask in networks.items()
        }

    clean = decisions(data.images)
    found: dict[str, dict[str, list[NDArray[np.int64]]]] = {who: {} for who in networks}
    steps = [(kind, severity) for kind in MEDMNIST_C[name] for severity in SEVERITIES]
    for kind, severity in tqdm(
        steps, progress, unit="corruption", leave=False, disable=progress is None
    ):
        damaged = medmnist_c(data, kind, severity, seed, amounts_of=name)
        for who, decided in decisions(damaged.images).items():
            found[who].setdefault(kind, []).append(decided)
    return {
        who: CorruptedAnswers(
            name, data.task, data.labels, clean[who],
            {kind: np.stack(each) for kind, each in found[who].items()},
        )
        for who in networks
    }  # fmt: skip


def baseline_errors(name: str) -> dict[str, Any] | None:
    """Return the recorded errors of the baseline on a set, or None where nobody measured them.

    Returns
    -------
    dict
        ``clean``: balanced error; ``errors``: corruption to its five balanced errors.
    """
    file = resources.files("tinyternary.evaluate") / "baseline_errors.json"
    recorded: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return recorded.get(name)


def balanced_errors(errors: F64, kinds: list[str], baseline: Baseline | None) -> dict[str, F64]:
    """Reduce errors (R, 1 + 5 K) to what is compared: a number (R,) or one a corruption (R, K).

    Returns
    -------
    dict
        ``clean``, ``corrupted`` (the mean over corruptions), ``drop`` (their difference), ``be``,
        ``rbe``; ``error``, ``be_of`` and ``rbe_of``: by corruption. Without a baseline BE and rBE
        are NaN, as are those of corruptions whose quotient is 0 / 0; means leave these out.

    Raises
    ------
    ConfigError
        If the baseline lacks a corruption.
    """
    clean = errors[:, 0]
    error = errors[:, 1:].reshape(len(errors), len(kinds), len(SEVERITIES)).mean(-1)
    b_clean, b_error = np.nan, np.full(len(kinds), np.nan)
    if baseline is not None:
        if missing := [kind for kind in kinds if kind not in baseline["errors"]]:
            raise ConfigError(f"baseline: no errors under {', '.join(missing)}")
        b_clean = baseline["clean"]
        b_error = np.array([np.mean(baseline["errors"][kind]) for kind in kinds])
    be_of = _quotient(error, b_error)
    rbe_of = _quotient(error - clean[:, None], b_error - b_clean)
    corrupted = error.mean(1)
    return {
        "clean": clean, "corrupted": corrupted, "drop": corrupted - clean,
        "be": mean_of_defined(be_of), "rbe": mean_of_defined(rbe_of),
        "error": error, "be_of": be_of, "rbe_of": rbe_of,
    }  # fmt: skip


def _quotient(a: F64, b: F64) -> F64:
    known = np.broadcast_to(b != 0, a.shape)
    return np.asarray(np.divide(a, b, out=np.full(a.shape, np.nan), where=known))


SUMMARY = ("clean", "corrupted", "drop", "be", "rbe")


def robustness(
    answers: CorruptedAnswers,
    baseline: Baseline | None = None,
    *,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> dict[str, Any]:
    """Balanced errors as they are and under corruption, BE and rBE, with bootstrap intervals.

    Parameters
    ----------
    answers : CorruptedAnswers
    baseline : mapping, optional
        As `baseline_errors` gives it, whose record of the set is the default.
    seed, resamples, level
        Of the bootstrap over images; each resample has the same images under every corruption,
        so that ``drop`` is a paired difference. 0 resamples leave the intervals out.

    Returns
    -------
    dict of plain JSON types
        ``clean``, ``corrupted``, ``drop``, ``be`` and ``rbe``, see `balanced_errors`;
        ``intervals``: each of these to [low, high]; ``by_corruption``: name to ``errors`` (by
        severity), ``error`` (their mean), ``be``, ``rbe``; ``baseline``: ``clean`` and
        ``corrupted`` of the baseline, or None; ``set`` and ``images``. What is undefined is None.

    Examples
    --------
    >>> truth = np.array([0, 1, 0, 1])
    >>> wrong_once = np.array([[0, 1, 0, 0]] * 5)
    >>> answers = CorruptedAnswers("x", tt.config.Task.BINARY, truth, truth, {"dark": wrong_once})
    >>> found = robustness(answers, {"clean": 0.1, "errors": {"dark": [0.5] * 5}})
    >>> found["corrupted"], found["be"], found["rbe"]
    (0.25, 0.5, 0.625)
    """
    baseline = baseline_errors(answers.name) if baseline is None else baseline
    kinds, errors = list(answers.corrupted), answers.errors()
    one = balanced_errors(errors, kinds, baseline)
    by_severity = errors[0, 1:].reshape(len(kinds), len(SEVERITIES))
    result: dict[str, Any] = {
        "set": answers.name,
        "images": len(answers.truth),
        **{name: defined(one[name][0]) for name in SUMMARY},
        "by_corruption": {
            kind: {
                "errors": by_severity[i].tolist(),
                "error": float(one["error"][0, i]),
                "be": defined(one["be_of"][0, i]),
                "rbe": defined(one["rbe_of"][0, i]),
            }
            for i, kind in enumerate(kinds)
        },
        "baseline": baseline and {
            "clean": float(baseline["clean"]),
            "corrupted": float(np.mean([baseline["errors"][kind] for kind in kinds])),
        },
    }  # fmt: skip
    if resamples:
        drawn = _bootstrap(answers, baseline, seed, resamples)
        result["intervals"] = {name: percentile_interval(drawn[name], level) for name in SUMMARY}
    return result


def compare_robustness(
    first: CorruptedAnswers,
    second: CorruptedAnswers,
    baseline: Baseline | None = None,
    *,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> dict[str, Any]:
    """Compare two networks asked about the same damaged images: differences are paired.

    Parameters
    ----------
    first, second : CorruptedAnswers
        From one call of `answers_under_corruption`: the teacher's, say, and the student's.
    baseline, seed, resamples, level
        As in `robustness`; each resample has the same images for both.

    Returns
    -------
    dict of plain JSON types
        For each of ``clean``, ``corrupted``, ``drop``, ``be``, ``rbe``: ``first``, ``second``,
        ``difference`` (second less first) and its ``interval``; ``by_corruption``: the same of
        each corruption's error. What is undefined is None.

    Raises
    ------
    ShapeError
        If they were not asked about the same images under the same corruptions.
    """
    if list(first.corrupted) != list(second.corrupted) or not np.array_equal(
        first.truth, second.truth
    ):
        raise ShapeError("robustness: expected answers about the same images and corruptions")
    baseline = baseline_errors(first.name) if baseline is None else baseline
    kinds, pair = list(first.corrupted), (first, second)
    one, two = (balanced_errors(each.errors(), kinds, baseline) for each in pair)
    drawn_one, drawn_two = (_bootstrap(each, baseline, seed, resamples) for each in pair)

    def row(name: str, *at: int) -> dict[str, Any]:
        a, b = (float(each[name][(0, *at)]) for each in (one, two))
        away = drawn_two[name] - drawn_one[name]
        return {
            "first": defined(a),
            "second": defined(b),
            "difference": defined(b - a),
            "interval": percentile_interval(away[:, at[0]] if at else away, level),
        }

    return {
        **{name: row(name) for name in SUMMARY},
        "by_corruption": {kind: row("error", i) for i, kind in enumerate(kinds)},
    }


def _bootstrap(
    answers: CorruptedAnswers, baseline: Baseline | None, seed: int, resamples: int
) -> dict[str, F64]:
    """Draw images with replacement, and reduce each resample as the sample."""
    images = len(answers.truth)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(images, np.full(images, 1 / images), resamples)
    return balanced_errors(answers.errors(weights), list(answers.corrupted), baseline)
