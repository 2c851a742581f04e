"""What one operation and one access to memory cost, in picojoules (lesson 09).

Tables of the package: 45 nm (Horowitz, ISSCC 2014) and 7 nm (Jouppi et al., ISCA 2021);
a user's own is a TOML file of the same form. Operations that such tables do not list
(exp, division, ...) are spelled out in those that they do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyternary.brief import Brief
from tinyternary.cost import constants
from tinyternary.cost.amounts import NOTHING, Range
from tinyternary.errors import ConfigError

BASIC_OPS = (
    "int8_add", "int8_mul", "int32_add", "int32_mul",
    "fp16_add", "fp16_mul", "fp32_add", "fp32_mul",
)  # fmt: skip
"""Operations that every energy table prices."""

ENDS = ("low", "middle", "high")

FREE_OPS = ("skip",)
"""What is counted but not done: a product with a zero weight that a kernel leaves out."""


@dataclass(frozen=True, repr=False)
class EnergyTable(Brief):
    """Energy of operations and of memory accesses.

    Attributes
    ----------
    name, title, source : str
        Short name, name for readers, and where the numbers are from.
    basic : mapping of str to Range
        Picojoules per operation of `BASIC_OPS`.
    expansions : mapping
        Special function to its low, middle and high number of basic operations.
    sram : tuple of (int, Range)
        Capacity in bytes and picojoules per 64-bit access, smallest first.
    dram : Range
        Picojoules per 64-bit access.
    """

    name: str
    title: str
    source: str
    basic: Mapping[str, Range]
    expansions: Mapping[str, Mapping[str, Mapping[str, float]]]
    sram: tuple[tuple[int, Range], ...]
    dram: Range

    def op(self, kind: str) -> Range:
        """Picojoules of one operation.

        Raises
        ------
        ConfigError
            If the table has no such entry: never a silent zero.
        """
        if kind in FREE_OPS:
            return NOTHING
        if kind in self.basic:
            return self.basic[kind]
        if kind not in self.expansions:
            raise ConfigError(f"energy table {self.name!r}: missing entry {kind!r}")
        counts = self.expansions[kind]
        return Range(*(
            sum(self.basic[op][i] * count for op, count in counts[end].items())
            for i, end in enumerate(ENDS)
        ))  # fmt: skip

    def sram_access(self, capacity: int) -> Range:
        """Picojoules per 64-bit access of an on-chip memory of `capacity` bytes.

        Between two sizes of the table, and beyond the last, energy is a power of the
        capacity (a straight line on log-log axes): bit lines grow with the array.
        Below the smallest size the smallest entry holds.
        """
        rows = self.sram
        if capacity <= rows[0][0]:
            return rows[0][1]
        right = next((i for i, row in enumerate(rows) if row[0] >= capacity), len(rows) - 1)
        (size0, energy0), (size1, energy1) = rows[right - 1], rows[right]
        share = math.log(capacity / size0) / math.log(size1 / size0)
        return Range(*(a * (b / a) ** share for a, b in zip(energy0, energy1)))


def energy_table(name: str = "45nm") -> EnergyTable:
    """Return a table of the package: "45nm" or "7nm".

    Raises
    ------
    ConfigError
        If the name is unknown.
    """
    return _parse(constants.read_shipped("energy", name), f"energy table {name!r}")


def load_energy_table(path: str | Path) -> EnergyTable:
    """Read a user's table from a TOML file.

    Its form is that of the tables of the package (``tinyternary/cost/tables/``): `kind`,
    `name`, `title`, `source`, `spread`, [picojoules], [[sram]], [dram] and, if wanted, an
    [expansion] that overrides what special functions cost.

    Raises
    ------
    ConfigError
        If it cannot be read, or an entry is missing, negative or of the wrong type.
    """
    return _parse(constants.read_file(path, "energy"), f"energy table {path}")


def _parse(table: constants.Table, where: str) -> EnergyTable:
    spread = constants.number(table, "spread", where)
    if spread < 1.0:
        raise ConfigError(f"{where}: spread should be at least 1, got {spread}")
    given = constants.section(table, "picojoules", where)
    basic = {}
    for kind in BASIC_OPS:
        if kind not in given:
            raise ConfigError(f"{where}: [picojoules] misses {kind!r}")
        basic[kind] = constants.spread_about(given[kind], spread, f"{where}: {kind}")
    stray = sorted(set(given) - set(BASIC_OPS))
    if stray:
        raise ConfigError(f"{where}: [picojoules] has unknown {stray[0]!r}")
    expansions = {**constants.read_expansions(), **table.get("expansion", {})}
    return EnergyTable(
        name=constants.text(table, "name", where),
        title=constants.text(table, "title", where),
        source=constants.text(table, "source", where),
        basic=basic,
        expansions={
            kind: _expansion(counts, f"{where}: expansion of {kind}")
            for kind, counts in expansions.items()
        },
        sram=_sram(table.get("sram"), spread, where),
        dram=constants.spread_about(
            constants.section(table, "dram", where), spread, f"{where}: [dram]"
        ),
    )


def _sram(rows: Any, spread: float, where: str) -> tuple[tuple[int, Range], ...]:
    if not isinstance(rows, list) or len(rows) < 2:
        raise ConfigError(f"{where}: expected at least two [[sram]] sections")
    parsed = []
    for row in rows:
        capacity = int(constants.positive(row, "bytes", f"{where}: [[sram]]"))
        constants.positive(row, "picojoules", f"{where}: [[sram]]")
        parsed.append((capacity, constants.spread_about(row["picojoules"], spread, where)))
    parsed.sort()
    if len({capacity for capacity, _ in parsed}) < len(parsed):
        raise ConfigError(f"{where}: two [[sram]] sections of one size")
    return tuple(parsed)


def _expansion(counts: Any, where: str) -> dict[str, dict[str, float]]:
    parsed = {}
    for end in ENDS:
        parts = constants.section(counts if isinstance(counts, dict) else {}, end, where)
        unknown = sorted(set(parts) - set(BASIC_OPS))
        if unknown:
            raise ConfigError(f"{where}: {unknown[0]!r} is not one of {', '.join(BASIC_OPS)}")
        parsed[end] = {kind: constants.number(parts, kind, where) for kind in parts}
    return parsed
