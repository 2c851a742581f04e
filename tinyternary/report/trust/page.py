"""The page of `tinyternary report`: its sections in order, and the checklists keyed to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tinyternary.experiments.explained import MapExamples
from tinyternary.report.checklist import NAMES, checklist_section
from tinyternary.report.page import Page, Section
from tinyternary.report.style import CLINICAL_NOTE, SYNTHETIC_NOTE
from tinyternary.report.trust.accuracy import Examples, accuracy_section, mistakes_section, tiles
from tinyternary.report.trust.calibration import calibration_section
from tinyternary.report.trust.costs import cost_section
from tinyternary.report.trust.data import data_section, limits_section, model_section
from tinyternary.report.trust.maps import maps_section
from tinyternary.report.trust.operating import operating_section
from tinyternary.report.trust.outliers import outliers_section
from tinyternary.report.trust.robustness import robustness_section
from tinyternary.report.trust.sets import sets_section
from tinyternary.report.trust.strata import strata_section
from tinyternary.report.trust.words import name_of


@dataclass(frozen=True)
class Pictures:
    """Images that a page shows; a record holds none.

    Attributes
    ----------
    wrong : Examples, optional
        Mistakes, from `tinyternary.experiments.trust.mistakes`.
    maps : MapExamples, optional
        From `tinyternary.experiments.map_examples`.
    """

    wrong: Examples | None = None
    maps: MapExamples | None = None


def trust_sections(
    record: Mapping[str, Any], pictures: Pictures | None = None
) -> dict[str, Section]:
    """Lay out what was measured; the checklists are keyed to what there is.

    Parameters
    ----------
    record : dict
        From `tinyternary.experiments.measure_trust`.
    pictures : Pictures, optional

    Returns
    -------
    dict of str to Section
        By the keys that the checklists use, in the order of the page.
    """
    shown = pictures or Pictures()
    made = {
        "accuracy": accuracy_section(record),
        "data": data_section(record),
        "mistakes": mistakes_section(record, shown.wrong),
        "strata": strata_section(record),
        "calibration": calibration_section(record),
        "sets": sets_section(record),
        "operating": operating_section(record),
        "robustness": robustness_section(record),
        "outliers": outliers_section(record),
        "maps": maps_section(record, shown.maps),
        "cost": cost_section(record),
        "model": model_section(record),
        "limits": limits_section(record),
    }
    sections = {key: section for key, section in made.items() if section is not None}
    titles = {key: section.title for key, section in sections.items()}
    return sections | {name: checklist_section(name, titles) for name in NAMES}


def trust_page(record: Mapping[str, Any], pictures: Pictures | None = None) -> Page:
    """Build the page; arguments as in `trust_sections`."""
    data, synthetic = record["data"], record["data"]["synthetic"]
    who = name_of(record, "student")
    beside = " beside its teacher" if "teacher" in record["accuracy"] else ""
    return Page(
        title=f"Can it be trusted? A {who} on {data['title']}",
        lead=f"A Vision Transformer, the {who}{beside}, asked about {data['images']['test']:,} "
        f"test images of {data['title']} and about what a reader has to know before believing it.",
        banner=f"{SYNTHETIC_NOTE} · {CLINICAL_NOTE}" if synthetic else CLINICAL_NOTE,
        tiles=tiles(record),
        sections=list(trust_sections(record, pictures).values()),
        footer=f"Made by tinyternary {record['tinyternary']} from {record['subject']}, seed "
        f"{record['seed']}{', a quick look' if record['quick'] else ''}. The numbers stand in the "
        "JSON file that was written beside this page.",
        contents=True,
    )
