"""One network under several policies, side by side (lesson 09)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tinyternary.brief import Brief
from tinyternary.cost.analyze import analyze
from tinyternary.cost.claims import claims
from tinyternary.cost.report import CostReport
from tinyternary.errors import ConfigError


@dataclass(frozen=True, repr=False)
class Comparison(Brief):
    """Reports of one network; the first is what the others are compared with.

    Attributes
    ----------
    reports : tuple of CostReport
    """

    reports: tuple[CostReport, ...]

    def table(self) -> list[tuple[str, ...]]:
        """Plain rows for a terminal: a header and one row per policy, all per image.

        Traffic, energy and time are modelled; exact numbers are in `to_dict`.
        """
        base = self.reports[0]
        head = ["policy", "stored", "smaller", "DRAM", "energy (range)", "less"]
        if base.seconds is not None:
            head.append("at least")
        rows = [tuple(head)]
        for report in self.reports:
            joules = report.energy_uj.times(1e-6)
            middle, unit = scaled(joules.middle, "J").split()
            factor = {"J": 1.0, "mJ": 1e3, "uJ": 1e6, "nJ": 1e9}[unit]
            row = [
                report.policy,
                binary(report.bytes_stored),
                f"{base.bytes_stored / report.bytes_stored:.2f}x",
                scaled(report.traffic_by_level["DRAM"], "B"),
                f"{middle} {unit} ({joules.low * factor:.3g}-{joules.high * factor:.3g})",
                f"{base.energy_uj.middle / report.energy_uj.middle:.2f}x",
            ]
            if report.seconds is not None:
                row.append(scaled(report.seconds, "s"))
            rows.append(tuple(row))
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


def scaled(value: float, unit: str) -> str:
    """Write a number with three digits and a decimal prefix: ``scaled(0.0123, "J")``."""
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m"), (1e-6, "u")):
        if abs(value) >= factor:
            return f"{value / factor:#.3g}".rstrip(".") + f" {prefix}{unit}".rstrip()
    return f"{value * 1e9:.3g} n{unit}" if value else f"0 {unit}".rstrip()


def binary(count: float) -> str:
    """Write a number of bytes in KiB or MiB."""
    return f"{count / 2**20:.2f} MiB" if count >= 2**20 else f"{count / 1024:.1f} KiB"
