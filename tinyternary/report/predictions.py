"""What a network said: which class was taken for which, and images with its answers."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tinyternary.report.style import (
    ACCENT,
    CLINICAL_NOTE,
    INK,
    MUTED,
    SYNTHETIC_NOTE,
    TERNARY,
    new_figure,
    styled,
)
from tinyternary.text import no_formula, visible

_MAP = LinearSegmentedColormap.from_list("ternary", ["#ffffff", TERNARY])


def confusion_matrix(
    counts: NDArray[np.int64], class_names: Sequence[str], *, title: str
) -> Figure:
    """Draw a confusion matrix: rows are true classes, shades are shares of the row.

    Parameters
    ----------
    counts : (C, C) int64
        ``counts[i, j]`` images of class i were called j.
    class_names : sequence of C str
    title : str
    """
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    class_names = [visible(name) for name in class_names]
    names = [no_formula(textwrap.fill(name.replace("(", " ("), 22)) for name in class_names]
    # one line each below the columns, where lines of neighbours would run into each other
    short = [
        no_formula(textwrap.shorten(name.split("(")[0], 24, placeholder="…"))
        for name in class_names
    ]
    size = len(names)
    with styled():
        figure, ax = new_figure(2.6 + 0.62 * size, 1.5 + 0.52 * size)
        ax.imshow(shares, cmap=_MAP, vmin=0, vmax=1)
        for i in range(size):
            for j in range(size):
                if counts[i, j]:
                    ax.text(
                        j,
                        i,
                        str(counts[i, j]),
                        ha="center",
                        va="center",
                        fontsize=9,
                        color="white" if shares[i, j] > 0.6 else INK,
                    )
        ax.set_xticks(
            range(size), short, rotation=35, ha="right", rotation_mode="anchor", fontsize=8
        )
        ax.set_yticks(range(size), names, fontsize=8)
        ax.set(title=title, xlabel="predicted", ylabel="true")
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
    return figure


def show_image(axes: Axes, image: NDArray[np.uint8]) -> None:
    """Draw one (H, W, C) image, grey or colour, without ticks."""
    if image.shape[-1] == 1:
        axes.imshow(image[..., 0], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    else:
        axes.imshow(image, interpolation="nearest")
    axes.set(xticks=[], yticks=[])


def prediction_grid(
    images: NDArray[np.uint8],
    labels: Sequence[str],
    predictions: Sequence[str],
    confidences: Sequence[float],
    *,
    synthetic: bool,
    columns: int = 8,
) -> Figure:
    """Draw images, each with its predicted class, and the true one where they differ.

    Parameters
    ----------
    images : (N, H, W, C) uint8
    labels, predictions : sequence of N str
        Class names.
    confidences : sequence of N float
        Probability of the predicted class.
    synthetic : bool
        Whether to say that these are phantoms and not patients.
    columns : int
        Images in a row.
    """
    rows = -(-len(images) // columns)
    with styled():
        figure, axes = new_figure(1.25 * columns, 1.85 * rows + 0.3, rows, columns, squeeze=False)
        for ax in axes.flat[len(images) :]:
            ax.set_axis_off()
        for ax, image, label, guess, confidence in zip(
            axes.flat, images, labels, predictions, confidences
        ):
            show_image(ax, image)
            right = label == guess
            for spine in ax.spines.values():
                spine.set(visible=True, color=TERNARY if right else ACCENT, linewidth=2)
            caption = f"{no_formula(_short(visible(guess)))}\n{confidence:.0%}"
            if not right:
                caption += f"\nis: {no_formula(_short(visible(label)))}"
            ax.set_xlabel(caption, fontsize=7, color=INK if right else ACCENT, labelpad=3)
        note = f"{SYNTHETIC_NOTE} · {CLINICAL_NOTE}" if synthetic else CLINICAL_NOTE
        figure.supxlabel(note, fontsize=8, color=MUTED)
    return figure


def _short(name: str, limit: int = 18) -> str:
    """Cut a class name at a word so that it fits under a thumbnail."""
    return textwrap.shorten(name, limit, placeholder="…") if " " in name else name[:limit]
