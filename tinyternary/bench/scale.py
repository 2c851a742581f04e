"""How time grows with tokens, width, depth, batch, threads, beside what is counted (lesson 10).

One network, and one of its sizes varied at a time. A power law, time = c size^p, is a straight
line on two logarithmic axes: its slope p is fitted to what was measured, and to the multiplications
that `tinyternary.cost` counts for the same networks. Where the slopes differ, something else than
multiplications takes time: a call's own cost makes a slope smaller, memory that no cache holds
makes it larger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from scipy import stats

from tinyternary.bench.machine import describe_machine
from tinyternary.bench.points import Point, Watch, measure
from tinyternary.bench.timing import interleave
from tinyternary.compiled.threads import using_threads
from tinyternary.config import ViTConfig
from tinyternary.cost import analyze
from tinyternary.errors import ConfigError, unknown_name

BASE = ViTConfig(image_size=32, patch_size=4, width=192, depth=4, heads=3, mlp_width=768)
"""The network that is varied: 64 tokens."""
BATCH = 8
"""Its images at a time, where that is not what varies."""
POLICY = "all-linear"

AXES: dict[str, tuple[int, ...]] = {
    "tokens": (16, 64, 256, 1024),
    "width": (64, 128, 256, 512),
    "depth": (1, 2, 4, 8, 16),
    "batch": (1, 4, 16, 64),
    "threads": (1, 2, 4, 8),
}
"""Sizes by what is varied; threads up to the cores that there are."""
LIMITS = {"tokens": 2.0, "width": 2.0, "depth": 1.0, "batch": 1.0, "threads": -1.0}
"""Slopes where the largest term is all there is: attention's, the matrices', and no waiting."""

WORKS = ("answer", "training step")


def bench_scale(
    axes: Sequence[str] = tuple(AXES),
    works: Sequence[str] = WORKS,
    *,
    seconds: float = 1.0,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Time the packed engine and a training step at growing sizes, and fit how they grow.

    Parameters
    ----------
    axes : sequence of str
        Names from `AXES`.
    works : sequence of str
        Names from `WORKS`.
    seconds : float
        Time to spend on each size, about; all sizes of an axis take turns.
    watch : Watch, optional
        Follows what is measured; see `tinyternary.bench.points`.

    Returns
    -------
    dict
        Plain JSON types. ``machine``, ``complete``; ``rows``: for each work, axis and size the
        times in milliseconds and ``macs``, those of all images and, with threads, of one
        thread; ``fits``: for each work and axis the ``slope`` of time with its 95 % interval
        ``low`` to ``high`` (t, from the residuals of the straight line; None for two sizes),
        ``counted``, the slope of ``macs`` over the same sizes, and ``limit`` from `LIMITS`.

    Raises
    ------
    ConfigError
        If an axis or a work is unknown, or there is nothing to measure.
    """
    for axis in axes:
        if axis not in AXES:
            raise unknown_name("axis", axis, AXES)
    for work in works:
        if work not in WORKS:
            raise unknown_name("work", work, WORKS)
    machine = describe_machine(1)
    result: dict[str, Any] = {"machine": machine, "rows": [], "fits": []}
    points: list[Point] = []
    for work in works:
        for axis in axes:
            sizes = [s for s in AXES[axis] if axis != "threads" or s <= machine["cores"]]
            if len(sizes) > 1:  # one core has nothing to share
                points.append(
                    (f"{work}, {axis}", partial(_add, result, work, axis, sizes, seconds))
                )
    if not points:
        raise ConfigError("nothing to measure: name an axis; threads need more than one core")
    return measure(points, result, watch)


def _add(
    result: dict[str, Any], work: str, axis: str, sizes: Sequence[int], seconds: float
) -> None:
    runs = {str(size): prepared(work, axis, size) for size in sizes}
    timings = interleave(runs, seconds=seconds, rounds=(3, 200), warmup=1)
    macs = [_macs(axis, size) for size in sizes]
    result["rows"] += [
        {"work": work, "axis": axis, "size": size, "macs": count, "ms": timing.to_dict(1e-3)}
        for size, count, timing in zip(sizes, macs, timings.values(), strict=True)
    ]
    times = [timing.median for timing in timings.values()]
    result["fits"].append(
        {"work": work, "axis": axis, **fit(sizes, times, macs), "limit": LIMITS[axis]}
    )


def varied(axis: str, size: int) -> tuple[ViTConfig, int, int]:
    """Return the network, the images and the threads at one size of an axis."""
    config, batch, threads = BASE, BATCH, 1
    if axis == "tokens":
        config = replace(BASE, image_size=BASE.patch_size * round(size**0.5))
    elif axis == "width":
        config = replace(BASE, width=size, heads=max(1, size // 64), mlp_width=4 * size)
    elif axis == "depth":
        config = replace(BASE, depth=size)
    elif axis == "batch":
        batch = size
    else:
        batch, threads = 64, size  # enough for all
    return config, batch, threads


def prepared(work: str, axis: str, size: int) -> Callable[[], Any]:
    """Return a function that does the work once, with networks and images made beforehand."""
    from tinyternary import deploy, models, quant
    from tinyternary.bench.train import batch_for, own_step

    config, batch, threads = varied(axis, size)
    if work == "answer":
        model = models.ViT(config, seed=0)
        quant.ternarize(model, POLICY)
        engine = deploy.Engine(deploy.pack(model).read(), threads)
        shape = (batch, config.image_size, config.image_size, config.channels)
        images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
        return partial(engine, images)
    step = own_step(config, True, *batch_for(config, batch))

    def run() -> float:
        with using_threads(threads):
            return step()

    return run


def _macs(axis: str, size: int) -> float:
    config, batch, threads = varied(axis, size)
    return analyze(config, POLICY).macs * batch / threads


def fit(sizes: Sequence[int], times: Sequence[float], macs: Sequence[float]) -> dict[str, Any]:
    """Fit straight lines to the logarithms of times and of counts over those of sizes.

    Returns
    -------
    dict
        ``slope``, ``low``, ``high``, ``counted``, as `bench_scale` says.
    """
    x, y = np.log(sizes), np.log(times)
    slope, start = np.polyfit(x, y, 1).tolist()
    free = len(sizes) - 2
    half = None
    if free:
        left = np.sum((y - slope * x - start) ** 2) / free  # what no straight line explains
        half = float(stats.t.ppf(0.975, free) * np.sqrt(left / np.sum((x - x.mean()) ** 2)))
    return {
        "slope": slope,
        "low": None if half is None else slope - half,
        "high": None if half is None else slope + half,
        "counted": float(np.polyfit(x, np.log(macs), 1)[0]),
    }
