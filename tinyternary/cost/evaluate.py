"""From the steps of a network to bytes moved, energy and least time (lesson 09)."""

from __future__ import annotations

from dataclasses import dataclass

from tinyternary.brief import Brief
from tinyternary.cost.amounts import NOTHING, Range
from tinyternary.cost.blocking import (
    REGISTER_TILE,
    Blocking,
    Traffic,
    choose_blocking,
    traffic,
)
from tinyternary.cost.device import Cache, Device, least_seconds
from tinyternary.cost.energy import EnergyTable
from tinyternary.cost.steps import Step


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


@dataclass(frozen=True, repr=False)
class StepCost(Brief):
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
    levels = _levels(step, caches, batch)
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
        seconds = least_seconds(
            device, step.arithmetic, step.macs, step.other_ops, levels[-1].moved.total
        )
    return StepCost(step, levels, compute, on_chip, dram, seconds)


def _levels(step: Step, caches: tuple[Cache, ...], batch: int) -> tuple[LevelTraffic, ...]:
    """Bytes per image at each level: those of the product and those of the pass beside it."""
    names = [cache.name for cache in caches] + ["DRAM"]
    capacity = caches[-1].capacity
    blockings: list[Blocking | None] = [None] * len(names)
    last = len(caches)
    moved = [_pass_traffic(step, level, last, capacity, batch) for level in range(last + 1)]
    if step.gemm is not None:
        shared = step.kind == "linear"
        near = step.gemm.for_batch(batch, shared_weights=shared)
        outer = (step.outer_gemm or step.gemm).for_batch(batch, shared_weights=shared)
        weights = outer.outputs * outer.inputs * outer.w_bits / 8 if shared else 0.0
        tiles = [REGISTER_TILE, *(choose_blocking(outer, cache.capacity) for cache in caches)]
        for level, tile in enumerate(tiles):
            product = traffic(outer if level else near, tile)
            if level == last and outer.operand_bytes - weights <= capacity:
                # the activations stay on the chip: DRAM serves the weights only, once
                product = Traffic(weights, 0.0)
            moved[level] = moved[level].plus(product)
            blockings[level] = tile
    return tuple(
        LevelTraffic(name, Traffic(m.read / batch, m.written / batch), blocking)
        for name, m, blocking in zip(names, moved, blockings)
    )


def _pass_traffic(step: Step, level: int, last: int, capacity: int, batch: int) -> Traffic:
    """Bytes of a batch for the pass over activations, and for stored vectors and tables."""
    stored = 0.0
    if step.gemm is None:
        stored = float(sum(array.nbytes for array in step.arrays))
    inside = step.fused or (level == last and (step.reads + step.writes) * batch <= capacity)
    if level and inside:
        return Traffic(stored, 0.0)
    return Traffic(step.reads * batch + stored, step.writes * batch)
