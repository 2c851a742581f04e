"""What the microscope saw: trits, flips and latent weights over the steps of training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tinyternary.errors import unknown_name
from tinyternary.report.style import (
    ACCENT,
    MUTED,
    SERIES,
    TRIT_COLORS,
    grid_behind,
    new_figure,
    styled,
)

PANELS = {
    "zero": "share of zeros",
    "flips": "trits that flip, per step",
    "returns": "flips that go back (oscillation)",
    "near": "weights beside a threshold",
    "scale": "scale α, relative to the start",
    "sqnr_db": "signal to noise, dB",
}
"""Measures of the overview, and the titles of their panels."""


def over_time(record: Mapping[str, Any]) -> Figure:
    """Draw six measures of every layer over the steps.

    Parameters
    ----------
    record : mapping
        ``Microscope.to_dict()`` of `tinyternary.quant`.
    """
    steps, layers = record["steps"], record["layers"]
    with styled():
        figure, axes = new_figure(10.0, 5.6, 2, 3, sharex=True)
        for ax, (measure, title) in zip(axes.flat, PANELS.items()):
            for number, (name, layer) in enumerate(layers.items()):
                values = np.asarray(layer[measure], float)
                if measure == "scale":
                    values = values / values[0]
                ax.plot(steps, values, linewidth=1.2, label=name, **_line(number, len(layers)))
            ax.set_title(title, fontsize=10)
            if measure in ("zero", "near", "returns"):
                ax.yaxis.set_major_formatter("{x:.1%}")
            if measure == "flips":
                ax.yaxis.set_major_formatter("{x:.2%}")
            ax.margins(x=0)
            grid_behind(ax)
        for ax in axes[1]:
            ax.set_xlabel("step")
        handles, names = axes[0, 0].get_legend_handles_labels()
        rows = -(-len(names) // 4)
        figure.set_size_inches(10.0, 5.6 + 0.18 * rows)
        figure.legend(handles, names, loc="outside lower center", ncols=4, fontsize=7)
    return figure


def _line(number: int, layers: int) -> dict[str, Any]:
    # a second round through the colours is dashed
    style = "-" if number < len(SERIES) else ("--", ":", "-.")[(number // len(SERIES) - 1) % 3]
    return {"color": SERIES[number % len(SERIES)], "linestyle": style}


def shares_over_time(record: Mapping[str, Any], layer: str) -> Figure:
    """Draw how one layer's shares of -1, 0 and +1 change, and its flips below.

    Parameters
    ----------
    record : mapping
        ``Microscope.to_dict()``.
    layer : str
        Layer name.
    """
    seen = _layer(record, layer)
    steps = record["steps"]
    with styled():
        figure, (top, bottom) = new_figure(7.0, 4.4, 2, sharex=True, height_ratios=(2, 1))
        top.stackplot(
            steps, seen["negative"], seen["zero"], seen["positive"],
            colors=[TRIT_COLORS[t] for t in (-1, 0, 1)], labels=["−1", "0", "+1"],
        )  # fmt: skip
        top.set(title=f"{layer}: shares of its trits", ylim=(0, 1))
        top.yaxis.set_major_formatter("{x:.0%}")
        top.margins(x=0)
        top.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        bottom.plot(steps, seen["flips"], color=ACCENT)
        bottom.set(xlabel="step", title="trits that flip, per step")
        bottom.yaxis.set_major_formatter("{x:.2%}")
        grid_behind(bottom)
    return figure


def latent_over_time(record: Mapping[str, Any], layer: str) -> Figure:
    """Draw the histogram of one layer's latent weights at each record, side by side.

    Latent weights never become -1, 0 and 1; they gather on the sides of the
    thresholds, and only the side counts.

    Parameters
    ----------
    record : mapping
        ``Microscope.to_dict()``.
    layer : str
        Layer name.
    """
    seen = _layer(record, layer)
    steps = np.asarray(record["steps"], float)
    edges = np.asarray(record["edges"], float)
    shares = np.asarray(seen["histograms"], float).T  # (bins, records)
    with styled():
        figure, ax = new_figure(7.0, 3.8)
        mesh = ax.pcolormesh(_borders(steps), edges, shares, cmap="Greys", rasterized=True)
        figure.colorbar(mesh, ax=ax, label="share of the weights", format="{x:.1%}")
        _both_sides(ax, steps, np.asarray(seen["threshold"], float))
        ax.set(
            title=f"{layer}: latent weights while training",
            xlabel="step",
            ylabel="latent weight / scale α",
        )
    return figure


def _both_sides(ax: Axes, steps: Any, limit: Any) -> None:
    for side in (-1, 1):
        label = "threshold" if side > 0 else None
        ax.plot(steps, side * limit, color=ACCENT, linewidth=1.4, label=label)
        label = "scale: what the trits stand for" if side > 0 else None
        ax.axhline(side, color=MUTED, linestyle=":", linewidth=1.2, label=label)
    ax.legend(loc="upper right", fontsize=8, frameon=True)


def _borders(steps: Any) -> Any:
    """Edges between the records, for a mesh."""
    if len(steps) == 1:
        return np.array([steps[0] - 0.5, steps[0] + 0.5])
    middle = (steps[1:] + steps[:-1]) / 2
    first, last = steps[0] - (middle[0] - steps[0]), steps[-1] + (steps[-1] - middle[-1])
    return np.concatenate([[first], middle, [last]])


def _layer(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    layers: Mapping[str, Mapping[str, Any]] = record["layers"]
    if name not in layers:
        raise unknown_name("layer of the record", name, layers)
    return layers[name]
