"""Headline and mistakes: what both networks get right, how they differ, what they confuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.report.page import Section, Table, Tile
from tinyternary.report.predictions import confusion_matrix, prediction_grid
from tinyternary.report.trust.figures import estimates
from tinyternary.report.trust.words import (
    counted,
    name_of,
    names_of,
    networks,
    number,
    points,
    share,
)

_TITLES = {
    "acc": "accuracy", "auc": "AUC", "balanced_accuracy": "balanced accuracy",
    "sensitivity": "sensitivity", "specificity": "specificity", "f1": "F1",
    "kappa": "kappa, quadratic weights",
}  # fmt: skip
"""Metrics of the headline, in order; kappa for ordered classes only."""


@dataclass(frozen=True)
class Examples:
    """Test images that the student gets wrong, the most confident mistakes first.

    Attributes
    ----------
    images : (N, H, W, C) uint8
    labels, predictions : list of N str
    confidences : list of N float
    """

    images: NDArray[np.uint8]
    labels: list[str]
    predictions: list[str]
    confidences: list[float]


def accuracy_section(record: Mapping[str, Any]) -> Section:
    """Compare both networks by the metrics of MedMNIST and by what these hide."""
    found, who = record["accuracy"], networks(record)
    shown = [name for name in _TITLES if name in found["student"]]
    header = ["test images", *names_of(record)]
    pair = len(who) == 2
    if pair:
        header.append("difference, points")
    rows = []
    for name in shown:
        row = [_TITLES[name], *(_metric(found[key], name) for key in who)]
        if pair:
            difference = found["difference"].get(name, {"value": None, "interval": None})
            row.append(points(difference["value"], difference["interval"]))
        rows.append(row)
    figure = estimates(
        {"": [(_TITLES[name], {key: (found[key][name], found[key]["intervals"].get(name))
                               for key in who}) for name in shown]},
        names=dict(zip(who, names_of(record))), xlabel="% (AUC, F1 and kappa: hundredths)",
    )  # fmt: skip
    return Section(
        "What is right" if not pair else "Teacher and student: what is right",
        _accuracy_words(record),
        figure,
        "Metrics of each network on the test images, with 95 % intervals",
        Table(header, rows, caption=_accuracy_caption(record)),
    )


def _metric(found: Mapping[str, Any], name: str) -> str:
    interval = found["intervals"].get(name)
    write = number if name in ("auc", "f1", "kappa") else share
    return write(found[name], interval)


def _accuracy_words(record: Mapping[str, Any]) -> str:
    found, images = record["accuracy"], record["data"]["images"]["test"]
    student = found["student"]
    text = (
        f"Of {counted(images, 'test image')} the {name_of(record, 'student')} answers "
        f"{share(student['acc'])} correctly; another draw of such images could give anything from "
        f"{share(student['intervals']['acc'][0])} to {share(student['intervals']['acc'][1])}."
    )
    if "difference" in found:
        text += f" {difference_words(found['difference']['acc'])}"
    return text


def difference_words(difference: Mapping[str, Any]) -> str:
    """Say what the interval of student less teacher carries, in one sentence."""
    low, high = (100 * end for end in difference["interval"])
    if low <= 0 <= high:
        return (
            "These images do not tell student and teacher apart: the difference in accuracy lies "
            f"between {low:+.1f} and {high:+.1f} points."
        )
    side = "above" if low > 0 else "below"
    return (
        f"The student is {side} its teacher by {abs(100 * difference['value']):.1f} points of "
        f"accuracy ({low:+.1f} to {high:+.1f}), more than chance among images explains."
    )


def _accuracy_caption(record: Mapping[str, Any]) -> str:
    text = (
        "One pass of the packed file for each image. In brackets 95 % bootstrap intervals over "
        "test images; those of the difference draw the same images for both networks. AUC and "
        "accuracy as MedMNIST's own evaluator has them"
    )
    if record["data"]["task"] == "binary-class":
        text += f"; sensitivity is that for “{record['data']['class_names'][1]}”"
    recorded = {who: record["model"][who].get("recorded") for who in networks(record)}
    copies = [
        f"{who} {share(each['acc'])} and {number(each['auc'])} ({_copies(each)} copies)"
        for who, each in recorded.items()
        if each and each["acc"] is not None and _copies(each) > 1
    ]
    if copies:
        text += (
            ". Averaging mirrored and moved copies of each image, the runs recorded an accuracy "
            f"and an AUC of: {', '.join(copies)}"
        )
    return f"{text}."


def _copies(recorded: Mapping[str, Any]) -> int:
    mirrored = {"none": 1, "horizontal": 2, "both": 4}[recorded["flips"]]
    return int(mirrored * (2 * recorded["shifts"] + 1) ** 2)


def tiles(record: Mapping[str, Any]) -> list[Tile]:
    """Give the large numbers at the top of the page."""
    student, teacher = record["accuracy"]["student"], record["accuracy"].get("teacher")
    costs = record["cost"]

    def beside(name: str, write: Any) -> str:
        low, high = student["intervals"].get(name, (None, None))
        text = f"95 %: {write(low)} to {write(high)}"
        return text if teacher is None else f"{text}; teacher {write(teacher[name])}"

    found = [
        Tile(share(student["acc"]), "of test images right", beside("acc", share)),
        Tile(number(student["auc"]), "AUC", beside("auc", number)),
        Tile(f"{costs['student']['file_bytes'] / 1024:.0f} KiB", "packed file",
             f"teacher {costs['teacher']['file_bytes'] / 1024:.0f} KiB" if teacher else ""),
    ]  # fmt: skip
    difference = record["accuracy"].get("difference", {}).get("acc")
    if difference:
        low, high = (f"{100 * end:+.1f}" for end in difference["interval"])
        found.insert(1, Tile(f"{100 * difference['value']:+.1f}", "points from the teacher",
                             f"95 %: {low} to {high}"))  # fmt: skip
    return found


def mistakes_section(record: Mapping[str, Any], wrong: Examples | None = None) -> Section | None:
    """Show which class is taken for which, and the mistakes that were made with confidence."""
    found, names = record["accuracy"]["student"], record["data"]["class_names"]
    counts = np.asarray(found["confusion"])
    parts = []
    if wrong is not None and len(wrong.images):
        parts.append(
            Section(
                "The mistakes it was surest of",
                "Wrong answers with the highest probabilities; a frame in orange marks a mistake. "
                "No clinician has looked at them.",
                prediction_grid(
                    wrong.images, wrong.labels, wrong.predictions, wrong.confidences,
                    synthetic=record["data"]["synthetic"],
                ),
                "Test images that the network gets wrong, with its answers",
            )
        )  # fmt: skip
    if counts.ndim != 2:  # several labels an image: no class is taken for another
        return Section("Its mistakes", _wrong_words(record), parts=parts) if parts else None
    return Section(
        "Which class is taken for which",
        _wrong_words(record) + _commonest(counts, names),
        confusion_matrix(counts, names, title=f"{name_of(record, 'student')}, test images"),
        "Confusion matrix on the test images",
        parts=parts,
    )


def _wrong_words(record: Mapping[str, Any]) -> str:
    found, images = record["accuracy"]["student"], record["data"]["images"]["test"]
    if found["acc"] is None:
        return ""
    return (
        f"{share(1 - found['acc'])} of the answers about {counted(images, 'test image')} are "
        "wrong, and not at random. "
    )


def _commonest(counts: NDArray[Any], names: list[str]) -> str:
    wrong = counts - np.diag(np.diag(counts))
    if not wrong.any():
        return "No test image is taken for another class."
    row, column = np.unravel_index(wrong.argmax(), wrong.shape)
    return (
        f"The commonest mistake, {counted(int(wrong.max()), 'image')}, is to take "
        f"“{names[row]}” for “{names[column]}”."
    )
