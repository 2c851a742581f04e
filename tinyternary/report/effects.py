"""A factorial experiment as figures: main effects, interactions, size against accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from tinyternary.report.style import ACCENT, MUTED, SERIES, TERNARY, grid_behind, new_figure, styled

_WORDS: dict[Any, str] = {True: "teacher and labels", False: "labels alone"}
_TITLES = {"test_acc": "test ACC", "test_auc": "test AUC", "val_acc": "validation ACC",
           "val_auc": "validation AUC", "test_loss": "test loss, nats"}  # fmt: skip

Level = Mapping[str, Any]


def main_effects(
    responses: Mapping[str, Sequence[Level]], references: Mapping[str, float] | None = None
) -> Figure:
    """Draw the marginal mean of each level of each factor, with its interval.

    Parameters
    ----------
    responses : mapping of str to levels
        "test_acc", ... to rows with ``factor``, ``level``, ``mean`` and ``half``
        (half the width of the interval), the same levels for each.
    references : mapping of str to float, optional
        A number to compare with, such as the float teacher's: a dashed line.
    """
    names = list(responses)
    rows = responses[names[0]]
    places = _places(rows)
    with styled():
        figure, axes = new_figure(
            1.8 + 3.4 * len(names), 0.9 + 0.27 * max(places), 1, len(names), sharey=True,
            squeeze=False,
        )  # fmt: skip
        for ax, name in zip(axes[0], names):
            for y, row in zip(places, responses[name]):
                ax.errorbar(row["mean"], y, xerr=row["half"], fmt="o", color=TERNARY, capsize=2.5)
            if references and name in references:
                ax.axvline(references[name], color=ACCENT, linestyle="--", linewidth=1.2)
                ax.annotate("teacher", (references[name], 1.0), (3, -2), color=ACCENT, fontsize=8,
                            xycoords=("data", "axes fraction"), textcoords="offset points",
                            va="top")  # fmt: skip
            ax.set_title(_TITLES.get(name, name))
            grid_behind(ax, "x")
        first = axes[0, 0]
        first.set_yticks(places, [_label(row) for row in rows])
        first.set_ylim(max(places) + 0.8, -0.2 if not references else -1.2)
    return figure


def _places(rows: Sequence[Level]) -> list[float]:
    """Rows from the top, with a gap between factors."""
    places, at = [], 0.0
    for before, row in zip([rows[0], *rows], rows):
        at += 0.0 if before is row else 1.0 if before["factor"] == row["factor"] else 2.0
        places.append(at + 0.5)
    return places


def _label(row: Level) -> str:
    return f"{row['factor']}: {_WORDS.get(row['level'], row['level'])}"


def interaction_lines(
    cells: Sequence[Mapping[str, Any]],
    values: Sequence[float | None],
    factors: tuple[str, str],
    *,
    response: str,
    note: str = "",
) -> Figure:
    """Draw cell means of two factors as lines: parallel lines would be no interaction.

    Parameters
    ----------
    cells : sequence of mappings
        Level of each factor.
    values : sequence of float or None
        The response of each cell.
    factors : (str, str)
        Along the axis, and one line each.
    response : str
    note : str
        Beside the title, for example the test's p.
    """
    along, across = factors
    levels = {name: list(dict.fromkeys(cell[name] for cell in cells)) for name in factors}
    with styled():
        figure, ax = new_figure(5.6, 3.3)
        for color, line in zip(SERIES, levels[across]):
            means = []
            for point in levels[along]:
                here = [(c[along], c[across]) == (point, line) for c in cells]
                found = [v for v, chosen in zip(values, here) if chosen and v is not None]
                means.append(sum(found) / len(found) if found else float("nan"))
            ax.plot(range(len(means)), means, "o-", color=color, label=str(_WORDS.get(line, line)))
        ticks = [str(_WORDS.get(point, point)) for point in levels[along]]
        ax.set_xticks(range(len(ticks)), ticks, fontsize=8)
        ax.margins(x=0.08)
        ax.set_title(f"{along} x {across}, {_TITLES.get(response, response)} {note}".rstrip())
        ax.legend(fontsize=8, title=across, title_fontsize=8, loc="center left",
                  bbox_to_anchor=(1.0, 0.5))  # fmt: skip
        grid_behind(ax)
    return figure


def size_against(
    cells: Sequence[Mapping[str, Any]], values: Sequence[float | None], *, response: str,
    teacher: tuple[float, float] | None = None,
) -> Figure:  # fmt: skip
    """Draw every cell's packed bytes against its response, coloured by policy.

    Parameters
    ----------
    cells : sequence of mappings
        With ``bytes``, ``policy`` and ``granularity``.
    values : sequence of float or None
    response : str
    teacher : (bytes, value), optional
        The float teacher.
    """
    policies = list(dict.fromkeys(cell["policy"] for cell in cells))
    marks = dict(zip(dict.fromkeys(c["granularity"] for c in cells), "o^sD"))
    with styled():
        figure, ax = new_figure(6.4, 3.5)
        for color, policy in zip(SERIES, policies):
            for size, mark in marks.items():
                points = [
                    (cell["bytes"] / 1024, value) for cell, value in zip(cells, values)
                    if (cell["policy"], cell["granularity"]) == (policy, size)
                    and value is not None
                ]  # fmt: skip
                if points:
                    ax.plot(*zip(*points), mark, color=color, alpha=0.75, markeredgewidth=0,
                            label=f"{policy}, {size}")  # fmt: skip
        if teacher is not None:
            ax.axhline(teacher[1], color=MUTED, linestyle="--", linewidth=1)
            ax.annotate(f"float teacher: {teacher[0] / 1024:,.0f} KiB", (1.0, teacher[1]), (-4, 3),
                        xycoords=("axes fraction", "data"), textcoords="offset points",
                        ha="right", fontsize=8, color=MUTED)  # fmt: skip
        ax.set_xlabel("packed file, KiB (2 bits a trit, the rest float32)")
        ax.set_title(f"{_TITLES.get(response, response)} by size")
        if ax.get_legend_handles_labels()[0]:  # a response may be undefined for all
            ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
        grid_behind(ax, "both")
    return figure
