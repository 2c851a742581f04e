"""Figures of the cost model (lesson 09). What is modelled is labelled so in each of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tinyternary.cost import (
    Comparison,
    CostReport,
    Range,
    Swing,
    sensitivity,
    zero_share_energy,
)
from tinyternary.report.roofline import roofline
from tinyternary.report.style import (
    ACCENT,
    FLOAT,
    GRID,
    INK,
    SERIES,
    TERNARY,
    grid_behind,
    new_figure,
    save,
    styled,
)

_SOURCES = {"compute": ("arithmetic", TERNARY), "on_chip": ("on-chip memory", SERIES[2]),
            "dram": ("DRAM", ACCENT)}  # fmt: skip
_STORAGE = {"ternary": TERNARY, "int8": SERIES[2], "int4": SERIES[3], "float32": FLOAT,
            "float16": "#a3b1c2", "scale": ACCENT}  # fmt: skip


def energy_bars(reports: Sequence[CostReport]) -> Figure:
    """Stack the modelled energy of each report by its source, with the range of the total."""
    with styled():
        figure, ax = new_figure(7.0, 1.3 + 0.5 * len(reports))
        names = [report.policy for report in reports]
        left = np.zeros(len(reports))
        for source, (label, color) in _SOURCES.items():
            width = np.array([r.energy_by_source[source].middle for r in reports]) / 1e3
            ax.barh(names, width, left=left, color=color, label=label, height=0.6)
            left += width
        totals = [report.energy_uj for report in reports]
        spread = np.array([(t.middle - t.low, t.high - t.middle) for t in totals]).T / 1e3
        ax.errorbar(left, names, xerr=spread, fmt="none", ecolor=INK, capsize=3, linewidth=1)
        for row, energy in enumerate(totals):
            ax.annotate(f"{energy.middle / 1e3:,.3g}", (energy.high / 1e3, row), (5, 0),
                        textcoords="offset points", va="center", fontsize=9)  # fmt: skip
        ax.set_xlim(0, max(t.high for t in totals) / 1e3 * 1.14)
        ax.invert_yaxis()
        grid_behind(ax, "x")
        ax.set_xlabel(f"modelled energy per image, mJ ({reports[0].energy_model.title})")
        ax.set_title(f"{reports[0].name}: where the energy goes; whiskers: low to high")
        figure.legend(loc="outside lower center", ncols=3)
        return figure


def bytes_by_layer(report: CostReport) -> Figure:
    """Draw the bytes that each layer stores, by how they are stored."""
    layers = [layer for layer in report.layers if layer.step.arrays]
    kinds = [kind for kind in _STORAGE if kind in report.bytes_by_storage]
    with styled():
        figure, ax = new_figure(7.0, 1.1 + 0.21 * len(layers))
        names = [layer.step.name for layer in layers]
        left = np.zeros(len(layers))
        for kind in kinds:
            width = np.array([
                sum(array.nbytes for array in layer.step.arrays if array.kind == kind)
                for layer in layers
            ]) / 1024  # fmt: skip
            share = report.bytes_by_storage[kind] / report.bytes_stored
            shown = f"{share:.0%}" if share >= 0.005 else "under 1 %"
            ax.barh(names, width, left=left, color=_STORAGE[kind], label=f"{kind} ({shown})")
            left += width
        ax.invert_yaxis()
        ax.tick_params(axis="y", labelsize=8)
        grid_behind(ax, "x")
        ax.set_xlabel("KiB stored")
        ax.set_title(f"{report.name}, policy {report.policy}: {report.bytes_stored:,} bytes")
        ax.legend(loc="lower right", title="stored as (share of all)", title_fontsize=9)
        return figure


def energy_against_zero_share(report: CostReport) -> Figure:
    """Draw the modelled energy against the share of zero trits: in all, and of ternary products.

    Raises
    ------
    ValueError
        If no trit of the report can be skipped.
    """
    if "skip" not in report.ops:
        raise ValueError("energy_against_zero_share: the report skips no zeros")
    shares = np.linspace(0, 1, 11)
    price = report.energy_model.op("int32_add").times(1e-6 * report.macs_by_arithmetic["ternary"])
    products = [price.times(1 - share) for share in shares]
    counted = report.choices.trits.values()
    zeros = sum(t.zeros for t in counted)
    now = zeros / sum(t.zeros + t.plus + t.minus for t in counted)
    with styled():
        figure, axes = new_figure(7.4, 3.2, 1, 2)
        for ax, series, title in (
            (axes[0], zero_share_energy(report, shares.tolist()), "the whole network"),
            (axes[1], products, "the ternary products alone"),
        ):
            _band(ax, shares, series)
            ax.axvline(now, color=ACCENT, linewidth=1)
            ax.annotate(f"{now:.0%} here", (now, 0.05), (4, 0), textcoords="offset points",
                        xycoords=("data", "axes fraction"), color=ACCENT, fontsize=9)  # fmt: skip
            ax.set_ylim(0)
            ax.set_title(title)
            ax.set_xlabel("share of zero trits")
            grid_behind(ax)
        axes[0].set_ylabel("modelled mJ per image")
        axes[0].legend(loc="lower right")
        figure.suptitle(f"{report.name}, policy {report.policy}: what skipping zeros saves",
                        x=0.01, ha="left", fontsize=11, fontweight="bold")  # fmt: skip
        return figure


def tornado(report: CostReport, swings: Sequence[Swing] | None = None) -> Figure:
    """Draw how far the modelled energy moves with each constant, widest on top."""
    swings = sensitivity(report) if swings is None else swings
    with styled():
        figure, ax = new_figure(7.6, 1.5 + 0.36 * len(swings))
        names = [swing.constant for swing in swings]
        middle = report.energy_uj.middle / 1e3
        for end, color in (("low_uj", TERNARY), ("high_uj", ACCENT)):
            ends = np.array([getattr(swing, end) for swing in swings]) / 1e3
            label = "constant at its low" if end == "low_uj" else "constant at its high"
            ax.barh(names, ends - middle, left=middle, color=color, height=0.62, label=label)
        ax.axvline(middle, color=INK, linewidth=1)
        ax.invert_yaxis()
        grid_behind(ax, "x")
        ax.set_xlabel(f"modelled energy per image, mJ ({report.energy_model.title})")
        ax.set_title(f"{report.name}, policy {report.policy}: which constants matter")
        figure.legend(loc="outside lower right", ncols=2)
        return figure


def write_cost_figures(comparison: Comparison, folder: str | Path) -> list[Path]:
    """Write every figure that the reports allow into a folder, as PNG files.

    Parameters
    ----------
    comparison : Comparison
        One network under several policies. The layer, roofline and sensitivity figures
        are drawn for each.
    folder : path-like
        Made if it does not exist.

    Returns
    -------
    list of Path
    """
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    paths = [save(energy_bars(comparison.reports), out / "energy.png")]
    for report in comparison.reports:
        name = report.policy.replace(" ", "-").replace("'", "")
        paths.append(save(bytes_by_layer(report), out / f"bytes-{name}.png"))
        paths.append(save(tornado(report), out / f"tornado-{name}.png"))
        if report.device is not None:
            paths.append(save(roofline(report), out / f"roofline-{name}.png"))
        if "skip" in report.ops:
            paths.append(save(energy_against_zero_share(report), out / f"zeros-{name}.png"))
    return paths


def _band(ax: Any, x: np.ndarray, series: Sequence[Range]) -> None:
    low, middle, high = (np.array([getattr(r, end) for r in series]) / 1e3
                         for end in ("low", "middle", "high"))  # fmt: skip
    ax.fill_between(x, low, high, color=GRID, label="low to high")
    ax.plot(x, middle, color=TERNARY)
