"""What the networks say of images that are of none of their classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinyternary.report.page import Section, Table
from tinyternary.report.trust.words import name_of, networks, number, share, title_of


def outliers_section(record: Mapping[str, Any]) -> Section | None:
    """Show how sure the networks are of strange images, and whether a score tells these apart."""
    found = record.get("outliers")
    if found is None:
        return None
    # records made before other sets were asked about do not say that there were none
    others = found.get("other_sets", {"asked": {}, "left_out": {}})
    asked = {who: found[who] for who in networks(record) if who in found}
    rows = []
    for who, each in asked.items():
        name = name_of(record, who)
        rows.append([f"{name}: test images", f"{each['inside']['images']:,}",
                     share(each["inside"]["sure"]), *("" for _ in _scores(each))])  # fmt: skip
        for kind, other in each["outside"].items():
            rows.append([f"{name}: {_kind(kind, others)}", f"{other['images']:,}",
                         share(other["sure"]),
                         *(number(s["auroc"], s["interval"], ".2f")
                           for s in other["scores"].values())])  # fmt: skip
    some = next(iter(asked.values()))
    return Section(
        "Images of none of its classes (out of distribution)",
        _words(record),
        table=Table(
            ["images", "count", "sure (above 0.9)", *_scores(some)], rows,
            caption="AUROC of each score, the share of pairs in which the strange image has the "
            "larger one, with 95 % bootstrap intervals: 0.5 says nothing, 1 tells all apart. An "
            "interval for one image alone is that of the test images."
            f"{_other_organs(record, others)}",
        ),
    )  # fmt: skip


def _scores(each: Mapping[str, Any]) -> list[str]:
    return list(next(iter(each["outside"].values()))["scores"])


def _kind(kind: str, others: Mapping[str, Any]) -> str:
    known = others["asked"].get(kind)
    return f"{title_of(kind)}, {known['modality']}" if known else kind


def _other_organs(record: Mapping[str, Any], others: Mapping[str, Any]) -> str:
    """Say how images of other sets were made to fit, which were left out, or that none is there."""
    if "other_sets" not in record["outliers"]:
        return " Images of other organs were not asked about."
    text = "" if others["asked"] else (
        " Images of other organs were not asked about: no file of another MedMNIST set that could "
        "be used lay in the data folder at this image size."
    )  # fmt: skip
    channels = record["data"]["shape"][2]
    changed = [title_of(n) for n, each in others["asked"].items() if each["channels"] != channels]
    if others["asked"]:
        text += " Images of other sets are test images of theirs, drawn at random."
    if changed:
        how = "weighed into grey" if channels == 1 else "grey, and repeated as RGB"
        text += f" Those of {', '.join(changed)} were {how}."
    if others["left_out"]:
        reasons = ", ".join(f"{title_of(name)} ({why})" for name, why in others["left_out"].items())
        text += f" Left out, since they may be no strangers: {reasons}."
    return text


def _words(record: Mapping[str, Any]) -> str:
    student = record["outliers"]["student"]
    noise = student["outside"]["noise"]
    best, told = _best(noise)
    text = (
        f"A network answers whatever it is shown: of pure noise the {name_of(record, 'student')} "
        f"is sure for {share(noise['sure'])} of the images, of its own test images for "
        f"{share(student['inside']['sure'])}. The score that tells noise best, {best}, puts it "
        f"above a test image in {share(told['auroc'], told['interval'])} of pairs."
    )
    asked = record["outliers"].get("other_sets", {}).get("asked", {})
    if not asked:
        return text
    hardest = min(asked, key=lambda name: _best(student["outside"][name])[1]["auroc"])
    best, told = _best(student["outside"][hardest])
    which = "Another set asked about is" if len(asked) == 1 else (
        f"Of {len(asked)} other sets the hardest to tell is"
    )  # fmt: skip
    auroc = share(told["auroc"], told["interval"])
    return text + (
        f" {which} {title_of(hardest)} ({asked[hardest]['modality']}): the "
        f"{name_of(record, 'student')} is sure for {share(student['outside'][hardest]['sure'])} of "
        f"its images, and {best}, which tells them best, does so in {auroc} of pairs."
    )


def _best(strange: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Name the score that tells strange images best, and its AUROC with the interval."""
    scores = strange["scores"]
    best = max(scores, key=lambda score: scores[score]["auroc"])
    return best, scores[best]
