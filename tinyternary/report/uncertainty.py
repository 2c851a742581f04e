"""How far results can be trusted: calibration, images that all seeds miss, sources of spread.

Lessons 11 and 12 read them; all take plain numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tinyternary.report.style import ACCENT, FLOAT, MUTED, TERNARY, grid_behind, new_figure, styled

_COLORS = {"teacher": FLOAT, "student": TERNARY}


def reliability_diagram(
    bins: Mapping[str, Sequence[Mapping[str, Sequence[Any]]]], *, title: str = ""
) -> Figure:
    """Draw accuracy against confidence, teacher and student, seeds summed bin by bin.

    Parameters
    ----------
    bins : mapping
        "teacher" and "student" to one `tinyternary.evaluate.calibration.reliability` per seed.
    title : str

    Returns
    -------
    Figure
        Above: accuracy by confidence; on the dashed line 0.8 is right eight times in ten.
        Below: the share of decisions in each bin.
    """
    with styled():
        figure, (top, bottom) = new_figure(
            4.6, 4.8, 2, 1, sharex=True, height_ratios=(3, 1), squeeze=True
        )
        top.plot([0, 1], [0, 1], "--", color=MUTED, linewidth=1)
        for who, color in _COLORS.items():
            counts, confidence, accuracy = _pooled(bins[who])
            kept = counts > 0
            top.plot(confidence[kept], accuracy[kept], "o-", color=color, label=who, markersize=4)
            edges = np.linspace(0, 1, len(counts) + 1)
            shares = counts / counts.sum()
            bottom.stairs(shares, edges, color=color, fill=True, alpha=0.3)
            bottom.stairs(shares, edges, color=color)
        top.set_title(title)
        top.set_ylabel("accuracy")
        top.legend(loc="upper left")
        bottom.set_xlabel("confidence in the decision")
        bottom.set_ylabel("share")
        for ax in (top, bottom):
            grid_behind(ax)
    return figure


def _pooled(bins: Sequence[Mapping[str, Sequence[Any]]]) -> tuple[Any, Any, Any]:
    """Images, mean confidence and accuracy by bin over seeds."""
    counts = np.array([each["images"] for each in bins], np.float64)

    def mean(part: str) -> Any:
        values = np.array([[v or 0.0 for v in each[part]] for each in bins], np.float64)
        return (counts * values).sum(0) / np.maximum(counts.sum(0), 1)

    return counts.sum(0), mean("confidence"), mean("accuracy")


def missed_by(
    wrong: Mapping[str, Mapping[str, Sequence[int]]], images: Mapping[str, int]
) -> Figure:
    """Draw the share of test images that some, or all, seeds of a network get wrong.

    Parameters
    ----------
    wrong : mapping
        Data set to "teacher" and "student" to images by how many seeds miss them.
    images : mapping of str to int
        Test images of each data set.
    """
    names = list(wrong)
    with styled():
        figure, axes = new_figure(3.2 * len(names), 2.9, 1, len(names), squeeze=False)
        for ax, name in zip(axes[0], names):
            for shift, (who, color) in zip((-0.2, 0.2), _COLORS.items()):
                bins = 100 * np.asarray(wrong[name][who][1:]) / images[name]
                places = np.arange(1, len(bins) + 1)
                ax.bar(places + shift, bins, width=0.36, color=color, label=who)
            ax.set_xticks(places)
            ax.set_xlabel(f"missed by so many of {len(bins)} seeds")
            ax.set_title(f"{name}: {images[name]:,} images", fontsize=10)
            ax.set_ylabel("% of test images")
            grid_behind(ax)
        axes[0, 0].legend()
    return figure


def by_similarity(records: Mapping[str, Mapping[str, Sequence[Any]]]) -> Figure:
    """Draw accuracy against how much test images look like a training image.

    Parameters
    ----------
    records : mapping
        Data set to what `tinyternary.experiments.answers.by_similarity` gives.
    """
    colors = {"nearest": ACCENT, **_COLORS}
    names = {"nearest": "label of the most similar training image", "teacher": "teacher",
             "student": "student"}  # fmt: skip
    with styled():
        figure, axes = new_figure(5.4 * len(records), 3.6, 1, len(records), squeeze=False)
        for ax, (data, record) in zip(axes[0], records.items()):
            edges = [f"{edge:g}" for edge in record["above"]]
            bands = [f"below {edges[0]}", *(f"to {edge}" for edge in edges[1:]),
                     f"above {edges[-1]}"]  # fmt: skip
            places = np.arange(len(bands))
            for shift, (who, color) in zip((-0.27, 0.0, 0.27), colors.items()):
                heights = [100 * (value or 0.0) for value in record[who]]
                ax.bar(places + shift, heights, width=0.25, color=color, label=names[who])
            ticks = [f"{band}\n{count:,}" for band, count in zip(bands, record["images"])]
            ax.set_xticks(places, ticks, fontsize=8)
            ax.set_xlabel("correlation with the most similar training image; images")
            ax.set_ylabel("% right")
            ax.set_ylim(0, 100)
            ax.set_title(data)
            grid_behind(ax)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def half_widths(rows: Sequence[tuple[str, float | None, float]]) -> Figure:
    """Draw how far a mean could move with other seeds, and with other test images.

    Parameters
    ----------
    rows : sequence of (name, seeds, images)
        Half widths of 95 % intervals, in units of the metric: of the t-interval over seeds
        (None for one seed), and of the bootstrap over test images.
    """
    with styled():
        figure, ax = new_figure(7.0, 1.1 + 0.5 * len(rows))
        for y, (_, seeds, images) in enumerate(rows):
            if seeds is not None:
                ax.barh(y - 0.18, 100 * seeds, height=0.32, color=TERNARY)
            ax.barh(y + 0.18, 100 * images, height=0.32, color=ACCENT)
        ax.set_yticks(range(len(rows)), [name for name, _, _ in rows])
        ax.set_xlabel("± points of accuracy, half of a 95 % interval")
        grid_behind(ax, "x")
        handles = [
            Line2D([], [], linewidth=6, color=TERNARY, label="other seeds (t, mean of the seeds)"),
            Line2D([], [], linewidth=6, color=ACCENT, label="other test images (bootstrap)"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8)
    return figure
