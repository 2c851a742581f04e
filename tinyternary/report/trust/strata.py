"""Whether the mean hides something: classes, near-duplicates, pale and blurred images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinyternary.report.page import Section, Table
from tinyternary.report.trust.figures import estimates
from tinyternary.report.trust.words import counted, name_of, names_of, networks, points, share

_TITLES = {
    "classes": "by class",
    "similarity": "by likeness to the most similar training image",
    "brightness": "by brightness",
    "contrast": "by contrast",
    "sharpness": "by sharpness",
}
FEWEST = 20
"""Images that a part needs to be drawn, or called the worst: an interval of fewer says little."""


def strata_section(record: Mapping[str, Any]) -> Section:
    """Show the share that is right in each part of the test images."""
    found, who = record["strata"], networks(record)
    groups = {name: found[name] for name in _TITLES if name in found}
    panels = {
        _TITLES[name]: [
            (f"{row['name']} ({row['images']:,})",
             {key: (row[key]["acc"], row[key]["interval"]) for key in who})
            for row in rows if row["images"] >= FEWEST
        ]
        for name, rows in groups.items()
    }  # fmt: skip
    panels = {title: rows for title, rows in panels.items() if rows}
    header = ["part of the test images", "images", *names_of(record)]
    header += ["difference, points"] if len(who) == 2 else []
    body = []
    for name, rows in groups.items():
        for row in rows:
            cells = [f"{_TITLES[name].removeprefix('by ')}: {row['name']}", f"{row['images']:,}"]
            cells += [share(row[key]["acc"], row[key]["interval"]) for key in who]
            if len(who) == 2:
                cells.append(points(row["difference"], row["difference_interval"]))
            body.append(cells)
    return Section(
        "Who is served worse: parts of the test images",
        _words(record, groups),
        estimates(panels, names=dict(zip(who, names_of(record))), xlabel="% right")
        if panels
        else None,
        "Share of right answers in parts of the test images, with 95 % intervals",
        Table(header, body, caption=(
            "Share of images that are answered right, with 95 % intervals: Wilson's for a share, "
            "Newcombe's for a paired difference; none is corrected for how many are shown. "
            "Thirds are by the mean, the standard deviation and the standard deviation of the "
            "Laplacian of the pixels; their mix of classes differs, which may be all that an "
            "unequal share says. Likeness is the correlation of pixels, mirrored or moved by a "
            f"pixel where that fits better; parts of fewer than {FEWEST} images are not drawn."
        )),
    )  # fmt: skip


def _words(record: Mapping[str, Any], groups: Mapping[str, Any]) -> str:
    rows = [
        (f"{_TITLES[name].removeprefix('by ')} {row['name']}", row)
        for name, part in groups.items()
        for row in part
        if row["images"] >= FEWEST
    ]
    if not rows:
        return "There are too few test images to part them."
    worst, row = min(rows, key=lambda pair: pair[1]["student"]["acc"])
    text = (
        f"The {name_of(record, 'student')} is right least often for “{worst}”: "
        f"{share(row['student']['acc'], row['student']['interval'])} of "
        f"{row['images']:,} images. "
    )
    twins = groups["similarity"][-1]
    if not twins["images"]:
        return text + (
            f"No test image is nearly a copy of a training image (correlation {twins['name']})."
        )
    return text + (
        f"{counted(twins['images'], 'test image')} could be taken for a training image "
        f"(correlation {twins['name']}): where frames of one patient stand on both sides of the "
        "split, accuracy promises too much for the next patient."
    )
