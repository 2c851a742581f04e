"""Answers that may be several classes, or none yet: prediction sets, and risk against coverage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tinyternary.report.page import Section, Table
from tinyternary.report.style import MUTED, grid_behind, new_figure, styled
from tinyternary.report.trust.figures import COLORS
from tinyternary.report.trust.words import (
    UNKNOWN,
    counted,
    name_of,
    names_of,
    networks,
    share,
    whole,
)


def sets_section(record: Mapping[str, Any]) -> Section | None:
    """Show how often prediction sets hold the true class, and what holding back would win."""
    found, who = record.get("sets"), networks(record)
    if found is None:
        return None
    kinds = list(found["student"]["sets"])
    rows = []
    for kind in kinds:
        each = [found[key]["sets"][kind] for key in who]
        rows += [
            [f"{kind}: sets that hold the true class",
             *(share(s["coverage"], s["coverage_interval"]) for s in each)],
            [f"{kind}: the class that is held least often", *(_least(s) for s in each)],
            [f"{kind}: classes in a set", *(f"{s['mean_size']:.2f}" for s in each)],
            [f"{kind}: sets of one class", *(share(s["singletons"]) for s in each)],
        ]  # fmt: skip
    risk = [found[key]["risk"] for key in who]
    answered = [
        [f"the surest {whole(row['answered'])} ({row['images']:,} images)",
         *(share(r["at"][i]["acc"], r["at"][i]["interval"]) for r in risk)]
        for i, row in enumerate(risk[0]["at"])
    ]  # fmt: skip
    return Section(
        "May it say “one of these”, or “not sure”? (prediction sets, abstention)",
        _words(record),
        table=Table(["", *names_of(record)], rows, caption=_caption(found)),
        parts=[
            Section(
                "If it answers only where it is sure",
                _risk_words(record),
                risk_figure(record),
                "Share of wrong answers against the share of images that are answered",
                Table(["answered", *names_of(record)], answered, caption=(
                    "Share of right answers among the images with the largest probabilities, with "
                    "Wilson's 95 % intervals."
                )),
            )
        ],
    )  # fmt: skip


def _least(found: Mapping[str, Any]) -> str:
    known = [each for each in found["per_class"]["coverage"] if each is not None]
    return share(min(known)) if known else UNKNOWN


def _words(record: Mapping[str, Any]) -> str:
    found = record["sets"]
    student = found["student"]["sets"]["one limit for all"]
    low, high = student["expected"]
    held = (
        "the promise holds"
        if low <= student["coverage"] <= high
        else "it is broken: these test images are of another kind or mix than the validation images"
    )
    return (
        f"Instead of one answer the {name_of(record, 'student')} can name all classes that it "
        f"cannot rule out: asked for sets that are right {whole(found['coverage'])} of the time, "
        f"its sets hold the true class for {share(student['coverage'])} of the test images and "
        f"name {student['mean_size']:.2f} classes on average. With limits from "
        f"{counted(found['validation'], 'validation image')} anything from {share(low)} to "
        f"{share(high)} was to be expected of test images of the same kind, and {held}."
    )


def _caption(found: Mapping[str, Any]) -> str:
    return (
        "Split conformal prediction with the probability of the class (LAC): one limit keeps the "
        "promise over all images, class-wise limits keep it for each class, if it has enough "
        f"validation images; a class with too few is in every set. Asked for: "
        f"{whole(found['coverage'])}. In brackets Wilson's 95 % intervals. A set of no class means "
        "that none fits."
    )


def _risk_words(record: Mapping[str, Any]) -> str:
    at = record["sets"]["student"]["risk"]["at"]
    some = next(row for row in at if row["answered"] < 0.85)
    return (
        f"If the {name_of(record, 'student')} answered only the {whole(some['answered'])} of "
        f"images that it is surest of, and left the rest to people, "
        f"{share(some['acc'], some['interval'])} of its answers would be right, in place of "
        f"{share(at[0]['acc'])}. Which share to answer has to be chosen before, on other images."
    )


def risk_figure(record: Mapping[str, Any]) -> Figure:
    """Draw the share of wrong answers while fewer images are answered."""
    with styled():
        figure, ax = new_figure(6.4, 3.4)
        for who, label in zip(networks(record), names_of(record)):
            found = record["sets"][who]["risk"]
            answered, wrong = (np.multiply(100, found[name]) for name in ("coverage", "risk"))
            label = f"{label}, mean {100 * found['area']:.1f} %"
            ax.plot(answered, wrong, color=COLORS[who], label=label)
        final = 100 * record["sets"]["student"]["risk"]["risk"][-1]
        ax.plot([0, 100], [final, final], ":", color=MUTED, linewidth=1, label="left out by chance")
        ax.set_xlabel("% of test images that are answered, the surest first")
        ax.set_ylabel("% of answers wrong")
        ax.set_ylim(bottom=0)
        ax.legend(fontsize=9)
        grid_behind(ax)
    return figure
