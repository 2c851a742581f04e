"""Timing that stands up on a shared machine: contenders take turns, medians with their spread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Timing:
    """Seconds per call of one contender.

    Attributes
    ----------
    median, low, high : float
        Seconds: the median and the quartiles about it.
    p95 : float
        Seconds that 95 % of calls stay under.
    calls : int
        How many were timed.
    """

    median: float
    low: float
    high: float
    p95: float
    calls: int

    def to_dict(self, unit: float = 1.0) -> dict[str, Any]:
        """Plain JSON types; times are divided by `unit` seconds (1e-3 for milliseconds)."""
        return {
            "median": self.median / unit,
            "low": self.low / unit,
            "high": self.high / unit,
            "p95": self.p95 / unit,
            "calls": self.calls,
        }


def interleave(
    contenders: Mapping[str, Callable[[], Any]],
    *,
    seconds: float = 1.0,
    rounds: tuple[int, int] = (5, 1000),
    warmup: int = 2,
) -> dict[str, Timing]:
    """Time functions in turns, so that a slow moment of the machine meets all of them.

    Parameters
    ----------
    contenders : mapping of str to callable
        What to time, by name; called without arguments.
    seconds : float
        Time to spend on each contender, about.
    rounds : (int, int)
        Fewest and most timed calls of each.
    warmup : int
        Calls of each that are not timed (compilation, caches).

    Returns
    -------
    dict
        Name to `Timing`.
    """
    for _ in range(warmup):
        for run in contenders.values():
            run()
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    fewest, most = rounds
    begin = time.perf_counter()
    for turn in range(most):
        spent = time.perf_counter() - begin
        if turn >= fewest and spent > seconds * len(contenders):
            break
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            samples[name].append(time.perf_counter() - start)
    return {name: _timing(values) for name, values in samples.items()}


def _timing(samples: list[float]) -> Timing:
    low, median, high, p95 = np.quantile(samples, (0.25, 0.5, 0.75, 0.95)).tolist()
    return Timing(median, low, high, p95, len(samples))
