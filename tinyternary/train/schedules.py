"""Learning rate and weight decay over time: warm-up, cosine, two phases (lesson 03).

A schedule is a pure function of the step, so that resuming needs no state.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from tinyternary.errors import ConfigError, unknown_name
from tinyternary.train.recipe import Recipe

Kind = Literal["cosine", "constant", "two-phase"]


@dataclass(frozen=True)
class Schedule:
    """Learning rate at a step.

    Attributes
    ----------
    total : int
        Optimiser steps in all.
    lr : float
        Peak learning rate.
    warmup : int
        Steps of linear rise from lr / warmup to lr.
    min_lr : float
        Learning rate at the last step.
    kind : {"cosine", "constant", "two-phase"}
        ``"cosine"`` falls from `lr` to `min_lr` along half a cosine.
        ``"two-phase"`` is what BitNet b1.58's training notes advise for ternary
        weights: a linear fall that breaks at `phase_split` to a lower line, with
        weight decay before the break and none after it. Late decay would go on
        pushing latent weights over their thresholds.
    phase_split : float
        Share of the steps in the first phase.
    phase_drop : float
        Peak of the second phase as a share of the first's end.

    Raises
    ------
    ConfigError
        If the kind is unknown or a number impossible.
    """

    total: int
    lr: float
    warmup: int = 0
    min_lr: float = 0.0
    kind: Kind = "cosine"
    phase_split: float = 0.5
    phase_drop: float = 0.66

    def __post_init__(self) -> None:
        if self.total < 1:
            raise ConfigError(f"schedule: expected at least 1 step, got {self.total}")
        if not 0 <= self.warmup <= self.total:
            raise ConfigError(f"schedule: warm-up {self.warmup} is not within {self.total} steps")
        if self.kind not in get_args(Kind):
            raise unknown_name("schedule", self.kind, get_args(Kind))
        if not 0 <= self.min_lr <= self.lr < math.inf:
            raise ConfigError(
                f"schedule: expected 0 <= min_lr <= lr, got min_lr {self.min_lr} and lr {self.lr}"
            )
        if not (0 < self.phase_split < 1 and 0 < self.phase_drop <= 1):
            raise ConfigError(
                f"schedule: expected phase_split in (0, 1) and phase_drop in (0, 1], "
                f"got {self.phase_split} and {self.phase_drop}"
            )

    def __call__(self, step: int) -> float:
        """Learning rate of optimiser step `step`, counted from 0."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        if self.kind == "constant":
            return self.lr
        length = max(1, self.total - 1 - self.warmup)
        progress = min(1.0, (step - self.warmup) / length)
        if self.kind == "cosine":
            fall = 0.5 * (1.0 + math.cos(math.pi * progress))
            return self.min_lr + (self.lr - self.min_lr) * fall
        # two lines: lr -> lr / 2 over the first phase, then from a lower start to min_lr
        if progress < self.phase_split:
            return self.lr * (1.0 - 0.5 * progress / self.phase_split)
        start = 0.5 * self.lr * self.phase_drop
        rest = (progress - self.phase_split) / (1.0 - self.phase_split)
        return start + (self.min_lr - start) * rest

    def decay_scale(self, step: int) -> float:
        """Factor on weight decay: 1, and 0 in the second of two phases."""
        if self.kind != "two-phase" or step < self.warmup:
            return 1.0
        length = max(1, self.total - 1 - self.warmup)
        return 1.0 if (step - self.warmup) / length < self.phase_split else 0.0


def make_schedule(recipe: Recipe, per_epoch: int) -> Schedule:
    """Make the schedule that a recipe asks for, in steps."""
    wanted, peak, total = recipe.schedule, recipe.optimizer.lr, recipe.epochs * per_epoch
    warmup = min(round(wanted.warmup_epochs * per_epoch), total)
    return Schedule(
        total, peak, warmup, min(wanted.min_lr, peak), wanted.kind,
        wanted.phase_split, wanted.phase_drop,
    )  # fmt: skip
