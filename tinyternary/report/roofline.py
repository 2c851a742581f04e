"""Figures of the roofline: what a device allows, and how close measurements come (lesson 09)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tinyternary.cost import CostReport, StepCost
from tinyternary.report.style import (
    ACCENT,
    FLOAT,
    MUTED,
    SERIES,
    TERNARY,
    grid_behind,
    new_figure,
    styled,
)

_ARITHMETIC = {"ternary": (TERNARY, "o"), "int8": (SERIES[2], "s"), "float16": (SERIES[3], "D"),
               "float32": (FLOAT, "^")}  # fmt: skip


def roofline(report: CostReport) -> Figure:
    """Draw each product of a report under the roofs of its device.

    Raises
    ------
    ValueError
        If the report was made without a device.
    """
    device = report.device
    if device is None:
        raise ValueError("roofline: the report has no device; pass device= to analyze")
    points = [layer for layer in report.layers if layer.step.macs]
    finite = [p.intensity for p in points if np.isfinite(p.intensity)]
    ridge = device.peak["int8"] / device.dram_bytes_per_second
    lowest = min([*finite, ridge / 30]) / 2
    highest = max([*finite, ridge]) * 4
    bandwidth = device.dram_bytes_per_second
    with styled():
        figure, ax = new_figure(7.0, 4.2)
        x = np.geomspace(lowest, highest, 200)
        used = list(dict.fromkeys(p.step.arithmetic for p in points if p.step.arithmetic))
        for kind, name in (("int8", "int8 and ternary"), ("fp16", "float16"), ("fp32", "float32")):
            peak = device.peak[kind]
            ax.plot(x, np.minimum(peak, x * bandwidth) / 1e9, color=MUTED, linewidth=1.2)
            ax.annotate(f"{name}: {_rate(peak)}", (highest, peak / 1e9), (-2, 3), ha="right",
                        textcoords="offset points", fontsize=8, color=MUTED)  # fmt: skip
        for arithmetic in used:
            color, marker = _ARITHMETIC[arithmetic]
            mine = [p for p in points if p.step.arithmetic == arithmetic]
            at = [p.intensity if np.isfinite(p.intensity) else highest / 1.5 for p in mine]
            reach = [p.step.macs / p.seconds / 1e9 for p in mine if p.seconds]
            ax.scatter(at, reach, s=34, color=color, marker=marker, label=arithmetic, zorder=3,
                       alpha=0.75, edgecolor="white", linewidth=0.6)  # fmt: skip
            _label_once(ax, mine, at, reach, color)
        ax.set_xscale("log")
        ax.set_yscale("log")
        grid_behind(ax, "both")
        ax.set_xlabel("MACs per byte of DRAM traffic (modelled)")
        ax.set_ylabel("GMAC/s, at most (modelled)")
        ax.set_title(f"{report.name}, policy {report.policy}, on {device.title}")
        ax.set_ylim(top=2.2 * device.peak["int8"] / 1e9)
        ax.legend(loc="lower right", title="a matrix product in", title_fontsize=9)
        return figure


def predicted_against_measured(
    shapes: Sequence[str], least: Sequence[float], measured: Sequence[float], *, title: str
) -> Figure:
    """Draw measured times of kernels beside the roofline bound, and how close they come.

    Parameters
    ----------
    shapes : sequence of str
        What was multiplied: ``"64 x 512 x 2048"``.
    least, measured : sequence of float
        Seconds: the modelled lower bound, and the median of measurements.
    title : str
        Kernel and machine.
    """
    bound, real = np.array(least), np.array(measured)
    with styled():
        figure, axes = new_figure(8.0, 1.5 + 0.27 * len(shapes), 1, 2, sharey=True)
        rows = np.arange(len(shapes))
        axes[0].plot(bound * 1e6, rows, "|", color=ACCENT, markersize=11, markeredgewidth=2,
                     label="at least (modelled)")  # fmt: skip
        axes[0].plot(real * 1e6, rows, "o", color=TERNARY, label="measured")
        axes[0].set_xscale("log")
        axes[0].set_xlabel("microseconds")
        axes[0].set_yticks(rows, list(shapes), fontsize=8)
        axes[0].invert_yaxis()
        figure.legend(loc="outside lower left", ncols=2, fontsize=8)
        axes[0].set_title(title)
        axes[1].barh(rows, bound / real, color=TERNARY, height=0.6)
        axes[1].axvline(1, color=ACCENT, linewidth=1)
        axes[1].set_xlim(0, 1.1)
        axes[1].set_xlabel("bound / measured")
        axes[1].set_title("how close to the roof")
        for ax in axes:
            grid_behind(ax, "x")
        return figure


def _label_once(
    ax: Any, layers: Sequence[StepCost], x: Sequence[float], y: Sequence[float], color: str
) -> None:
    """Write what each point is; layers of further blocks, and neighbours, share a label."""
    groups: list[tuple[tuple[float, float], list[str]]] = []
    for at, layer in sorted(zip(zip(x, y), layers), key=lambda pair: pair[0]):
        name = layer.step.name
        part = name.split(".", 2)[2] if name.startswith("blocks.") else name
        near = groups and at[0] < 1.3 * groups[-1][0][0] and at[1] < 1.3 * groups[-1][0][1]
        if not near:
            groups.append((at, []))
        if part not in groups[-1][1]:
            groups[-1][1].append(part)
    for at, parts in groups:
        ax.annotate(", ".join(parts), at, (6, -4), textcoords="offset points", fontsize=7,
                    rotation=-35, color=color, va="top", rotation_mode="anchor")  # fmt: skip


def _rate(macs_per_second: float) -> str:
    if macs_per_second >= 1e12:
        return f"{macs_per_second / 1e12:.3g} TMAC/s"
    return f"{macs_per_second / 1e9:.3g} GMAC/s"
