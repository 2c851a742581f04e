"""What the networks used for their answers, and how far such maps can be believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinyternary.experiments.explained import MapExamples
from tinyternary.report.explanations import (
    agreement_bars,
    deletion_insertion_curves,
    gain_over_random,
    map_grid,
    randomization_bars,
)
from tinyternary.report.page import Section, Table
from tinyternary.report.trust.words import name_of, networks, number


def maps_section(record: Mapping[str, Any], examples: MapExamples | None = None) -> Section | None:
    """Show maps, deletion and insertion, the check by scrambled weights, and agreement."""
    found = record.get("maps")
    if found is None:
        return None
    parts = []
    if examples is not None:
        parts.append(
            Section(
                "Maps of some test images, drawn at random",
                "Brighter is where more was used, each map on its own scale. A map shows what the "
                "network used, not what a lesion is.",
                map_grid(examples),
                "Test images with maps of each method for each network",
            )
        )
    parts += [
        Section(
            "Deletion and insertion",
            "Pixels are taken out, or put into a blurred image, most used first: a faithful map "
            "makes the probability fall, or rise, faster than a random order does.",
            deletion_insertion_curves(found),
            "Mean probability of the answer against the part of pixels taken out or put in",
            _gains(record),
        ),
        Section(
            "Better than a random order?",
            figure=gain_over_random(found),
            alt="How much better than random each method does, with intervals",
        ),
        Section(
            "Do maps change with the network?",
            "Layer by layer, from the head down, weights are scrambled: a map that stays as it was "
            "shows the image, and not what was learned.",
            randomization_bars(found),
            "Correlation of maps with those of scrambled networks",
        ),
    ]
    if "agreement" in found:
        parts.append(
            Section(
                "Do teacher and student use the same?",
                figure=agreement_bars(found),
                alt="Agreement of maps of the same image, beside that of different images",
            )
        )
    return Section("What did it look at? (maps)", _words(record), parts=parts)


def _methods(record: Mapping[str, Any]) -> list[str]:
    return list(record["maps"]["networks"]["student"]["faithfulness"]["deletion"]["maps"])


def _words(record: Mapping[str, Any]) -> str:
    found = record["maps"]["networks"]["student"]
    curves, sanity = found["faithfulness"], found["sanity"]["methods"]
    good = [
        method
        for method in _methods(record)
        if sanity[method]["passes"]
        and all(
            each["beats_random"] and each["own_interval"][0] > 0
            for each in (curves[kind]["maps"][method] for kind in ("deletion", "insertion"))
        )
    ]
    count = "all" if len(good) == len(sanity) else " and ".join(good) if good else "none"
    text = (
        f"Of {len(sanity)} kinds of maps, tested on {record['maps']['images']} test images of the "
        f"{name_of(record, 'student')}, {count} told more than chance and than another image's map "
        "in both tests of faithfulness, and changed with the weights as it should. "
    )
    if not good:
        text += "So no answer should be explained by them. "
    if "agreement" not in record["maps"]:
        return text + "Nothing says that what was used is what a clinician would look at."
    best = good[0] if good else _methods(record)[0]
    same = record["maps"]["agreement"][best]["spearman"]
    return text + (
        f"Teacher's and student's maps of one image ({best}) correlate by "
        f"{number(same['same'], same['same_interval'], '.2f')}, those of different images by "
        f"{number(same['unrelated'], same['unrelated_interval'], '.2f')}."
    )


def _gains(record: Mapping[str, Any]) -> Table:
    who = networks(record)
    rows = []
    for method in _methods(record):
        for kind in ("deletion", "insertion"):
            each = [record["maps"]["networks"][key]["faithfulness"][kind]["maps"][method]
                    for key in who]  # fmt: skip
            cells = [number(e["gain"], e["gain_interval"], "+.3f") for e in each]
            rows.append([f"{method}, {kind}", *cells])
            cells = [number(e["own_gain"], e["own_interval"], "+.3f") for e in each]
            rows.append([f"{method}, {kind}, over another image's map", *cells])
    for method in _methods(record):
        each = [record["maps"]["networks"][key]["sanity"]["methods"][method] for key in who]
        cells = [number(e["correlation"][0], e["intervals"][0], ".2f") for e in each]
        rows.append([f"{method}, likeness left when the head is scrambled", *cells])
        cells = [number(e["excess"], e["excess_interval"], "+.2f") for e in each]
        rows.append([f"{method}, likeness left when all is scrambled", *cells])
    return Table(
        ["method and test", *(name_of(record, key) for key in who)], rows,
        caption="Area gained over random orders of the same image, or over the order of another "
        "image's map, which shows what a map says of its own image beyond where objects lie; the "
        "correlation with the map of the whole network when the head is scrambled (a map near 1 "
        "is not of the answer), and, when all is, beyond that of different images (0 or below: "
        "nothing is left); with 95 % bootstrap intervals over images.",
    )  # fmt: skip
