"""The demo's report: what was trained, what it became, and what that is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.report.bars import Pair, pair_bars
from tinyternary.report.curves import training_curves
from tinyternary.report.page import Page, Section, Table, Tile
from tinyternary.report.predictions import confusion_matrix, prediction_grid
from tinyternary.report.style import CLINICAL_NOTE, SYNTHETIC_NOTE
from tinyternary.report.weights import latent_histogram, latent_to_bytes, trit_shares


@dataclass(frozen=True)
class DemoPictures:
    """What the figures are drawn from, beside the numbers in `metrics.json`.

    Attributes
    ----------
    images : (N, H, W, C) uint8
        Test images to show.
    labels, predictions : list of N str
        Class names; the predictions are the packed student's.
    confidences : list of N float
    confusion : (C, C) int64, or None for multi-label tasks
        The student's, on the whole test set.
    histories : mapping of str to history rows
        ``"teacher"`` and ``"student"``.
    latent : mapping of str to (N, K) float32
        Latent weights of the ternary layers.
    trits : mapping of str to (N, K) int8
    codes : mapping of str to (N, ceil(K / 4)) uint8
        Packed trits in plain order.
    scales : mapping of str to float
        Mean scale of each layer.
    """

    images: NDArray[np.uint8]
    labels: list[str]
    predictions: list[str]
    confidences: list[float]
    confusion: NDArray[np.int64] | None
    histories: Mapping[str, Any]
    latent: Mapping[str, NDArray[np.float32]]
    trits: Mapping[str, NDArray[np.int8]]
    codes: Mapping[str, NDArray[np.uint8]]
    scales: Mapping[str, float]


def demo_page(metrics: dict[str, Any], rows: list[list[str]], pictures: DemoPictures) -> Page:
    """Build the page.

    Parameters
    ----------
    metrics : dict
        The content of `metrics.json`.
    rows : list of list of str
        The table of the demo; its first row is the header.
    pictures : DemoPictures
    """
    data, teacher, student = metrics["data"], metrics["teacher"], metrics["student"]
    agreement, synthetic = metrics["agreement"], bool(data["synthetic"])
    shown = next(iter(pictures.latent))
    sections = [
        Section("Teacher and student", table=Table(rows[0], rows[1:], caption=_how(metrics))),
        Section(
            "What the student sees and says",
            "Test images with the packed student's answer and its probability. A frame in orange "
            "marks a mistake.",
            prediction_grid(
                pictures.images,
                pictures.labels,
                pictures.predictions,
                pictures.confidences,
                synthetic=synthetic,
            ),
            "Test images with predicted classes",
        ),
        Section(
            "How both learned",
            "The student starts from the teacher's weights, rounded to trits in every forward pass "
            "while the float weights behind them (the latent weights) go on learning.",
            training_curves(pictures.histories),
            "Loss and validation accuracy of teacher and student by epoch",
        ),
        Section(
            "Why the weights are not −1, 0, 1 while training",
            "The optimiser moves latent weights in small steps. What the network computes with is "
            "what each becomes at the threshold; only those trits are packed.",
            latent_histogram(
                pictures.latent[shown], pictures.trits[shown], pictures.scales[shown], name=shown
            ),
            "Histogram of latent weights, coloured by the trit each becomes",
        ),
        Section(
            "From floats to bytes",
            "A corner of the same layer: what training moves, what the network computes with, and "
            "what the file holds. A code is its trit plus one, in two bits; the first of four "
            "stands in a byte's lowest bits.",
            latent_to_bytes(
                pictures.latent[shown], pictures.trits[shown], pictures.codes[shown], name=shown
            ),
            "A corner of a weight matrix as floats, as trits and as bytes",
        ),
        Section(
            "Trits, layer by layer",
            figure=trit_shares(pictures.trits),
            alt="Stacked bars of the shares of -1, 0 and +1 in each layer",
        ),
    ]
    if pictures.confusion is not None:
        sections.append(
            Section(
                "Which class is taken for which",
                "The packed student on the whole test set. "
                f"Always naming the largest class would score {data['majority_share']:.1%}.",
                confusion_matrix(
                    pictures.confusion, data["class_names"], title="Student, test images"
                ),
                "Confusion matrix of the student on the test set",
            )
        )
    energy = metrics["energy_model"]
    sections.append(
        Section(
            "Bytes and energy",
            "Bytes are those of the files on disk. Latency is measured on this machine. Energy is "
            f"modelled, not measured ({energy}); its bars carry the range of the constants.",
            pair_bars(
                [
                    Pair(
                        "file, KiB",
                        teacher["bytes_on_disk"] / 1024,
                        student["bytes_on_disk"] / 1024,
                    ),
                    Pair(
                        "latency at batch 1, ms",
                        teacher["latency_ms"]["1"]["median"],
                        student["latency_ms"]["1"]["median"],
                        style=".2f",
                    ),
                    Pair(
                        "energy per image, µJ (modelled)",
                        teacher["energy_uj"]["middle"],
                        student["energy_uj"]["middle"],
                        _range(teacher),
                        _range(student),
                    ),
                ],
                note="teacher in float32, student in 2-bit trits and int8 activations",
            ),
            "Bars of file size, latency and modelled energy, teacher beside student",
        )
    )
    return Page(
        title=f"tinyternary on {data['title']}",
        lead=(
            f"A ternary Vision Transformer, distilled from a float one on {data['train']:,} "
            f"images, packed to {student['bytes_on_disk'] / 1024:.0f} KiB and run by kernels that "
            "read 2-bit codes."
        ),
        banner=f"{SYNTHETIC_NOTE} · {CLINICAL_NOTE}" if synthetic else CLINICAL_NOTE,
        tiles=[
            Tile(
                f"{student['accuracy']:.1%}",
                "student's test accuracy",
                f"teacher {teacher['accuracy']:.1%}",
            ),
            Tile(
                f"{teacher['bytes_on_disk'] / student['bytes_on_disk']:.1f}x",
                "smaller on disk",
                f"{student['bytes_on_disk']:,} bytes",
            ),
            Tile(
                f"{student['latency_ms']['1']['median']:.2f} ms",
                "per image at batch 1",
                f"teacher {teacher['latency_ms']['1']['median']:.2f} ms",
            ),
            Tile(
                f"{agreement['equal_predictions']:.1%}",
                "of predictions equal",
                "packed engine and training model",
            ),
        ],
        sections=sections,
        footer=(
            f"Made by tinyternary {metrics['tinyternary']} with seed {metrics['seed']} on "
            f"{metrics['machine']['cpu']}, {metrics['machine']['threads']} threads. "
            "Every number on this page stands in metrics.json."
        ),
    )


def _range(network: dict[str, Any]) -> tuple[float, float]:
    energy = network["energy_uj"]
    return energy["low"], energy["high"]


def _how(metrics: dict[str, Any]) -> str:
    agreement = metrics["agreement"]
    return (
        f"Accuracy and AUC on {metrics['data']['test']:,} test images, with 95 % bootstrap "
        "intervals. Both networks run in the same inference engine. Packed engine against the "
        f"training model: largest logit difference {agreement['largest_difference']:.2g}, "
        f"{agreement['equal_predictions']:.2%} of predictions equal."
    )
