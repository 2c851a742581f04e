"""Where to say yes, what a yes means where few people are ill, and whether it helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tinyternary.report.page import Section, Table
from tinyternary.report.style import INK, MUTED, grid_behind, new_figure, styled
from tinyternary.report.trust.figures import COLORS, shown
from tinyternary.report.trust.words import name_of, names_of, networks, share, whole

_POINTS = {
    "one half": "above one half",
    "balanced": "balanced on validation images",
    "sensitive": "sensitive on validation images",
}


def operating_section(record: Mapping[str, Any]) -> Section | None:
    """Show sensitivity, specificity and predictive values at thresholds, and decision curves."""
    found = record.get("operating")
    if found is None or not found["student"]["classes"]:
        return None
    parts = [
        Section("Sensitivity and specificity", table=_rates(record)),
        Section(
            "What a yes and a no mean, where fewer people are ill",
            "The same network, where only one in ten or one in a hundred has the class: fewer "
            "of its yes are then right, however many of the ill it finds.",
            table=_predictive(record),
        ),
    ]
    if "curve" in found["student"]["classes"][0]:
        parts.append(
            Section(
                "Is deciding by it worth while? (decision curves)",
                "Whoever treats from a probability t on holds one missed case as bad as "
                "(1 - t) / t needless treatments. The network is worth asking where its curve is "
                "above both treating everybody and treating nobody.",
                decision_figure(record),
                "Net benefit against the threshold, beside treating all and treating none",
            )
        )
    return Section(
        "Where to say yes (operating points)",
        _words(record),
        parts=parts,
    )


def _words(record: Mapping[str, Any]) -> str:
    found = record["operating"]
    row = min(
        found["student"]["classes"], key=lambda each: each["points"]["one half"]["sensitivity"] or 0
    )
    half, sensitive = row["points"]["one half"], row["points"]["sensitive"]
    return (
        f"Saying yes above one half, the {name_of(record, 'student')} finds "
        f"{share(half['sensitivity'], half['intervals']['sensitivity'])} of “{row['name']}”, the "
        "class it finds least often, and leaves "
        f"{share(half['specificity'], half['intervals']['specificity'])} of the rest alone. At the "
        f"threshold that found {whole(found['sensitivity'])} of it among validation images "
        f"({sensitive['threshold']:.2f}) it finds {share(sensitive['sensitivity'])} of the test "
        f"images and leaves {share(sensitive['specificity'])} of the rest alone."
    )


def _rows(record: Mapping[str, Any], goals: tuple[str, ...]) -> Any:
    for number, row in enumerate(record["operating"]["student"]["classes"]):
        for goal in goals:
            points = [record["operating"][key]["classes"][number]["points"][goal]
                      for key in networks(record)]  # fmt: skip
            yield row["name"], goal, points


def _rates(record: Mapping[str, Any]) -> Table:
    binary = "curve" in record["operating"]["student"]["classes"][0]
    goals = tuple(_POINTS) if binary else ("one half", "balanced")
    rows = []
    for name, goal, points in _rows(record, goals):
        at = f"{name}: {_POINTS[goal]} ({points[-1]['threshold']:.2f})"
        for rate, words in (("sensitivity", "found"), ("specificity", "others left alone")):
            cells = [share(point[rate], point["intervals"][rate]) for point in points]
            rows.append([f"{at}, {words}", *cells])
    return Table(
        ["class, yes when its probability is", *names_of(record)], rows,
        caption="Each class against the rest; thresholds in brackets are the student's. Found: "
        "sensitivity; others left alone: specificity; with Wilson's 95 % intervals.",
    )  # fmt: skip


def _predictive(record: Mapping[str, Any]) -> Table:
    found = next(iter(record["operating"]["student"]["classes"]))["points"]["one half"]
    places = list(found["elsewhere"])
    rows = []
    for name, _, points in _rows(record, ("one half",)):
        point = points[-1]
        here = {"ppv": point["ppv"], "npv": point["npv"], "intervals": point["intervals"]}
        each = {f"{point['prevalence']:.0%}, as in the test images": here}
        each |= {f"{float(place):.0%}": point["elsewhere"][place] for place in places}
        for place, values in each.items():
            rows.append([f"{name}: {place}", *(share(values[rate], values["intervals"].get(rate))
                                               for rate in ("ppv", "npv"))])  # fmt: skip
    return Table(
        ["class, and share of people who have it", "a yes is right (PPV)", "a no is right (NPV)"],
        rows,
        caption=f"The {name_of(record, 'student')}, yes above one half; by Bayes' rule from its "
        "sensitivity and specificity, with 95 % intervals (Mercaldo et al., 2007).",
    )


def decision_figure(record: Mapping[str, Any]) -> Figure:
    """Draw net benefit against the threshold, a panel for each class."""
    classes = record["operating"]["student"]["classes"]
    with styled():
        figure, axes = new_figure(7.6, 3.6, 1, len(classes), squeeze=False)
        for number, (ax, row) in enumerate(zip(axes[0], classes)):
            for who, label in zip(networks(record), names_of(record)):
                curve = record["operating"][who]["classes"][number]["curve"]
                ax.plot(curve["thresholds"], curve["net_benefit"], color=COLORS[who], label=label)
                low, high = np.transpose(curve["intervals"])
                ax.fill_between(curve["thresholds"], low, high, color=COLORS[who], alpha=0.15)
            curve = row["curve"]
            ax.plot(curve["thresholds"], curve["treat_all"], "--", color=INK, linewidth=1,
                    label="treat everybody")  # fmt: skip
            ax.axhline(0, color=MUTED, linewidth=1, label="treat nobody")
            top = max(curve["net_benefit"])
            ax.set_ylim(-0.25 * top - 0.01, 1.2 * top + 0.01)
            ax.set_title(f"to find {shown(row['name'])}", fontsize=10)
            ax.set_xlabel("threshold probability")
            grid_behind(ax)
        axes[0, 0].set_ylabel("net benefit, found cases per person")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)
    return figure
