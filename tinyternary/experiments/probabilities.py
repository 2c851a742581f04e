"""What a network's probabilities are worth: calibration, prediction sets, operating points.

Whatever is chosen (a temperature, the limits of sets, thresholds) is chosen on validation images,
and judged on test images.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyternary.config import Task, scores
from tinyternary.evaluate import (
    calibration_by_chance,
    choose_threshold,
    class_limits,
    conformal_sets,
    decision_curve,
    fit_temperature,
    judge_sets,
    operating_point,
    reliability,
    risk_coverage,
    wilson_interval,
)
from tinyternary.evaluate.judged import Judged, judge
from tinyternary.evaluate.metrics import evaluate_scores
from tinyternary.evaluate.paired import paired_intervals
from tinyternary.evaluate.proper_scores import log_losses
from tinyternary.evaluate.strata import all_right
from tinyternary.experiments.subject import Subject

COVERAGE = 0.9
"""Share of prediction sets that are to hold the true class."""
PREVALENCES = (0.1, 0.01)
"""Shares of ill people besides that of the test images: a clinic's, a screening's."""
SENSITIVITY = 0.95
"""What the most careful threshold is asked for, on validation images."""
ANSWERED = (1.0, 0.9, 0.8, 0.7, 0.5)
"""Shares of the images that are answered, the surest first."""
THRESHOLDS = tuple(round(0.02 * i, 2) for i in range(1, 50))
"""Of the decision curves."""
_CURVE_POINTS = 101


def calibrated(subject: Subject, seed: int, resamples: int) -> dict[str, Any]:
    """Compare confidence with accuracy, as trained and at a temperature from validation images.

    Returns
    -------
    dict
        For each network ``temperature``, ``chance`` (the 95 % quantile of the ECE, equal mass,
        that these images show of calibrated confidences), and ``as trained`` and ``scaled``, each
        with ``ece``, ``ece_equal_mass``, ``brier`` and ``log_loss``, their ``intervals``, and
        ``reliability``. With two networks ``difference``: of the scaled
        ``ece_equal_mass``, second less first.
    """
    test, val, task = subject.data.test, subject.data.val, subject.data.task
    found: dict[str, Any] = {}
    last: dict[str, Judged] = {}
    for who, network in subject.networks.items():
        temperature = fit_temperature(val.labels, network.logits(val), task)
        mine: dict[str, Any] = {"temperature": temperature}
        for name, by in (("as trained", 1.0), ("scaled", temperature)):
            logits = network.logits(test) / by
            judged = judge(test.labels, scores(logits, task), task)
            losses = log_losses(logits, judged.one_hot, task)
            all_metrics = evaluate_scores(
                test.labels, judged.scores, task, seed,
                resamples=resamples, means={"log_loss": losses},
            )  # fmt: skip
            shown = ("ece", "ece_equal_mass", "brier", "log_loss")
            mine[name] = {metric: all_metrics[metric] for metric in shown}
            mine[name]["intervals"] = {metric: all_metrics["intervals"][metric] for metric in shown}
            mine[name]["reliability"] = reliability(judged)
            last[who] = judged
        draws = calibration_by_chance(last[who], equal_mass=True, seed=seed, draws=resamples)
        mine["chance"] = float(np.quantile(draws, 0.95))
        found[who] = mine
    if len(last) == 2:
        teacher, student = last.values()
        intervals = paired_intervals(teacher, student, seed, resamples)
        first, second = (found[who]["scaled"]["ece_equal_mass"] for who in last)
        found["difference"] = {"value": second - first, "interval": intervals["ece_equal_mass"]}
    return found


def prediction_sets(subject: Subject) -> dict[str, Any] | None:
    """Let the networks answer with sets of classes, or hold back; tasks of one label.

    Returns
    -------
    dict
        ``coverage`` asked for; ``validation``: images; for each network ``sets``: what is asked
        (one limit for all, or class-wise) to what `judge_sets` gives; and ``risk``: ``area``,
        ``best_area``, a thinned curve of ``coverage`` and ``risk``, and ``at``: the accuracy of
        the surest `ANSWERED` shares with Wilson's intervals.
    """
    test, val, task = subject.data.test, subject.data.val, subject.data.task
    if task is Task.MULTI_LABEL:
        return None
    found: dict[str, Any] = {"coverage": COVERAGE, "validation": len(val)}
    of_class = np.bincount(val.labels, minlength=val.num_classes)
    for who, network in subject.networks.items():
        known, asked = (network.probabilities(part) for part in (val, test))
        sets = {}
        for name, by_class in (("one limit for all", False), ("class by class", True)):
            limits = class_limits(val.labels, known, task, COVERAGE, by_class=by_class)
            given = of_class if by_class else len(val)
            sets[name] = judge_sets(test.labels, conformal_sets(asked, limits), given, COVERAGE)
        found[who] = {"sets": sets, "risk": _risk(subject.test[who])}
    return found


def _risk(judged: Judged) -> dict[str, Any]:
    right, images = all_right(judged), len(judged.truth)
    curve = risk_coverage(right, judged.scores.max(1))
    kept = np.unique(np.linspace(0, images - 1, min(_CURVE_POINTS, images)).round().astype(int))
    at = []
    for share in ANSWERED:
        answered = max(1, round(share * images))
        wrong = round(curve["risk"][answered - 1] * answered)
        at.append({"answered": share, "images": answered, "acc": 1 - curve["risk"][answered - 1],
                   "interval": wilson_interval(answered - wrong, answered)})  # fmt: skip
    return {
        "area": curve["area"], "best_area": curve["best_area"], "at": at,
        "coverage": curve["coverage"][kept].tolist(), "risk": curve["risk"][kept].tolist(),
    }  # fmt: skip


def operating(subject: Subject, seed: int, resamples: int) -> dict[str, Any] | None:
    """Say what deciding for or against each class means; tasks of one label.

    Returns
    -------
    dict
        For each network ``classes``: for each class ``name`` and ``points``: "one half" and
        thresholds chosen on validation images ("balanced", "sensitive"), each what
        `operating_point` gives at the prevalence of the test images, with ``elsewhere``:
        the prevalences `PREVALENCES` to ``ppv``, ``npv`` and their ``intervals``; for tasks of
        two classes also ``curve``: what `decision_curve` gives.
    """
    test, val, task = subject.data.test, subject.data.val, subject.data.task
    if task is Task.MULTI_LABEL:
        return None
    found: dict[str, Any] = {"sensitivity": SENSITIVITY}
    for who, network in subject.networks.items():
        known, asked = (network.probabilities(part) for part in (val, test))
        classes = []
        for number, name in enumerate(test.class_names):
            inside = test.labels == number
            if not 0 < inside.sum() < len(inside):
                continue  # nothing to find, or to leave alone
            row: dict[str, Any] = {"name": name, "points": {}}
            belongs = (val.labels == number).astype(np.int64)
            cuts = {
                "one half": 0.5,
                "balanced": choose_threshold(belongs, known[:, number], Task.BINARY),
                "sensitive": choose_threshold(
                    belongs, known[:, number], Task.BINARY, "sensitivity", SENSITIVITY
                ),
            }
            for goal, cut in cuts.items():
                row["points"][goal] = _point(test.labels, asked, task, float(cut), number)
            if test.num_classes == 2:
                row["curve"] = decision_curve(
                    test.labels,
                    asked,
                    task,
                    THRESHOLDS,
                    positive=number,
                    seed=seed,
                    resamples=resamples,
                )
            classes.append(row)
        found[who] = {"classes": classes}
    return found


def _point(labels: Any, asked: Any, task: Task, cut: float, number: int) -> dict[str, Any]:
    at = operating_point(labels, asked, task, cut, positive=number)
    at["elsewhere"] = {}
    for prevalence in PREVALENCES:
        other = operating_point(labels, asked, task, cut, positive=number, prevalence=prevalence)
        at["elsewhere"][f"{prevalence:g}"] = {
            "ppv": other["ppv"], "npv": other["npv"],
            "intervals": {name: other["intervals"].get(name) for name in ("ppv", "npv")},
        }  # fmt: skip
    return at
