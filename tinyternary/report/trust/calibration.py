"""Whether a probability means what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinyternary.report.page import Section, Table
from tinyternary.report.trust.words import name_of, networks, number
from tinyternary.report.uncertainty import reliability_diagram

_TITLES = {
    "ece_equal_mass": "ECE, bins of equal mass",
    "ece": "ECE, bins of equal width",
    "brier": "Brier score",
    "log_loss": "log-loss, nats",
}
_HOW = {"as trained": "as trained", "scaled": "at the temperature from validation images"}


def calibration_section(record: Mapping[str, Any]) -> Section | None:
    """Show the distance of confidence from accuracy, before and after a temperature."""
    found, who = record.get("calibration"), networks(record)
    if found is None:
        return None
    header = [
        "",
        *(f"{name_of(record, key)}, {how}" for key in who for how in ("as trained", "scaled")),
    ]
    rows = [
        [title, *(number(found[key][how][metric], found[key][how]["intervals"][metric])
                  for key in who for how in _HOW)]
        for metric, title in _TITLES.items()
    ]  # fmt: skip
    temperatures = [cell for key in who for cell in ("1", f"{found[key]['temperature']:.2f}")]
    rows.append(["temperature", *temperatures])
    parts = []
    if len(who) == 2:
        parts = [
            Section(
                f"Confidence and accuracy {words}",
                figure=reliability_diagram({key: [found[key][how]["reliability"]] for key in who}),
                alt=f"Accuracy by confidence, teacher and student, {words}",
            )
            for how, words in _HOW.items()
        ]
    return Section(
        "Does a probability mean what it says? (calibration)",
        _words(record),
        table=Table(header, rows, caption=_caption(found, who)),
        parts=parts,
    )


def _words(record: Mapping[str, Any]) -> str:
    found = record["calibration"]["student"]
    before, after = (found[how]["ece_equal_mass"] for how in _HOW)
    text = (
        f"Where the {name_of(record, 'student')} says 80 %, it should be right eight times in "
        f"ten; on average its confidence is {100 * before:.1f} points off, and "
        f"{100 * after:.1f} after dividing its logits by one number, "
        f"{found['temperature']:.2f}, found on validation images. "
    )
    if after <= found["chance"]:
        return text + (
            f"A perfectly calibrated network would often show up to {100 * found['chance']:.1f} "
            "points on so few images, so nothing speaks against these probabilities."
        )
    return text + (
        f"That is more than the {100 * found['chance']:.1f} points that chance among these images "
        "explains: do not read its probabilities as frequencies."
    )


def _caption(found: Mapping[str, Any], who: list[str]) -> str:
    text = (
        "In brackets 95 % bootstrap intervals over test images; an ECE is biased upwards, the more "
        "so with few images, and so are its intervals. Brier score and log-loss are lowest for "
        "true probabilities"
    )
    if "difference" in found:
        value, (low, high) = found["difference"]["value"], found["difference"]["interval"]
        text += (
            f". ECE (equal mass, scaled), student less teacher: {100 * value:+.1f} points "
            f"({100 * low:+.1f} to {100 * high:+.1f})"
        )
    return f"{text}."
