"""Devices: peak rates, memories and power, and the least time a step can take (lesson 09).

The roofline (Williams, Waterman and Patterson, CACM 2009) says that no step is faster than
its arithmetic at the peak rate, nor than its bytes at the bandwidth. It is a bound, not a
forecast: nothing here is timed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyternary.brief import Brief
from tinyternary.cost import constants
from tinyternary.cost.amounts import Range
from tinyternary.cost.blocking import Gemm
from tinyternary.errors import ConfigError

PEAKS = ("int8", "fp16", "fp32")
"""Arithmetic whose peak rate every device states."""

_PEAK_OF = {"ternary": "int8", "int8": "int8", "float16": "fp16", "float32": "fp32"}


@dataclass(frozen=True)
class Cache:
    """One level of on-chip memory.

    Attributes
    ----------
    name : str
    capacity : int
        Bytes.
    """

    name: str
    capacity: int


@dataclass(frozen=True, repr=False)
class Device(Brief):
    """What the roofline and the energy model need to know of a machine.

    Attributes
    ----------
    name, title, source : str
    peak : mapping
        Peak MAC/s for "int8", "fp16" and "fp32".
    caches : tuple of Cache
        On-chip memories, smallest first.
    dram_bytes_per_second : float
    watts : Range or None
        Power while it works; None where nobody has measured it.
    flash, ram : int, optional
        Bytes that a program without operating system has, on a microcontroller.
    """

    name: str
    title: str
    source: str
    peak: Mapping[str, float]
    caches: tuple[Cache, ...]
    dram_bytes_per_second: float
    watts: Range | None
    flash: int | None = None
    ram: int | None = None

    def peak_of(self, arithmetic: str) -> float:
        """Peak MAC/s for "ternary", "int8", "float16" or "float32" products."""
        return self.peak[_PEAK_OF[arithmetic]]

    def to_dict(self) -> dict[str, Any]:
        """Return the TOML form, read back by `parse_device`."""
        return {
            "kind": "device",
            "name": self.name,
            "title": self.title,
            "source": self.source,
            "peak": dict(self.peak),
            "cache": [{"name": c.name, "bytes": c.capacity} for c in self.caches],
            "dram": {"bytes_per_second": self.dram_bytes_per_second},
            "watts": None if self.watts is None else self.watts.to_dict(),
            "memory": None if self.flash is None else {"flash": self.flash, "ram": self.ram},
        }


REFERENCE_CACHES = (Cache("SRAM 32 KB", 32768), Cache("SRAM 1 MB", 1048576))
"""On-chip memories where no device is given: two sizes that the energy tables price."""


def devices() -> list[str]:
    """Names of the devices that come with the package."""
    return constants.shipped("device")


def device(name: str) -> Device:
    """Return a device of the package, or read a user's from a ``.toml`` file.

    Raises
    ------
    ConfigError
        If the name is unknown, or the file unusable.
    """
    if name.endswith(".toml"):
        return load_device(name)
    return parse_device(constants.read_shipped("device", name), f"device {name!r}")


def load_device(path: str | Path) -> Device:
    """Read a device from a TOML file of the form of ``tinyternary/cost/tables/device-*.toml``.

    Raises
    ------
    ConfigError
        If it cannot be read, or an entry is missing, negative or of the wrong type.
    """
    return parse_device(constants.read_file(path, "device"), f"device {path}")


def parse_device(table: constants.Table, where: str) -> Device:
    """Turn a TOML table into a `Device`, checking every entry."""
    peak = constants.section(table, "peak", where)
    rows = table.get("cache")
    if not isinstance(rows, list) or not rows:
        raise ConfigError(f"{where}: expected at least one [[cache]] section")
    caches = sorted(
        (
            Cache(constants.text(row, "name", where), int(constants.positive(row, "bytes", where)))
            for row in rows
        ),
        key=lambda cache: cache.capacity,
    )
    dram = constants.section(table, "dram", where)
    flash, ram = (
        int(constants.positive(constants.section(table, "memory", where), part, where))
        if table.get("memory") is not None
        else None
        for part in ("flash", "ram")
    )
    return Device(
        name=constants.text(table, "name", where),
        title=constants.text(table, "title", where),
        source=constants.text(table, "source", where),
        peak={kind: constants.positive(peak, kind, f"{where}: [peak]") for kind in PEAKS},
        caches=tuple(caches),
        dram_bytes_per_second=constants.positive(dram, "bytes_per_second", f"{where}: [dram]"),
        watts=constants.spread_about(
            constants.section(table, "watts", where), 1.0, f"{where}: [watts]"
        ),
        flash=flash,
        ram=ram,
    )


def least_seconds(
    device: Device, arithmetic: str | None, macs: int, other_ops: int, dram_bytes: float
) -> float:
    """Return the roofline's lower bound on time, in seconds.

    Products, other operations and memory are taken to overlap perfectly, so the slowest
    of the three counts.

    Parameters
    ----------
    device : Device
    arithmetic : str, optional
        What the product is done in; None where there is no product.
    macs : int
        Multiply-accumulates of the product.
    other_ops : int
        Operations outside the product, at 2 ops per float32 MAC of the peak.
    dram_bytes : float
        Bytes to and from DRAM.
    """
    product = macs / device.peak_of(arithmetic) if arithmetic is not None else 0.0
    others = other_ops / (2 * device.peak["fp32"])
    return max(product, others, dram_bytes / device.dram_bytes_per_second)


def least_kernel_seconds(device: Device, gemm: Gemm, arithmetic: str = "ternary") -> float:
    """Return the roofline's lower bound on one matrix product that runs again and again.

    Operands that fit into the largest cache stay there between calls, so that DRAM bounds
    only what does not fit.

    Parameters
    ----------
    device : Device
        As many cores as the product is run on.
    gemm : Gemm
    arithmetic : {"ternary", "int8", "float16", "float32"}
    """
    moved = gemm.operand_bytes if gemm.operand_bytes > device.caches[-1].capacity else 0.0
    return least_seconds(device, arithmetic, gemm.macs, 0, moved)
