"""Which constants the modelled energy hangs on (lesson 09).

One constant at a time goes from its low to its high value while all others keep their
middle. A conclusion that survives every swing is worth more than one that does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tinyternary.config import vit_matrices
from tinyternary.cost.amounts import Range
from tinyternary.cost.energy import BASIC_OPS, ENDS, EnergyTable
from tinyternary.cost.evaluate import cost_step
from tinyternary.cost.report import CostReport
from tinyternary.cost.steps import Choices, Trits
from tinyternary.cost.vit_steps import vit_steps
from tinyternary.errors import ConfigError

ZERO_SHARES = (0.2, 0.5)
"""Shares of zero trits that trained networks lie between (an assumption)."""


@dataclass(frozen=True)
class Swing:
    """What one constant does to the total.

    Attributes
    ----------
    constant : str
        Its name, for readers.
    low_uj, high_uj : float
        Modelled microjoules per image with the constant at either end of its range.
    middle_uj : float
        With every constant at its middle.
    """

    constant: str
    low_uj: float
    middle_uj: float
    high_uj: float

    @property
    def width_uj(self) -> float:
        """How far the total moves."""
        return abs(self.high_uj - self.low_uj)


def sensitivity(report: CostReport) -> list[Swing]:
    """Move one constant at a time, and list the swings, widest first.

    Constants that the network does not use are left out.
    """
    table = report.energy_model
    middle = report.energy_uj.middle
    swings = []
    for op in BASIC_OPS:
        swings.append(_swing(report, f"{op.replace('_', ' ')}", middle, _with_op(table, op)))
    swings.append(_swing(report, "length of exp, erf, division", middle,
                         _with_expansions(table)))  # fmt: skip
    swings.append(_swing(report, "SRAM access", middle, _with_sram(table)))
    swings.append(_swing(report, "DRAM access", middle, _with_dram(table)))
    if any(op in report.ops for op in ("skip", "int32_sub")):
        low, high = (zero_share_energy(report, [share])[0].middle for share in ZERO_SHARES)
        label = f"zero share, {ZERO_SHARES[0]:g} to {ZERO_SHARES[1]:g}"
        swings.append(Swing(label, low, middle, high))
    used = [swing for swing in swings if swing.width_uj > 1e-9 * middle]
    return sorted(used, key=lambda swing: -swing.width_uj)


def zero_share_energy(report: CostReport, shares: Sequence[float]) -> list[Range]:
    """Modelled microjoules per image for assumed shares of zero trits.

    Raises
    ------
    ConfigError
        If a share is outside [0, 1].
    """
    energies = []
    for share in shares:
        if not 0.0 <= share <= 1.0:
            raise ConfigError(f"zero share: expected a value in [0, 1], got {share!r}")
        trits = {
            layer.name: Trits.assumed(layer.weights, share)
            for layer in vit_matrices(report.config)
            if layer.name in report.choices.trits
        }
        energies.append(_with(report, choices=replace(report.choices, trits=trits)).energy_uj)
    return energies


def _with(
    report: CostReport, table: EnergyTable | None = None, choices: Choices | None = None
) -> CostReport:
    """Cost the same network again under another table or other choices."""
    table = table or report.energy_model
    choices = choices or report.choices
    layers = tuple(
        cost_step(step, report.caches, table, report.device, report.batch)
        for step in vit_steps(report.config, choices)
    )
    return replace(report, energy_model=table, choices=choices, layers=layers)


def _swing(report: CostReport, name: str, middle: float, at: Callable[[int], EnergyTable]) -> Swing:
    low, high = (_with(report, table=at(end)).energy_uj.middle for end in (0, 2))
    return Swing(name, low, middle, high)


def _pinned(range_: Range, end: int) -> Range:
    return Range(range_[end], range_[end], range_[end])


def _with_op(table: EnergyTable, op: str) -> Callable[[int], EnergyTable]:
    return lambda end: replace(table, basic={**table.basic, op: _pinned(table.basic[op], end)})


def _with_expansions(table: EnergyTable) -> Callable[[int], EnergyTable]:
    return lambda end: replace(
        table,
        expansions={
            kind: dict.fromkeys(ENDS, counts[ENDS[end]])
            for kind, counts in table.expansions.items()
        },
    )


def _with_sram(table: EnergyTable) -> Callable[[int], EnergyTable]:
    return lambda end: replace(
        table, sram=tuple((size, _pinned(energy, end)) for size, energy in table.sram)
    )


def _with_dram(table: EnergyTable) -> Callable[[int], EnergyTable]:
    return lambda end: replace(table, dram=_pinned(table.dram, end))
