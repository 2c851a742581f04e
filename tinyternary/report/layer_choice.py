"""Which layers bear to be ternary, and what a byte budget costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tinyternary.report.style import ACCENT, FLOAT, TERNARY, grid_behind, new_figure, styled


def layer_sensitivity(result: Mapping[str, Any]) -> Figure:
    """Draw each layer's loss alone ternary and alone float, between the two ends.

    Parameters
    ----------
    result : mapping
        ``Sensitivity.to_dict()`` of `tinyternary.quant`.
    """
    rows = result["layers"]
    names = [row["name"] for row in rows]
    at = np.arange(len(names))
    with styled():
        figure, axes = new_figure(9.0, 1.4 + 0.24 * len(names), 1, 2, sharey=True)
        panels = (
            (axes[0], "only_ternary", "only this layer ternary", TERNARY, "all_float"),
            (axes[1], "only_float", "only this layer float", FLOAT, "all_ternary"),
        )
        for ax, key, title, color, end in panels:
            base = result[end]["loss"]
            loss = np.array([row[key]["loss"] for row in rows])
            ax.barh(at, loss - base, left=base, color=color, height=0.7)
            label = end.replace("_", " ")
            ax.axvline(base, color=ACCENT, linewidth=1.2, label=f"{label}: {base:.3f}")
            ax.set(title=title, xlabel="loss")
            ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.06), fontsize=8)
            grid_behind(ax, "x")
        axes[0].set_yticks(at, names, fontsize=8)
        axes[0].invert_yaxis()
    return figure


def budget_path(proposal: Mapping[str, Any]) -> Figure:
    """Draw the loss against the bytes as the search quantises layer after layer.

    Parameters
    ----------
    proposal : mapping
        ``Proposal.to_dict()`` of `tinyternary.quant`.
    """
    steps = proposal["steps"]
    kib = np.array([step["nbytes"] for step in steps]) / 1024
    loss = np.array([step["loss"] for step in steps])
    with styled():
        figure, ax = new_figure(7.0, 3.6)
        ax.plot(kib, loss, color=TERNARY, linewidth=1.2, zorder=1)
        for kind, marker in zip(dict.fromkeys(step["quantizer"] for step in steps), "os^Dv"):
            chosen = np.array([step["quantizer"] == kind for step in steps])
            ax.scatter(kib[chosen], loss[chosen], marker=marker, label=f"to {kind}", zorder=2)
        before = proposal["before"]["loss"]
        ax.axhline(before, color=FLOAT, linestyle="--", linewidth=1.2, label="float")
        budget = proposal["budget"] / 1024
        ax.axvline(budget, color=ACCENT, linewidth=1.2, label=f"budget {budget:,.0f} KiB")
        ax.set(
            title="Loss while layer after layer is quantised, without training",
            xlabel="KiB of parameters as stored",
            ylabel="validation loss",
        )
        ax.invert_xaxis()
        ax.legend(fontsize=8)
        grid_behind(ax)
    return figure
