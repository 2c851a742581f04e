"""Figures of maps of what networks used, and of the tests that say what such maps are worth.

The numbers are those of `tinyternary.experiments.explained`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from tinyternary.experiments.explained import MapExamples
from tinyternary.report.predictions import show_image
from tinyternary.report.style import (
    ACCENT,
    CLINICAL_NOTE,
    FLOAT,
    INK,
    MUTED,
    SERIES,
    SYNTHETIC_NOTE,
    TERNARY,
    grid_behind,
    new_figure,
    styled,
)
from tinyternary.text import no_formula, visible

MAP_NOTE = "a map shows what the network used, not what a lesion is"
"""Stands below every map."""
_WHO = {"teacher": FLOAT, "student": TERNARY}


def _colors(methods: Any) -> dict[str, str]:
    return dict(zip(methods, SERIES[1:]))


def map_grid(examples: MapExamples) -> Figure:
    """Draw images, and below each the maps of every method, network by network.

    A map is coloured from its smallest to its largest value: brightness says nothing between
    maps, and a map of nearly equal values looks as lively as any.

    Parameters
    ----------
    examples : MapExamples
        From `tinyternary.experiments.map_examples`.
    """
    methods = list(next(iter(examples.maps.values())))
    rows = [(method, who) for method in methods for who in examples.maps]
    count, (high, wide) = len(examples.images), examples.images.shape[1:3]
    with styled():
        figure, axes = new_figure(
            1.6 + 1.15 * count, 0.9 + 1.2 * (len(rows) + 1), len(rows) + 1, count, squeeze=False
        )
        for column in range(count):
            top = axes[0, column]
            show_image(top, examples.images[column])
            top.set_title(
                _cut(examples.labels[column]), fontsize=7.5, fontweight="normal", loc="center"
            )
            for ax, (method, who) in zip(axes[1:, column], rows):
                show_image(ax, examples.images[column])
                ax.imshow(
                    examples.maps[who][method][column], cmap="inferno", alpha=0.65,
                    interpolation="nearest", extent=(-0.5, wide - 0.5, high - 0.5, -0.5),
                )  # fmt: skip
                answer = examples.answers[who][column]
                right = answer == examples.labels[column]
                ax.set_xlabel(_cut(answer), fontsize=7, color=INK if right else ACCENT, labelpad=2)
        for ax, words in zip(
            axes[:, 0], ["image\nand its class", *(f"{method}\n{who}" for method, who in rows)]
        ):
            ax.set_ylabel(words, fontsize=8, rotation=0, ha="right", va="center", labelpad=8)
        figure.supxlabel(
            "below each map the answer it is of, in orange where wrong; images drawn at random\n"
            + _note(examples.synthetic),
            fontsize=8, color=MUTED,
        )  # fmt: skip
    return figure


def _cut(name: str, limit: int = 16) -> str:
    text = visible(name)
    return no_formula(text if len(text) <= limit else f"{text[: limit - 1]}…")


def _note(synthetic: bool = False) -> str:
    return " · ".join([MAP_NOTE, *[SYNTHETIC_NOTE] * synthetic, CLINICAL_NOTE])


def deletion_insertion_curves(record: Mapping[str, Any]) -> Figure:
    """Draw the mean probability of the answer while pixels are taken out, or put in.

    Parameters
    ----------
    record : dict
        From `tinyternary.experiments.explained`.

    Returns
    -------
    Figure
        A row a network. The grey band holds the mean curves of all random orders.
    """
    networks = record["networks"]
    with styled():
        figure, axes = new_figure(
            7.6, 0.9 + 2.5 * len(networks), len(networks), 2,
            squeeze=False, sharex=True, sharey=True,
        )  # fmt: skip
        for row, (who, found) in zip(axes, networks.items()):
            curves = found["faithfulness"]
            for ax, kind in zip(row, ("deletion", "insertion")):
                _curves(ax, curves, kind)
                better = "lower" if kind == "deletion" else "higher"
                ax.set_title(f"{who}: {kind}, {better} is better", fontsize=10)
            row[0].set_ylabel("probability of the answer")
        axes[-1, 0].set_xlabel("part of the pixels taken out")
        axes[-1, 1].set_xlabel("part of the pixels put in")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=4, fontsize=8)
        figure.supxlabel(_note(), fontsize=8, color=MUTED)
    return figure


def _curves(ax: Axes, curves: Mapping[str, Any], kind: str) -> None:
    x, chance = curves["fractions"], curves[kind]["random"]
    ax.fill_between(x, chance["low"], chance["high"], color=MUTED, alpha=0.3, linewidth=0)
    ax.plot(x, chance["curve"], color=MUTED, label=f"{curves['orders']} random orders")
    colors = _colors(curves[kind]["maps"])
    for method, found in curves[kind]["maps"].items():
        ax.plot(x, found["curve"], color=colors[method], label=method)
    ax.set_ylim(0, 1)
    grid_behind(ax)


def gain_over_random(record: Mapping[str, Any]) -> Figure:
    """Draw how much better each method does than random orders, and than another image's map.

    Parameters
    ----------
    record : dict
        From `tinyternary.experiments.explained`.

    Returns
    -------
    Figure
        Filled: against random orders; hollow: against the map of another image; with intervals
        over images.
    """
    networks = record["networks"]
    some = next(iter(networks.values()))["faithfulness"]
    methods = list(some["deletion"]["maps"])
    with styled():
        figure, axes = new_figure(7.6, 1.4 + 0.6 * len(methods), 1, 2, squeeze=False, sharey=True)
        for ax, kind in zip(axes[0], ("deletion", "insertion")):
            ax.axvline(0, color=MUTED, linewidth=1)
            for shift, (who, found) in zip((-0.18, 0.18), networks.items()):
                each = [found["faithfulness"][kind]["maps"][method] for method in methods]
                for more, gain, interval, face in (
                    (-0.07, "gain", "gain_interval", _WHO[who]),
                    (0.07, "own_gain", "own_interval", "white"),
                ):
                    places = np.arange(len(methods)) + shift + more
                    ax.hlines(places, *np.transpose([e[interval] for e in each]), color=_WHO[who])
                    ax.plot([e[gain] for e in each], places, "o", color=_WHO[who],
                            markerfacecolor=face, markersize=5)  # fmt: skip
            ax.set_yticks(range(len(methods)), methods)
            ax.set_ylim(len(methods) - 0.5, -0.5)
            ax.set_title(kind, fontsize=10)
            ax.set_xlabel("better by so much area (0: no better)", fontsize=9)
            ax.xaxis.set_major_locator(MaxNLocator(4))
            grid_behind(ax, "x")
        marks = [Patch(color=_WHO[who], label=who) for who in networks]
        handles = [*marks, *(
            Line2D([], [], marker="o", linestyle="", color=INK, markerfacecolor=face, label=label)
            for face, label in ((INK, "than random orders"), ("white", "than another image's map"))
        )]  # fmt: skip
        figure.legend(handles=handles, loc="outside upper right", ncols=4, fontsize=8)
    return figure


def randomization_bars(record: Mapping[str, Any]) -> Figure:
    """Draw how like the true maps those of a network are whose layers are scrambled.

    Parameters
    ----------
    record : dict
        From `tinyternary.experiments.explained`.

    Returns
    -------
    Figure
        A row a network, layers from the head down; the dashes are what maps of different
        images have in common.
    """
    networks = record["networks"]
    with styled():
        figure, axes = new_figure(
            7.6, 1.0 + 2.2 * len(networks), len(networks), 1,
            squeeze=False, sharex=True, sharey=True,
        )  # fmt: skip
        for ax, (who, found) in zip(axes[:, 0], networks.items()):
            sanity = found["sanity"]
            methods, places = sanity["methods"], np.arange(len(sanity["layers"]))
            colors, width = _colors(methods), 0.8 / len(methods)
            for number, (method, each) in enumerate(methods.items()):
                x = places + (number - (len(methods) - 1) / 2) * width
                ax.bar(x, each["correlation"], width=0.9 * width, color=colors[method])
                ax.vlines(x, *np.transpose(each["intervals"]), color=INK, linewidth=1)
                ax.axhline(each["unrelated"], color=colors[method], linestyle="--", linewidth=1)
            ax.axhline(0, color=MUTED, linewidth=0.8)
            layers = [f"+ {layer}" if i else layer for i, layer in enumerate(sanity["layers"])]
            ax.set_xticks(places, layers, fontsize=8)
            ax.set_ylabel("rank correlation\nwith the true map", fontsize=9)
            ax.set_title(who, fontsize=10)
            grid_behind(ax)
        axes[-1, 0].set_xlabel("layers scrambled, from the head down")
        handles: list[Any] = [Patch(color=color, label=method) for method, color in colors.items()]
        handles.append(Line2D([], [], color=MUTED, linestyle="--", linewidth=1,
                              label="maps of different images"))  # fmt: skip
        figure.legend(handles=handles, loc="outside upper center", ncols=4, fontsize=8)
    return figure


def agreement_bars(record: Mapping[str, Any]) -> Figure:
    """Draw what teacher's and student's maps of an image have in common, beside two images'.

    Parameters
    ----------
    record : dict
        From `tinyternary.experiments.explained`, of two networks.
    """
    agreement = record["agreement"]
    share = next(iter(agreement.values()))["share"]
    measures = {"spearman": "rank correlation", "overlap": f"overlap of the top {share:.0%}"}
    with styled():
        figure, axes = new_figure(7.6, 3.0, 1, 2, squeeze=False)
        for ax, (measure, title) in zip(axes[0], measures.items()):
            places = np.arange(len(agreement))
            each = [found[measure] for found in agreement.values()]
            for shift, part, color, label in (
                (-0.2, "same", TERNARY, "the same image"),
                (0.2, "unrelated", MUTED, "different images"),
            ):
                x = places + shift
                ax.bar(x, [e[part] for e in each], width=0.36, color=color, label=label)
                ends = np.transpose([e[f"{part}_interval"] for e in each])
                ax.vlines(x, *ends, color=INK, linewidth=1)
            ax.set_ylim(top=1)
            ax.set_xticks(places, [name.replace(" x ", "\nx ") for name in agreement], fontsize=8)
            ax.set_title(title, fontsize=10)
            grid_behind(ax)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2, fontsize=8)
    return figure
