"""`tinyternary bench kernels`: the ladder and its peers, timed side by side (lesson 08).

Every contender gets float32 activations and gives float32 results: quantisation and rescaling
count. They take turns in one process; a turn is a burst of calls, so that everybody finds its
own weights in the cache, as it would when run alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from tinyternary.bench import kernel_peers, peaks
from tinyternary.bench.kernel_peers import NUMPY, ONNX_INT8
from tinyternary.bench.points import Point, Watch, measure
from tinyternary.bench.timing import Timing, interleave
from tinyternary.config.grid import MOST

LAYERS = ((192, 768), (512, 2048), (2048, 512), (768, 3072))
"""(K, N) of feed-forward layers: DeiT-Tiny's, BitMedViT's two, and a larger one."""
ROWS = (1, 64, 1024)
"""Tokens at a time: one, an image of 28 x 28 pixels in 49 patches or so, BitMedViT's image."""
LADDER_SHAPE = (64, 512, 2048)
PEAK = "int8 dot product, registers only"
OURS, OURS7, OURS_TERNARY = "tinyternary int8", "tinyternary 7-bit", "tinyternary ternary"
GOALS = {
    1: {NUMPY: 9.0, ONNX_INT8: 3.5},
    64: {NUMPY: 5.0, ONNX_INT8: 1.15},
    1024: {NUMPY: 4.0, ONNX_INT8: 1.05},
}
"""How many times as fast as a peer the int8 kernel should be, by rows."""
SMALL_GOAL = 5.0
"""The goal against NumPy at one row of the smallest layer, where a call's own time counts."""

_BURST = 4e-3  # seconds: several calls, so that what the others left in the cache matters little


def bench_kernels(
    layers: Sequence[tuple[int, int]] = LAYERS,
    rows: Sequence[int] = ROWS,
    *,
    threads: int = 1,
    seconds: float = 0.25,
    peers: Iterable[str] | None = None,
    ladder: bool = True,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Time the ternary layer against its peers, and every rung of the ladder.

    Parameters
    ----------
    layers : sequence of (K, N)
        Inputs and outputs of the layers.
    rows : sequence of int
        Numbers of rows M.
    threads : int
        Threads for every contender.
    seconds : float
        Time to spend on each contender at each shape, about.
    peers : iterable of str, optional
        Names of `kernel_peers.PEERS`; by default all that are installed.
    ladder : bool
        Also time every rung, int8 in and int32 out, at `LADDER_SHAPE`.
    watch : Watch, optional
        Follows what is measured; see `tinyternary.bench.points`.

    Returns
    -------
    dict
        Plain JSON types. ``machine``; ``complete``; ``threads``; ``compile_seconds``: the first
        call of each kind; ``limits``: measured ``int8_gops``, ``float32_gflops``,
        ``read_gbytes`` per second of one core; ``shapes``: one row per (M, K, N) with ``times``
        by contender (microseconds, ``gops``), ``ratios`` of the int8 kernel to its peers,
        ``goals`` that were set, ``peak_gops``: of one core's dot product, timed in turns with
        the rest (clocks change), and ``share`` of it, both by their lower quartiles: others
        disturb one more than the other; ``ladder``: rungs with ``gops`` and ``times_first``.

    Raises
    ------
    ConfigError
        If a peer's name is unknown, or compiled code is switched off.
    """
    from tinyternary.bench.machine import describe_machine
    from tinyternary.errors import unknown_name

    names = list(peers) if peers is not None else kernel_peers.installed()
    for name in names:
        if name not in kernel_peers.PEERS:
            raise unknown_name("peer", name, kernel_peers.PEERS)
    result: dict[str, Any] = {
        "machine": describe_machine(threads),
        "threads": threads,
        "compile_seconds": {},
        "limits": {},
        "shapes": [],
        "ladder": [],
    }

    def prepare() -> None:
        result["compile_seconds"] = _first_calls()
        result["limits"] = _limits()

    def shape(m: int, k: int, n: int) -> None:
        with kernel_peers.pinned(threads):
            found = _shape(m, k, n, names, threads, seconds)
        result["shapes"].append(found)
        # a limit is the best that was seen, and the same loop ran beside every shape
        limits = result["limits"]
        limits["int8_gops"] = max(limits["int8_gops"], found["peak_gops"])

    def rungs() -> None:
        with kernel_peers.pinned(threads):
            result["ladder"] = _ladder(*LADDER_SHAPE, seconds)

    points: list[Point] = [("compiling, and what this machine can do", prepare)]
    points += [
        (f"M = {m}, K = {k}, N = {n}", partial(shape, m, k, n)) for m in rows for k, n in layers
    ]
    if ladder:
        points.append((f"the ladder at M, K, N = {LADDER_SHAPE}", rungs))
    return measure(points, result, watch)


def _first_calls() -> dict[str, float]:
    """Seconds of the first call of each kind in this process: compilation, or loading it."""
    from tinyternary import kernels

    return kernels.warmup()


def _limits() -> dict[str, float]:
    device = peaks.this_machine()
    return {
        "int8_gops": 2 * device.peak["int8"] / 1e9,
        "float32_gflops": 2 * device.peak["fp32"] / 1e9,
        "read_gbytes": device.dram_bytes_per_second / 1e9,
    }


def _contenders(
    m: int, k: int, n: int, names: Sequence[str], threads: int
) -> dict[str, Callable[[], Any]]:
    from tinyternary import kernels

    rng = np.random.default_rng(0)
    trits = rng.integers(-1, 2, (n, k)).astype(np.int8)
    packed, scale = kernels.pack(trits), np.float32(0.02)
    x = rng.normal(size=(m, k)).astype(np.float32)
    made: dict[str, Callable[[], Any]] = {}
    usable = {backend.activations for backend in kernels.backends() if backend.available}
    for name, inputs in ((OURS, "int8"), (OURS7, "int7"), (OURS_TERNARY, "ternary")):
        if inputs in usable:
            layer = kernels.TernaryLinear(packed, scale, inputs=inputs)
            out = np.empty((m, n), np.float32)
            made[name] = _call(layer, x, out, threads)
    w = trits.astype(np.float32) * scale
    for name in names:
        made[name] = kernel_peers.PEERS[name][1](w, x, threads)
    made[PEAK] = peaks.dot_burst()[0]
    return made


def _call(layer: Any, x: Any, out: Any, threads: int) -> Callable[[], Any]:
    if threads == 1 and x.shape[0] * layer.n * layer.k < 2**24:
        return lambda: layer(x, out)
    return lambda: layer(x, out, threads)


def _timed(contenders: dict[str, Callable[[], Any]], seconds: float) -> dict[str, Timing]:
    """Time contenders in turns of a few milliseconds; seconds per call."""
    bursts, counts = {}, {}
    for name, run in contenders.items():
        run()
        start = time.perf_counter()
        run()
        counts[name] = max(1, int(_BURST / max(time.perf_counter() - start, 1e-7)))
        bursts[name] = _burst(run, counts[name])
    timings = interleave(bursts, seconds=seconds, rounds=(7, 400))
    return {name: _divided(timing, counts[name]) for name, timing in timings.items()}


def _burst(run: Callable[[], Any], count: int) -> Callable[[], None]:
    def burst() -> None:
        for _ in range(count):
            run()

    return burst


def _divided(t: Timing, by: int) -> Timing:
    return Timing(t.median / by, t.low / by, t.high / by, t.p95 / by, t.calls * by)


def _shape(
    m: int, k: int, n: int, names: Sequence[str], threads: int, seconds: float,
) -> dict[str, Any]:  # fmt: skip
    timings = _timed(_contenders(m, k, n, names, threads), seconds)
    peak = 2 * peaks.dot_burst()[1] / timings.pop(PEAK).low / 1e9
    ops = 2.0 * m * k * n
    times = {
        name: {**timing.to_dict(1e-6), "gops": ops / timing.median / 1e9}
        for name, timing in timings.items()
    }
    ours = timings[OURS].median
    goals = dict(GOALS.get(m, {}))
    if m == 1 and k * n < 2**18:
        goals[NUMPY] = SMALL_GOAL
    bytes_ = k * n / 4 + 4 * m * k + 4 * m * n
    return {
        "m": m,
        "k": k,
        "n": n,
        "bytes": bytes_,
        "operations": ops,
        "times": times,
        "ratios": {name: timings[name].median / ours for name in names},
        "goals": {name: goal for name, goal in goals.items() if name in names},
        "peak_gops": peak,
        "share": ops / timings[OURS].low / 1e9 / (peak * threads),
    }


def _ladder(m: int, k: int, n: int, seconds: float) -> list[dict[str, Any]]:
    from tinyternary import kernels

    rng = np.random.default_rng(1)
    packed = kernels.pack(rng.integers(-1, 2, (n, k)).astype(np.int8))
    runs: dict[str, Callable[[], Any]] = {}
    cores = kernels.get_threads()
    best = kernels.dispatch.choose().name
    for backend in kernels.backends():
        if backend.available:
            limit = MOST[backend.activations]
            x = rng.integers(-limit, limit + 1, (m, k)).astype(np.int8)
            out = np.empty((m, n), np.int32)
            runs[backend.name] = _product(packed, x, out, backend.name, 1)
            if backend.name == best and cores > 1:
                runs[f"{best}, {cores} threads"] = _product(packed, x, out, best, cores)
    timings = _timed(runs, seconds)
    ops = 2.0 * m * k * n
    first = timings[next(iter(timings))].median
    activations = {backend.name: backend.activations for backend in kernels.backends()}
    return [
        {
            "rung": name,
            "activations": activations.get(name, "int8"),
            "gops": ops / timing.median / 1e9,
            "times_first": first / timing.median,
            **timing.to_dict(1e-6),
        }
        for name, timing in timings.items()
    ]


def _product(packed: Any, x: Any, out: Any, name: str, threads: int) -> Callable[[], Any]:
    from tinyternary import kernels

    return lambda: kernels.matmul(x, packed, name, out=out, threads=threads)
