"""Results of an experiment as figures: against published numbers, by epoch, seed by seed.

Lesson 12 reads them. Every function takes plain numbers: what a notebook read from run
folders or from a collected file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tinyternary.report.style import (
    FLOAT,
    GRID,
    INK,
    MUTED,
    TERNARY,
    grid_behind,
    new_figure,
    styled,
)

_COLORS = {"teacher": FLOAT, "student": TERNARY}
_LONG = {"acc": "test ACC", "auc": "test AUC"}

Summary = Mapping[str, Any]


def against_published(
    name: str,
    values: Mapping[str, Mapping[str, Sequence[float | None]]],
    summaries: Mapping[str, Mapping[str, Summary]],
    published: Mapping[str, Mapping[str, float]],
) -> Figure:
    """Draw ACC and AUC of teacher and student beside published numbers.

    Parameters
    ----------
    name : str
        Of the data set.
    values : mapping
        "teacher" and "student" to metric ("acc", "auc") to one number per seed, None
        where it is undefined: it is not drawn.
    summaries : mapping
        The same keys to `tinyternary.experiments.over_seeds`: ``mean`` and ``interval``.
    published : mapping of str to mapping
        Method to metric to number; a metric that is missing is left out.

    Returns
    -------
    Figure
        One row per method; small dots are seeds, bars the 95 % t-interval of their mean.
    """
    methods = list(published)
    with styled():
        figure, axes = new_figure(9.0, 1.4 + 0.34 * (len(methods) + 2), 1, 2, sharey=True)
        for ax, metric in zip(axes, ("acc", "auc")):
            for y, method in enumerate(methods):
                if metric in published[method]:
                    ax.plot(published[method][metric], y, "D", color=MUTED, markersize=6)
            for y, who in ((len(methods), "teacher"), (len(methods) + 1, "student")):
                summary = summaries[who][metric]
                ax.plot(
                    np.asarray(values[who][metric], np.float64),
                    [y] * len(values[who][metric]),
                    "o",
                    color=_COLORS[who],
                    alpha=0.35,
                    markersize=5,
                    markeredgewidth=0,
                )
                if summary["mean"] is None:
                    continue
                _interval(ax, summary, y, _COLORS[who])
                ax.annotate(
                    f"{summary['mean']:.3f}",
                    (summary["mean"], y),
                    (0, 7),
                    ha="center",
                    textcoords="offset points",
                    fontsize=8,
                    color=_COLORS[who],
                )
            ax.set_title(f"{name}, {_LONG[metric]}")
            ax.xaxis.get_major_locator().set_params(nbins=5)  # 0.9975 is wide
            grid_behind(ax, "x")
            ax.margins(x=0.12)
        axes[0].set_yticks(range(len(methods) + 2), [*methods, "float teacher", "ternary student"])
        axes[0].set_ylim(-0.6, len(methods) + 1.8)
    return figure


def _interval(ax: Axes, summary: Summary, y: float, color: str) -> None:
    """Draw a mean, and its interval where there is one; ends beyond [0, 1] mean nothing."""
    if summary["interval"] is not None:
        low, high = np.clip(summary["interval"], 0, 1)
        ax.plot([low, high], [y, y], color=color, linewidth=2.2, solid_capstyle="round")
    ax.plot(summary["mean"], y, "o", color=color, markersize=8, markeredgecolor="white")


def seed_pairs(
    experiments: Mapping[str, Mapping[str, Mapping[str, Sequence[float | None]]]],
    differences: Mapping[str, Mapping[str, Summary]],
    *,
    margin: float = 0.01,
) -> Figure:
    """Draw student minus teacher for each seed, with the interval of the mean.

    Parameters
    ----------
    experiments : mapping
        Name to "teacher" and "student" to metric to one number per seed.
    differences : mapping
        Name to metric to the paired difference's ``mean`` and ``interval``.
    margin : float
        Differences within this of 0 are shaded: the loss that was allowed.

    Returns
    -------
    Figure
        In points (hundredths), one panel per metric.
    """
    names = list(experiments)
    with styled():
        figure, axes = new_figure(9.0, 1.5 + 0.62 * len(names), 1, 2, sharey=True, squeeze=False)
        for ax, metric in zip(axes[0], ("acc", "auc")):
            ax.axvspan(-100 * margin, 100 * margin, color=GRID, zorder=0)
            ax.axvline(0, color=MUTED, linewidth=1)
            for y, name in enumerate(names):
                pairs = experiments[name]
                student, teacher = (
                    np.asarray(pairs[who][metric], np.float64) for who in ("student", "teacher")
                )
                apart = 100 * (student - teacher)  # NaN, of None, is not drawn
                ax.plot(apart, [y] * len(apart), "o", color=TERNARY, alpha=0.4,
                        markersize=6, markeredgewidth=0)  # fmt: skip
                found = differences[name][metric]
                if found["interval"] is not None:
                    ends = [100 * end for end in found["interval"]]
                    ax.plot(ends, [y + 0.22] * 2, color=INK, linewidth=1.6)
                if found["mean"] is not None:
                    ax.plot(100 * found["mean"], y + 0.22, "o", color=INK, markersize=6)
            ax.set_title(f"student - teacher, {_LONG[metric]}")
            ax.set_xlabel("points (1 / 100)")
            ax.xaxis.get_major_locator().set_params(nbins=6)
            grid_behind(ax, "x")
        axes[0, 0].set_yticks(range(len(names)), names)
        axes[0, 0].set_ylim(-0.5, len(names) - 0.2)
        handles = [
            Line2D([], [], marker="o", linestyle="", color=TERNARY, alpha=0.4, label="one seed"),
            Line2D([], [], marker="o", color=INK, label="mean, 95 % t-interval"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8)
    return figure


def stage_curves(
    curves: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]], *, name: str = ""
) -> Figure:
    """Draw loss and validation metrics of teacher and student, one thin line per seed.

    Parameters
    ----------
    curves : mapping
        Seed to stage ("teacher", "student"; others are left out) to rows of a history.
    name : str
        Of the data set.
    """
    columns = (("train_loss", "training loss"), ("val_acc", "validation ACC"),
               ("val_auc", "validation AUC"))  # fmt: skip
    with styled():
        figure, axes = new_figure(10.0, 3.0, 1, 3)
        for ax, (column, title) in zip(axes, columns):
            for stages in curves.values():
                for who, color in _COLORS.items():
                    rows = [row for row in stages.get(who, ()) if row.get(column) is not None]
                    ax.plot([row["epoch"] for row in rows], [row[column] for row in rows],
                            color=color, alpha=0.65, linewidth=1.2)  # fmt: skip
            ax.set_title(f"{name}, {title}" if name else title, fontsize=10)
            ax.set_xlabel("epoch")
            grid_behind(ax)
        lines = [Line2D([], [], color=c, label=who) for who, c in _COLORS.items()]
        axes[0].legend(handles=lines, loc="upper right")
    return figure
