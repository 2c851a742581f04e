"""Time against size on logarithmic axes, measured beside counted (lesson 10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from tinyternary.report.style import ACCENT, MUTED, TERNARY, grid_behind, new_figure, styled


def scaling(result: Mapping[str, Any]) -> Figure:
    """Draw how time grows with each size, one panel for each work and axis.

    Parameters
    ----------
    result : mapping
        What `tinyternary.bench.bench_scale` returned; at least one point must be there.

    Returns
    -------
    Figure
        Points are medians, with their quartiles; the dashed line is what counted
        multiplications say, put where it is nearest to the points. Slopes stand in the title.
    """
    fits = result["fits"]
    works = list(dict.fromkeys(fit["work"] for fit in fits))
    axes_names = list(dict.fromkeys(fit["axis"] for fit in fits))
    with styled():
        width, height = 2.5 * len(axes_names) + 0.7, 2.4 * len(works) + 0.5
        figure, grid = new_figure(width, height, len(works), len(axes_names), squeeze=False)
        for fit in fits:
            axes = grid[works.index(fit["work"]), axes_names.index(fit["axis"])]
            _panel(axes, fit, [r for r in result["rows"] if _key(r) == _key(fit)])
        for row, work in zip(grid, works, strict=True):
            row[0].set_ylabel(f"{work}, ms")
        for axes in grid.ravel():
            axes.set_visible(axes.has_data())
        grid[0, 0].legend(fontsize=8, loc="upper left")
    return figure


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["work"], row["axis"]


def _panel(axes: Any, fit: Mapping[str, Any], rows: list[Mapping[str, Any]]) -> None:
    sizes = np.array([row["size"] for row in rows])
    median, low, high = (
        np.array([row["ms"][name] for row in rows]) for name in ("median", "low", "high")
    )
    counted = np.array([row["macs"] for row in rows])
    counted = counted * np.exp(np.mean(np.log(median / counted)))
    spread = np.maximum(np.array([median - low, high - median]), 0)
    axes.plot(sizes, counted, "--", color=ACCENT, linewidth=1.3, label="counted")
    axes.errorbar(sizes, median, spread, fmt="o", color=TERNARY, markersize=4.5, label="measured")
    axes.set(xscale="log", yscale="log", xlabel=fit["axis"])
    axes.xaxis.set_major_locator(FixedLocator(sizes.tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([str(size) for size in sizes])
    axes.margins(0.12)
    grid_behind(axes, "both")
    axes.set_title(f"{_signed(fit['slope'])} measured, {_signed(fit['counted'])} counted",
                   fontsize=9, color=MUTED, fontweight="normal")  # fmt: skip


def _signed(slope: float) -> str:
    return f"{slope:.2f}".replace("-", "\N{MINUS SIGN}")
