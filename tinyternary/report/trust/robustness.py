"""What damaged images do to both networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tinyternary.report.page import Section, Table
from tinyternary.report.style import grid_behind, new_figure, styled
from tinyternary.report.trust.figures import COLORS, shown
from tinyternary.report.trust.words import (
    counted,
    name_of,
    names_of,
    networks,
    number,
    points,
    share,
    title_of,
)

_ROWS = {
    "clean": "balanced error, images as they are",
    "corrupted": "balanced error, damaged (mean)",
    "drop": "what damage adds",
    "be": "BE: over the baseline's error",
    "rbe": "rBE: over what the baseline loses",
}


def robustness_section(record: Mapping[str, Any]) -> Section | None:
    """Show balanced errors under every corruption, and the paired difference of both networks."""
    found, who = record.get("robustness"), networks(record)
    if found is None:
        return None
    pair = len(who) == 2
    header = ["", *names_of(record), *(["difference, points"] if pair else [])]
    rows = []
    for key, title in _ROWS.items():
        if found["student"][key] is None:  # nobody measured the baseline
            continue
        write = number if key in ("be", "rbe") else share
        row = [title, *(write(found[k][key], found[k]["intervals"][key]) for k in who)]
        if pair:
            each = found["difference"][key]
            row.append(points(each["difference"], each["interval"]))
        rows.append(row)
    kinds = list(found["student"]["by_corruption"])
    by_kind = []
    for kind in kinds:
        row = [kind.replace("_", " "),
               *(share(found[k]["by_corruption"][kind]["error"]) for k in who),
               number(found["student"]["by_corruption"][kind]["be"])]  # fmt: skip
        if pair:
            each = found["difference"]["by_corruption"][kind]
            row.append(points(each["difference"], each["interval"]))
        by_kind.append(row)
    return Section(
        "What happens to damaged images? (robustness)",
        _words(record),
        damage_figure(record),
        "Balanced error by severity, a panel for each kind of damage",
        Table(header, rows, caption=_caption(found["student"])),
        parts=[
            Section(
                "Kind by kind",
                table=Table(
                    ["balanced error, mean of severities", *names_of(record), "student's BE",
                     *(["difference, points"] if pair else [])],
                    by_kind,
                    caption="Differences with 95 % bootstrap intervals, paired by image; none is "
                    "corrected for how many there are.",
                ),
            )
        ],
    )  # fmt: skip


def _words(record: Mapping[str, Any]) -> str:
    found = record["robustness"]
    student = found["student"]
    kind, worst = max(student["by_corruption"].items(), key=lambda item: item[1]["error"])
    text = (
        f"Noise, blur, other light and the like raise the {name_of(record, 'student')}'s balanced "
        f"error from {share(student['clean'])} to "
        f"{share(student['corrupted'], student['intervals']['corrupted'])} on average, and to "
        f"{share(worst['error'])} under “{kind.replace('_', ' ')}”. "
    )
    if "difference" not in found:
        return text
    drop = found["difference"]["drop"]
    low, high = drop["interval"]
    verdict = (
        "no more and no less than its teacher, as far as these images tell"
        if low <= 0 <= high
        else "more than its teacher"
        if low > 0
        else "less than its teacher"
    )
    return text + (
        f"It suffers {verdict}: the difference in what damage adds is "
        f"{points(drop['difference'], drop['interval'])} points."
    )


def _caption(found: Mapping[str, Any]) -> str:
    text = (
        f"MedMNIST-C's corruptions of {title_of(found['set'])}, five severities each, on "
        f"{counted(found['images'], 'test image')}; a balanced error is one less the mean "
        "sensitivity of the classes. In brackets 95 % bootstrap intervals over images"
    )
    baseline = found["baseline"]
    if baseline is None:
        return f"{text}. No baseline was measured on this set."
    return (
        f"{text}. BE and rBE divide by a small convolutional network at 28 pixels, trained here "
        f"(balanced error {share(baseline['clean'])}, damaged {share(baseline['corrupted'])}), not "
        "by the published AlexNet at 224: below 1 is better than it. Differences of BE and rBE are "
        "in hundredths."
    )


def damage_figure(record: Mapping[str, Any]) -> Figure:
    """Draw the balanced error by severity, a panel for each corruption."""
    found, who = record["robustness"], networks(record)
    kinds = list(found["student"]["by_corruption"])
    columns = min(5, len(kinds))
    lines = -(-len(kinds) // columns)
    with styled():
        figure, axes = new_figure(
            1.7 * columns + 0.6, 1.75 * lines + 0.7, lines, columns,
            squeeze=False, sharex=True, sharey=True,
        )  # fmt: skip
        for ax in axes.flat[len(kinds) :]:
            ax.set_axis_off()
        for ax, kind in zip(axes.flat, kinds):
            for key, label in zip(who, names_of(record)):
                errors = [found[key]["clean"], *found[key]["by_corruption"][kind]["errors"]]
                ax.plot(range(len(errors)), np.multiply(100, errors), color=COLORS[key],
                        label=label, marker=".", markersize=4, linewidth=1.3)  # fmt: skip
            ax.set_title(shown(kind.replace("_", " "), 22), fontsize=8)
            ax.set_xticks([0, 5], ["as is", "5"], fontsize=8)
            grid_behind(ax)
        axes[0, 0].set_ylim(bottom=0)  # shared: once all panels are drawn
        figure.supylabel("balanced error, %", fontsize=9)
        figure.supxlabel("severity", fontsize=9)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2, fontsize=8)
    return figure
