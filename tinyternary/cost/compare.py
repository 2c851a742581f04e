"""One network under several policies, side by side (lesson 09)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tinyternary.cost.analyze import analyze
from tinyternary.cost.claims import claims
from tinyternary.cost.report import CostReport
from tinyternary.errors import ConfigError


@dataclass(frozen=True)
class Comparison:
    """Reports of one network; the first is what the others are compared with.

    Attributes
    ----------
    reports : tuple of CostReport
    """

    reports: tuple[CostReport, ...]

    def table(self) -> list[tuple[str, ...]]:
        """Plain rows for a terminal: a header and one row per policy."""
        base = self.reports[0]
        timed = base.seconds is not None
        head = ("policy", "parameters", "bytes stored", "times smaller", "MACs per image",
                "DRAM bytes", "energy, uJ (modelled)", "low to high", "times less")  # fmt: skip
        rows: list[tuple[str, ...]] = [(*head, "at least, ms (modelled)") if timed else head]
        for report in self.reports:
            low, middle, high = report.energy_uj
            row: tuple[str, ...] = (
                report.policy,
                f"{report.parameters:,}",
                f"{report.bytes_stored:,}",
                f"{base.bytes_stored / report.bytes_stored:.2f}",
                f"{report.macs:,}",
                f"{report.traffic_by_level['DRAM']:,.0f}",
                f"{middle:,.1f}",
                f"{low:,.1f} to {high:,.1f}",
                f"{base.energy_uj.middle / middle:.2f}",
            )
            if report.seconds is not None:
                row = (*row, f"{1e3 * report.seconds:.3f}")
            rows.append(row)
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types: each report, and for "bitmedvit" its published figures as well."""
        base = self.reports[0]
        published = [claim.to_dict() for claim in claims()] if base.name == "bitmedvit" else []
        return {
            "network": base.name,
            "published_figures": published,
            "compared_with": base.policy,
            "reports": [report.to_dict() for report in self.reports],
            "times_smaller": {r.policy: base.bytes_stored / r.bytes_stored for r in self.reports},
            "times_less_energy_modelled": {
                r.policy: base.energy_uj.middle / r.energy_uj.middle for r in self.reports
            },
        }


def compare(network: Any, policies: Sequence[str], **options: Any) -> Comparison:
    """Analyse a network under each policy.

    Parameters
    ----------
    network : str, ViTConfig or model
    policies : sequence of str
        Names; the first is the baseline. A name given twice counts once.
    **options
        Passed on to `analyze`.

    Raises
    ------
    ConfigError
        If there is no policy, or `analyze` refuses one.
    """
    names = list(dict.fromkeys(policies))
    if not names:
        raise ConfigError("policies: expected at least one name")
    return Comparison(tuple(analyze(network, name, **options) for name in names))
