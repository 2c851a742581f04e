"""The ladder of kernels as bars, and the roofline that holds them (lesson 08)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from tinyternary.report.style import ACCENT, FLOAT, MUTED, SERIES, TERNARY, new_figure, styled

_COLORS = {"int8": TERNARY, "int7": SERIES[2], "ternary": SERIES[3]}
_INPUTS = {
    "int8": "int8 activations",
    "int7": "7-bit activations",
    "ternary": "ternary activations",
}
_BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
_MARKERS = ("o", "s", "D", "^", "v", "P")


def ladder_bars(result: Mapping[str, Any]) -> Figure:
    """Draw each rung's speed, slowest on top, with how many times the first it is.

    Parameters
    ----------
    result : mapping
        What `tinyternary.bench.kernels.bench_kernels` returned; ``ladder`` must not be empty.

    Returns
    -------
    Figure
        Bars in GOP/s on a logarithmic axis; the measured peak of the int8 dot product as a line.
    """
    rungs = sorted(result["ladder"], key=lambda rung: float(rung["gops"]))
    with styled():
        figure, axes = new_figure(7.6, 0.36 * len(rungs) + 1.5)
        for place, rung in enumerate(rungs):
            axes.barh(place, rung["gops"], color=_COLORS[rung["activations"]], height=0.72)
            digits = 1 if rung["gops"] < 100 else 0
            text = f"{rung['gops']:,.{digits}f}   x {rung['times_first']:,.0f}"
            axes.text(rung["gops"] * 1.07, place, text, va="center", fontsize=8.5, bbox=_BEHIND)
        axes.set_yticks(range(len(rungs)), [rung["rung"] for rung in rungs])
        axes.set_xscale("log")
        axes.set_xlim(min(rung["gops"] for rung in rungs) / 2, max(r["gops"] for r in rungs) * 8)
        axes.set_xlabel("GOP/s (1 MAC = 2 operations), and times the slowest loop")
        axes.set_title("The ladder: one product of int8 and trits, int32 out")
        peak = result["limits"]["int8_gops"]
        if peak:
            axes.axvline(peak, color=ACCENT, linestyle="--", linewidth=1.2, zorder=0.5)
            text = f"peak of one core, {peak:,.0f}"
            axes.text(peak * 0.94, -0.75, text, ha="right", va="center", color=ACCENT, fontsize=8.5)
        used = dict.fromkeys(rung["activations"] for rung in rungs)
        for kind in used:
            axes.barh(0, 0, color=_COLORS[kind], label=_INPUTS[kind])
        axes.set_ylim(len(rungs) - 0.4, -1.1)
        axes.legend(loc="upper right", fontsize=8, handlelength=1.2, bbox_to_anchor=(1.03, 0.93))
    return figure


def kernel_roofline(result: Mapping[str, Any]) -> Figure:
    """Draw every shape's speed over its operations per byte, under the machine's measured roofs.

    Parameters
    ----------
    result : mapping
        What `tinyternary.bench.kernels.bench_kernels` returned, measured with compiled code on.

    Returns
    -------
    Figure
        A point per shape and contender: the ternary layer, and NumPy float32 where it was timed.
    """
    limits, threads = result["limits"], result["threads"]
    read = limits["read_gbytes"]
    peaks = {"int8 dot product": limits["int8_gops"], "float32 FMA": limits["float32_gflops"]}
    colors = {"int8 dot product": TERNARY, "float32 FMA": FLOAT}
    with styled():
        figure, axes = new_figure(7.6, 4.6)
        points: list[tuple[float, float, str, int]] = []
        rows = sorted({shape["m"] for shape in result["shapes"]})
        for shape in result["shapes"]:
            m, k, n = shape["m"], shape["k"], shape["n"]
            float_bytes = 4 * (k * n + m * k + m * n)
            for name, size in (
                ("tinyternary int8", shape["bytes"]),
                ("NumPy float32", float_bytes),
            ):
                if name in shape["times"]:
                    gops = shape["times"][name]["gops"]
                    points.append((shape["operations"] / size, gops, name, rows.index(m)))
        left = min(point[0] for point in points) / 2
        right = max(point[0] for point in points) * 2
        for name, peak in peaks.items():
            roof = peak * threads
            ridge = roof / read
            axes.plot(
                [left, ridge, right], [left * read, roof, roof], color=colors[name], linewidth=1.4
            )
            axes.text(right, roof * 1.06, f"{name}, {roof:,.0f}", ha="right", fontsize=8.5,
                      color=colors[name])  # fmt: skip
        for intensity, gops, name, row in points:
            color = TERNARY if name.startswith("tinyternary") else FLOAT
            axes.plot(intensity, gops, _MARKERS[row % len(_MARKERS)], color=color, markersize=6)
        for row, m in enumerate(rows):
            axes.plot([], [], _MARKERS[row % len(_MARKERS)], color=MUTED, label=f"M = {m}")
        axes.plot([], [], "s", color=TERNARY, label="ternary layer")
        axes.plot([], [], "s", color=FLOAT, label="NumPy float32")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(left, right)
        axes.set_ylim(min(point[1] for point in points) / 2, max(p for p in peaks.values()) * 2)
        axes.set_xlabel("operations per byte of weights, inputs and outputs")
        axes.set_ylabel("GOP/s")
        axes.set_title(
            f"Roofline: reading memory at {read:,.0f} GB/s, {threads} thread"
            + ("s" if threads > 1 else "")
        )
        axes.text(
            0.02, 0.96, "above the slope: weights come from the caches",
            transform=axes.transAxes, va="top", fontsize=8.5, color=MUTED,
        )  # fmt: skip
        axes.legend(loc="lower right", fontsize=8.5)
    return figure
