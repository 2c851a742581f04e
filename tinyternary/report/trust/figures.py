"""Values with their intervals, teacher beside student: the figure that most sections share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tinyternary.report.style import FLOAT, TERNARY, grid_behind, new_figure, styled
from tinyternary.text import no_formula, visible

COLORS = {"teacher": FLOAT, "student": TERNARY}
Estimate = tuple[float | None, Sequence[float] | None]
"""A value and its interval, either of them None where there is none."""


def shown(name: str, limit: int = 34) -> str:
    """Write a name from outside as a figure can show it."""
    text = visible(name)
    return no_formula(text if len(text) <= limit else f"{text[: limit - 1]}…")


def estimates(
    panels: Mapping[str, Sequence[tuple[str, Mapping[str, Estimate]]]],
    *,
    names: Mapping[str, str],
    xlabel: str,
    scale: float = 100.0,
) -> Figure:
    """Draw values and intervals of each network, a row a quantity, in panels one over another.

    Parameters
    ----------
    panels : mapping
        Title to rows: what the row is called, and network ("teacher", "student") to value and
        interval.
    names : mapping of str to str
        Network to what it is called in the legend.
    xlabel : str
    scale : float
        Values are multiplied by it: 100 writes shares in percent.
    """
    heights = [len(rows) for rows in panels.values()]
    with styled():
        figure, axes = new_figure(
            7.4, 0.9 + 0.42 * sum(heights) + 0.35 * len(heights), len(panels), 1,
            squeeze=False, sharex=True, height_ratios=[n + 0.3 for n in heights],
        )  # fmt: skip
        for ax, (title, rows) in zip(axes[:, 0], panels.items()):
            _rows(ax, rows, names, scale)
            if title:
                ax.set_title(title, fontsize=10)
        axes[-1, 0].set_xlabel(xlabel)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        if len(names) > 1:
            figure.legend(handles, labels, loc="outside upper right", ncols=2, fontsize=9)
    return figure


def _rows(
    ax: Axes, rows: Sequence[tuple[str, Mapping[str, Estimate]]], names: Mapping[str, str],
    scale: float,
) -> None:  # fmt: skip
    shifts = {who: 0.28 * (place - (len(names) - 1) / 2) for place, who in enumerate(names)}
    for who, label in names.items():
        found = [(y + shifts[who], *values[who]) for y, (_, values) in enumerate(rows)]
        known = [(y, value, interval) for y, value, interval in found if value is not None]
        ax.plot([scale * v for _, v, _ in known], [y for y, _, _ in known], "o", markersize=5,
                color=COLORS[who], label=label)  # fmt: skip
        for y, _, interval in known:
            if interval is not None:
                ax.plot([scale * end for end in interval], [y, y], color=COLORS[who], linewidth=2)
    ax.set_yticks(range(len(rows)), [shown(name) for name, _ in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    grid_behind(ax, "x")
