"""The answer of `analyze`: what a network stores, computes and, by the model, consumes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tinyternary.config import ViTConfig
from tinyternary.cost.amounts import Range, total
from tinyternary.cost.device import REFERENCE_CACHES, Cache, Device
from tinyternary.cost.energy import EnergyTable
from tinyternary.cost.evaluate import StepCost
from tinyternary.cost.steps import Choices


@dataclass(frozen=True, repr=False)
class CostReport:
    """Parameters, bytes, MACs, operations and modelled energy, per layer and in all.

    Attributes
    ----------
    name, policy : str
        The network and its quantisation policy.
    config : ViTConfig
    choices : Choices
        Storage, arithmetic and assumed zero share.
    batch : int
        Images that are processed together; every figure is per image all the same.
    energy_model : EnergyTable
    device : Device or None
    layers : tuple of StepCost
        The steps of the forward pass in order.
    """

    name: str
    policy: str
    config: ViTConfig
    choices: Choices
    batch: int
    energy_model: EnergyTable
    device: Device | None
    layers: tuple[StepCost, ...]

    def __repr__(self) -> str:
        said = dict(self.summary())
        return (
            f"CostReport({said['network']}: {self.parameters:,} parameters in "
            f"{self.bytes_stored:,} bytes, {self.macs:,} MACs and modelled "
            f"{said['energy per image, modelled']} per image; table() has its layers)"
        )

    @property
    def caches(self) -> tuple[Cache, ...]:
        """On-chip memories: the device's, or a reference where there is none."""
        return REFERENCE_CACHES if self.device is None else self.device.caches

    @property
    def parameters(self) -> int:
        """Trained numbers that inference needs; scales of quantised weights not counted."""
        return sum(self.parameters_by_storage.values())

    @cached_property
    def parameters_by_storage(self) -> dict[str, int]:
        """Parameters by storage type: "ternary", "int8", "float32", ..."""
        counts: Counter[str] = Counter()
        for array in self._arrays:
            counts[array.kind] += array.parameters
        return {kind: count for kind, count in counts.items() if count}

    @property
    def bytes_stored(self) -> int:
        """Bytes of all arrays as the packed file stores them, its header not counted."""
        return sum(self.bytes_by_storage.values())

    @cached_property
    def bytes_by_storage(self) -> dict[str, int]:
        """Bytes by storage type, scales apart."""
        counts: Counter[str] = Counter()
        for array in self._arrays:
            counts[array.kind] += array.nbytes
        return dict(counts)

    @property
    def macs(self) -> int:
        """Multiply-accumulates per image (MACs), attention products included."""
        return sum(layer.step.macs for layer in self.layers)

    @property
    def attention(self) -> str:
        """Arithmetic of the attention products; "int8 and float32" where blocks differ."""
        products = (cost.step for cost in self.layers if cost.step.kind == "attention")
        return " and ".join(dict.fromkeys(str(step.arithmetic) for step in products))

    @cached_property
    def macs_by_arithmetic(self) -> dict[str, int]:
        """MACs per image by the arithmetic that they are done in."""
        counts: Counter[str] = Counter()
        for layer in self.layers:
            if layer.step.arithmetic is not None:
                counts[layer.step.arithmetic] += layer.step.macs
        return dict(counts)

    @cached_property
    def ops(self) -> dict[str, int]:
        """Operations per image by kind (ops: 1 MAC is 2); "skip" is what zero trits save."""
        counts: Counter[str] = Counter()
        for layer in self.layers:
            counts += layer.step.ops
        return dict(sorted(counts.items()))

    @cached_property
    def energy_by_source(self) -> dict[str, Range]:
        """Modelled microjoules per image of compute, on-chip memory and DRAM."""
        return {
            source: total([getattr(layer, source) for layer in self.layers]).times(1e-6)
            for source in ("compute", "on_chip", "dram")
        }

    @property
    def energy_uj(self) -> Range:
        """Modelled microjoules per image: low, middle and high."""
        return total(list(self.energy_by_source.values()))

    @cached_property
    def traffic_by_level(self) -> dict[str, float]:
        """Bytes per image in both directions at each level of memory, nearest first."""
        counts: dict[str, float] = {}
        for layer in self.layers:
            for level in layer.levels:
                counts[level.level] = counts.get(level.level, 0.0) + level.moved.total
        return counts

    @property
    def seconds(self) -> float | None:
        """Roofline lower bound per image in seconds, the steps one after the other."""
        if self.device is None:
            return None
        return sum(layer.seconds or 0.0 for layer in self.layers)

    @property
    def _arrays(self) -> list[Any]:
        return [array for layer in self.layers for array in layer.step.arrays]

    def table(self) -> list[tuple[str, ...]]:
        """Plain rows for a terminal: a header, one row per step, and the total."""
        energy = self.energy_uj.middle
        head = ("layer", "stored as", "parameters", "bytes", "MACs", "DRAM bytes",
                "energy, uJ (modelled)", "%")  # fmt: skip
        rows: list[tuple[str, ...]] = [head]
        for cost in self.layers:
            arrays = cost.step.arrays
            uj = cost.energy.middle * 1e-6
            rows.append((
                cost.step.name,
                arrays[0].kind if arrays else "",
                f"{sum(a.parameters for a in arrays):,}" if arrays else "",
                f"{sum(a.nbytes for a in arrays):,}" if arrays else "",
                f"{cost.step.macs:,}" if cost.step.macs else "",
                f"{cost.dram_bytes:,.0f}" if cost.dram_bytes else "",
                f"{uj:,.2f}",
                f"{100 * uj / energy:.1f}",
            ))  # fmt: skip
        dram = self.traffic_by_level["DRAM"]
        rows.append(("total", "", f"{self.parameters:,}", f"{self.bytes_stored:,}",
                     f"{self.macs:,}", f"{dram:,.0f}", f"{energy:,.2f}", "100.0"))  # fmt: skip
        return rows

    def summary(self) -> list[tuple[str, str]]:
        """Plain rows (label, value with unit) of the totals."""
        low, middle, high = self.energy_uj
        rows = [
            ("network", f"{self.name}, policy {self.policy}"),
            ("parameters", f"{self.parameters:,}"),
            ("stored", f"{self.bytes_stored:,} bytes ({self.bytes_stored / 2**20:.2f} MiB)"),
            ("MACs per image", f"{self.macs:,}"),
            ("energy per image, modelled",
             f"{middle:,.0f} uJ ({low:,.0f} to {high:,.0f}), {self.energy_model.title}"),
        ]  # fmt: skip
        for source, amount in self.energy_by_source.items():
            rows.append((f"  {source.replace('_', '-')}", f"{amount.middle:,.0f} uJ "
                         f"({amount.low:,.0f} to {amount.high:,.0f})"))  # fmt: skip
        if self.device is not None and self.seconds is not None:
            rows.append((f"at least, on {self.device.title}",
                         f"{1e3 * self.seconds:.3f} ms (roofline bound, modelled)"))  # fmt: skip
            if self.device.watts is not None:
                joules = self.device.watts.times(1e3 * self.seconds)
                rows.append(("  at the power of that device", f"{joules.middle:,.1f} mJ "
                             f"({joules.low:,.1f} to {joules.high:,.1f}, modelled)"))  # fmt: skip
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; the unit is in each key, and `modelled` says which were not counted."""
        return {
            "network": self.name,
            "policy": self.policy,
            "config": self.config.to_dict(),
            "batch": self.batch,
            "bits_per_trit": self.choices.bits,
            "float_storage": self.choices.rest,
            "float_arithmetic": self.choices.floats,
            "attention": self.attention,
            "attention_fused": self.choices.fused,
            "ternary_execution": self.choices.execution,
            "parameters": self.parameters,
            "parameters_by_storage": self.parameters_by_storage,
            "bytes_stored": self.bytes_stored,
            "bytes_by_storage": self.bytes_by_storage,
            "macs_per_image": self.macs,
            "macs_by_arithmetic": self.macs_by_arithmetic,
            "ops_per_image": self.ops,
            "traffic_bytes_per_image": self.traffic_by_level,
            "energy_model": self.energy_model.title,
            "energy_source": self.energy_model.source,
            "energy_uj_per_image": self.energy_uj.to_dict(),
            "energy_uj_by_source": {k: v.to_dict() for k, v in self.energy_by_source.items()},
            "device": None if self.device is None else self.device.to_dict(),
            "roofline_seconds": self.seconds,
            "modelled": ["traffic_bytes_per_image", "energy_uj_per_image", "energy_uj_by_source",
                         "roofline_seconds"],
            "layers": [_layer_dict(layer) for layer in self.layers],
        }  # fmt: skip


def _layer_dict(cost: StepCost) -> dict[str, Any]:
    step = cost.step
    return {
        "name": step.name,
        "kind": step.kind,
        "arithmetic": step.arithmetic,
        "parameters": sum(a.parameters for a in step.arrays),
        "bytes_stored": sum(a.nbytes for a in step.arrays),
        "macs": step.macs,
        "ops": dict(sorted(step.ops.items())),
        "traffic": [
            {"level": level.level, "bytes_read": level.moved.read,
             "bytes_written": level.moved.written,
             "blocking": None if level.blocking is None else str(level.blocking)}
            for level in cost.levels
        ],
        "macs_per_dram_byte": cost.intensity if cost.dram_bytes else None,
        "energy_pj": cost.energy.to_dict(),
        "roofline_seconds": cost.seconds,
    }  # fmt: skip
