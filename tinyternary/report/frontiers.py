"""What accuracy costs: networks of a sweep against their bytes and their modelled energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tinyternary.report.style import FLOAT, INK, SERIES, grid_behind, new_figure, styled

Point = Mapping[str, Any]
_COSTS = {"bytes": "packed file, thousand bytes", "energy_uj": "modelled energy, µJ an image"}
_LONG = {"acc": "test ACC, one pass", "auc": "test AUC, one pass"}


def accuracy_against_cost(
    points: Sequence[Point], *, response: str = "acc", names: Mapping[str, str] | None = None
) -> Figure:
    """Draw each network's answers against what it takes, one column for each data set.

    Parameters
    ----------
    points : sequence of mappings
        As of `tinyternary.experiments.sweep_points`: with ``dataset``, ``variant``, ``policy``
        ("float32": a teacher), ``bytes``, ``energy_uj`` and the response.
    response : {"acc", "auc"}
    names : mapping, optional
        What to call a data set.

    Returns
    -------
    Figure
        Small dots are seeds, large ones the mean of a variant and policy, with a bar over the
        modelled range of its energy. The line is the frontier of the means: whatever is below
        it costs more than another network that answers better.
    """
    datasets = list(dict.fromkeys(point["dataset"] for point in points))
    policies = sorted(
        dict.fromkeys(point["policy"] for point in points), key=lambda p: p != "float32"
    )
    colors = dict(zip([p for p in policies if p != "float32"], SERIES))
    colors["float32"] = FLOAT
    with styled():
        figure, axes = new_figure(
            1.2 + 3.2 * len(datasets), 6.2, 2, len(datasets), squeeze=False, sharey="col"
        )
        for column, dataset in enumerate(datasets):
            mine = [p for p in points if p["dataset"] == dataset and p[response] is not None]
            for ax, (cost, label) in zip(axes[:, column], _COSTS.items()):
                _draw(ax, mine, cost, response, colors)
                ax.set_xlabel(label)
            axes[0, column].set_title((names or {}).get(dataset, dataset))
        for ax in axes[:, 0]:
            ax.set_ylabel(_LONG.get(response, response))
        handles = [
            axes[0, 0].plot([], [], "o", color=colors[policy], label=_called(policy))[0]
            for policy in policies
        ]
        handles.append(axes[0, 0].plot([], [], "-", color=INK, linewidth=1, label="frontier")[0])
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=9)
    return figure


def _called(policy: str) -> str:
    return "float teacher" if policy == "float32" else policy


def _draw(
    ax: Axes, points: Sequence[Point], cost: str, response: str, colors: Mapping[str, str]
) -> None:
    groups: dict[tuple[str, str], list[Point]] = {}
    for point in points:
        groups.setdefault((point["policy"], point["variant"]), []).append(point)
    costs, values = [], []
    for (policy, _), members in groups.items():
        spent = [_spent(each, cost) for each in members]
        found = [each[response] for each in members]
        middle, low, high = np.mean(spent, axis=0)
        ax.plot([each[0] for each in spent], found, "o", color=colors[policy], alpha=0.3,
                markersize=4, markeredgewidth=0)  # fmt: skip
        ax.errorbar(
            middle, np.mean(found), xerr=[[middle - low], [high - middle]] if high > low else None,
            fmt="o", color=colors[policy], markersize=7, elinewidth=0.8, alpha=0.9,
        )  # fmt: skip
        costs.append(middle)
        values.append(np.mean(found))
    best = frontier(costs, values)
    ax.plot(np.take(costs, best), np.take(values, best), "-", color=INK, linewidth=1, zorder=1)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if _labelled(value) else "")
    grid_behind(ax, "both")


def _labelled(value: float) -> bool:
    """Whether a tick between powers of ten gets its number: 20, 50, 200, 500."""
    return round(value / 10.0 ** np.floor(np.log10(value))) in (2, 5)


def _spent(point: Point, cost: str) -> tuple[float, float, float]:
    """Middle, low and high of what a network takes."""
    if cost == "bytes":
        return (point["bytes"] / 1000,) * 3
    energy = point[cost]
    return energy["middle"], energy["low"], energy["high"]


def frontier(costs: Sequence[float], values: Sequence[float]) -> NDArray[np.int64]:
    """Which entries no other one beats: none costs as little and gives more, or less and as much.

    Returns
    -------
    (F,) int64
        Indices by rising cost; the values rise too.

    Examples
    --------
    >>> frontier([1, 2, 3], [0.8, 0.7, 0.9])
    array([0, 2])
    """
    order = np.lexsort((-np.asarray(values), np.asarray(costs)))
    kept: list[int] = []
    for index in order:
        if not kept or values[index] > values[kept[-1]]:
            kept.append(int(index))
    return np.array(kept, np.int64)
