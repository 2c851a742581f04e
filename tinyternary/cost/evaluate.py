"""From the steps of a network to bytes moved, energy and least time (lesson 09)."""

from __future__ import annotations

from dataclasses import dataclass

from tinyternary.cost.amounts import NOTHING, Range
from tinyternary.cost.device import Cache, Device, least_seconds
from tinyternary.cost.energy import EnergyTable
from tinyternary.cost.memory import (
    REGISTER_TILE,
    Blocking,
    Gemm,
    Traffic,
    choose_blocking,
    traffic,
)
from tinyternary.cost.steps import Step, scaled_batch


@dataclass(frozen=True)
class LevelTraffic:
    """Bytes per image that one level of memory hands up and takes back.

    Attributes
    ----------
    level : str
        ``"L1"``, ..., ``"DRAM"``.
    moved : Traffic
        Bytes per image read from and written to this level.
    blocking : Blocking, optional
        The tile that the level above keeps, where the step is a product.
    """

    level: str
    moved: Traffic
    blocking: Blocking | None = None


@dataclass(frozen=True)
class StepCost:
    """A step with what it costs per image. All energies are modelled, in pJ.

    Attributes
    ----------
    step : Step
    levels : tuple of LevelTraffic
        Memory levels, nearest first; the last is DRAM.
    compute, on_chip, dram : Range
        Picojoules of arithmetic, of on-chip memory and of DRAM.
    seconds : float, optional
        Roofline lower bound, where a device was given.
    """

    step: Step
    levels: tuple[LevelTraffic, ...]
    compute: Range
    on_chip: Range
    dram: Range
    seconds: float | None = None

    @property
    def energy(self) -> Range:
        """Picojoules per image, all three sources."""
        return self.compute.plus(self.on_chip).plus(self.dram)

    @property
    def dram_bytes(self) -> float:
        """Bytes per image to and from DRAM."""
        return self.levels[-1].moved.total

    @property
    def intensity(self) -> float:
        """MACs per byte of DRAM traffic; infinite where nothing leaves the chip."""
        return self.step.macs / self.dram_bytes if self.dram_bytes else float("inf")


def cost_step(
    step: Step, caches: tuple[Cache, ...], table: EnergyTable, device: Device | None, batch: int
) -> StepCost:
    """Cost one step under an energy table, a hierarchy of memories and a batch size."""
    levels = (
        _product_levels(step, caches, batch) if step.gemm else _plain_levels(step, caches, batch)
    )
    compute = NOTHING
    for kind, count in step.ops.items():
        compute = compute.plus(table.op(kind).times(count))
    on_chip = NOTHING
    for i, (cache, level) in enumerate(zip(caches, levels)):
        # what a level hands up, and what is filled into it from the level below
        words = (level.moved.total + levels[i + 1].moved.total) / 8
        on_chip = on_chip.plus(table.sram_access(cache.capacity).times(words))
    dram = table.dram.times(levels[-1].moved.total / 8)
    seconds = None
    if device is not None:
        others = sum(step.ops.values()) - step.ops["skip"] - 2 * step.macs
        seconds = least_seconds(
            device, step.arithmetic, step.macs, max(others, 0), levels[-1].moved.total
        )
    return StepCost(step, levels, compute, on_chip, dram, seconds)


def _product_levels(step: Step, caches: tuple[Cache, ...], batch: int) -> tuple[LevelTraffic, ...]:
    assert step.gemm is not None
    gemm = scaled_batch(step.gemm, batch, shared_weights=step.kind == "linear")
    names = [cache.name for cache in caches] + ["DRAM"]
    levels = [LevelTraffic(names[0], traffic(gemm, REGISTER_TILE), REGISTER_TILE)]
    for cache, name in zip(caches, names[1:]):
        blocking = choose_blocking(gemm, cache.capacity)
        moved = traffic(gemm, blocking)
        if name == "DRAM" and _activations_stay(step, gemm, cache.capacity):
            moved = Traffic(_weight_bytes(step, gemm), 0.0, _weight_bytes(step, gemm))
        levels.append(LevelTraffic(name, moved, blocking))
    return tuple(_per_image(level, batch) for level in levels)


def _activations_stay(step: Step, gemm: Gemm, capacity: int) -> bool:
    """Whether all activations of a product fit on the chip, so that DRAM serves weights only."""
    return gemm.operand_bytes - _weight_bytes(step, gemm) <= capacity


def _weight_bytes(step: Step, gemm: Gemm) -> float:
    if step.kind != "linear":
        return 0.0  # the second operand of an attention product is an activation too
    return gemm.outputs * gemm.inputs * gemm.w_bits / 8


def _plain_levels(step: Step, caches: tuple[Cache, ...], batch: int) -> tuple[LevelTraffic, ...]:
    stored = float(sum(array.nbytes for array in step.arrays))
    moved = Traffic(step.reads + stored / batch, step.writes, stored / batch)
    levels = [LevelTraffic(cache.name, moved) for cache in caches]
    on_chip = (step.reads + step.writes) * batch <= caches[-1].capacity
    outside = Traffic(stored / batch, 0.0, stored / batch) if on_chip else moved
    return (*levels, LevelTraffic("DRAM", outside))


def _per_image(level: LevelTraffic, batch: int) -> LevelTraffic:
    moved = level.moved
    share = Traffic(moved.read / batch, moved.written / batch, moved.weights / batch)
    return LevelTraffic(level.level, share, level.blocking)
