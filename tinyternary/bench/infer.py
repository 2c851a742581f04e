"""Whole networks against other runtimes: time, memory, start-up (lesson 10).

Contenders take turns in one process, with a rest between them in which thread
pools go to sleep: those that spin would otherwise take the next one's core. After
a call on two threads PyTorch's spin for 10 ms and onnxruntime's for 40.
Weights are random: no time here depends on them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tinyternary.bench.infer_peers import CONTENDERS, OURS, installed, start, write
from tinyternary.bench.points import Point, Watch, measure
from tinyternary.config import POLICIES, preset as find_preset

PRESETS = ("small", "deit-tiny", "bitmedvit")
BATCHES = {"small": (1, 64), "deit-tiny": (1, 64), "bitmedvit": (1, 8)}
"""Batch sizes by preset: eight of BitMedViT's images are as much work as it gets."""
STARTS = 3
"""Processes that each contender is started in: the median start and the largest peak count."""
GOALS = {"batch 1": 1.3, "larger batch": 1.15, "pytorch": 2.5}
"""How many times as fast as the best peer, and as PyTorch float32, the ternary engine should be."""


def bench_infer(
    presets: Sequence[str] = PRESETS,
    *,
    batches: Sequence[int] | None = None,
    threads: Sequence[int] = (1, 2),
    policy: str = "all-linear",
    seconds: float = 2.0,
    contenders: Iterable[str] | None = None,
    processes: bool = True,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Time this engine and its peers on random networks.

    Parameters
    ----------
    presets : sequence of str
        Names of `tinyternary.config.PRESETS`.
    batches : sequence of int, optional
        By default 1 and 64 (8 for "bitmedvit").
    threads : sequence of int
        Threads for every contender.
    policy : str
        Which layers of the ternary network are ternary.
    seconds : float
        Time to spend on each contender at each point, about; at least three calls are timed.
    contenders : iterable of str, optional
        Names of `CONTENDERS`; by default all whose packages are installed.
    processes : bool
        Also start each contender in a process of its own for memory and start-up.
    watch : Watch, optional
        Follows what is measured; see `tinyternary.bench.points`.

    Returns
    -------
    dict
        Plain JSON types. ``machine``; ``complete``; ``points``: one row per preset, batch, threads
        and contender with ``p50_ms``, ``p95_ms``, ``images_per_s``, ``calls``; ``ratios``: one
        row per point with how many times as fast the ternary engine is as the best peer
        and as PyTorch, whether that meets the goals, and the first with attention in int8;
        ``skipped``: contenders that are not timed, and why; ``processes``: ``peak_mb`` and
        ``start_s`` (from starting Python to the first answer); ``files``: bytes.
    """
    from tinyternary.bench.machine import describe_machine

    asked = list(contenders or CONTENDERS)
    names = [name for name in asked if installed(name)]
    result: dict[str, Any] = {
        "machine": describe_machine(max(threads)),
        "policy": policy,
        "contenders": {name: CONTENDERS[name].what for name in names},
        "skipped": {name: CONTENDERS[name].missing for name in asked if name not in names},
        "points": [],
        "ratios": [],
        "processes": [],
        "files": [],
    }

    def files(preset: str, folder: Path) -> None:
        rows = write_files(preset, policy, folder, names, [1, *_batches(preset, batches)])
        result["files"] += [{"preset": preset, **row} for row in rows]

    def times(preset: str, folder: Path, batch: int, count: int) -> None:
        runs = {name: start(name, folder, count) for name in names}
        rows = _point(preset, batch, count, runs, seconds)
        result["points"] += rows
        result["ratios"] += ratios(rows)

    def memory(preset: str, folder: Path, batch: int, name: str) -> None:
        result["processes"].append(process_row(preset, name, folder, batch))

    points: list[Point] = []
    with tempfile.TemporaryDirectory() as place:
        for preset in presets:
            folder = Path(place) / preset
            find_preset(preset)  # an unknown one is said before anything runs
            folder.mkdir()
            points.append((f"{preset}: writing its files", partial(files, preset, folder)))
            for batch in _batches(preset, batches):
                points += [
                    (f"{preset}, batch {batch}, {count} thread(s)",
                     partial(times, preset, folder, batch, count))
                    for count in threads
                ]  # fmt: skip
                points += [
                    (f"{preset}, batch {batch}: memory and start of {name}",
                     partial(memory, preset, folder, batch, name))
                    for name in (names if processes else ())
                ]  # fmt: skip
        return measure(points, result, watch)


def _batches(preset: str, asked: Sequence[int] | None) -> Sequence[int]:
    return asked or BATCHES.get(preset, (1, 64))


def write_files(
    preset: str, policy: str, folder: Path, names: Sequence[str], batches: Sequence[int] = (1,)
) -> list[dict[str, Any]]:
    """Write the files that the contenders run into a folder; return names and bytes."""
    from tinyternary import deploy, models, quant

    model = models.ViT(models.preset(preset), seed=0)
    deploy.pack(model).save(folder / "float.safetensors")
    if any("onnx" in CONTENDERS[name].packages for name in names):
        deploy.to_onnx(model, folder / "float.onnx")
    write(folder, names, batches)
    quant.ternarize(model, policy)
    deploy.pack(model).save(folder / CONTENDERS["ternary"].file)
    if "int8 attention" in names:
        model = models.ViT(models.preset(preset), seed=0)
        quant.ternarize(model, {**POLICIES[policy], "blocks.*.attn": "int8"})
        deploy.pack(model).save(folder / CONTENDERS["int8 attention"].file)
    return [{"file": path.name, "bytes": path.stat().st_size} for path in sorted(folder.iterdir())]


def random_images(preset: str, batch: int) -> Any:
    """Return random bytes (B, S, S, C) for a preset."""
    config = find_preset(preset)
    shape = (batch, config.image_size, config.image_size, config.channels)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _point(
    preset: str, batch: int, threads: int, runs: dict[str, Callable[..., Any]], seconds: float
) -> list[dict[str, Any]]:
    images = random_images(preset, batch)
    samples: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run(images), run(images)
    spent = dict.fromkeys(runs, 0.0)
    rest, turn = (0.003, 0.02) if threads == 1 else (0.06, 0.1)
    while any(spent[name] < seconds or len(samples[name]) < 3 for name in runs):
        for name, run in runs.items():
            time.sleep(rest)
            # short ones several times in a row: waking up from each rest is another story
            for _ in range(max(1, min(100, int(turn / max(samples[name] or [turn]))))):
                begin = time.perf_counter()
                run(images)
                samples[name].append(time.perf_counter() - begin)
                spent[name] += samples[name][-1]
    rows = []
    for name, values in samples.items():
        p50, p95 = np.quantile(values, (0.5, 0.95)).tolist()
        rows.append(
            {
                "preset": preset, "batch": batch, "threads": threads, "contender": name,
                "p50_ms": p50 * 1e3, "p95_ms": p95 * 1e3, "images_per_s": batch / p50,
                "calls": len(values),
            }
        )  # fmt: skip
    return rows


def ratios(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Compare the ternary engine with the best peer and with PyTorch at one point."""
    times = {row["contender"]: row["p50_ms"] for row in rows}
    peers = {name: value for name, value in times.items() if name not in OURS}
    if "ternary" not in times or not peers:
        return []
    best = min(peers, key=lambda name: peers[name])
    goal = GOALS["batch 1" if rows[0]["batch"] == 1 else "larger batch"]
    against_best = peers[best] / times["ternary"]
    against_torch = peers["pytorch"] / times["ternary"] if "pytorch" in peers else None
    integers = times.get("int8 attention")
    met = against_best >= goal and (against_torch is None or against_torch >= GOALS["pytorch"])
    point = {name: rows[0][name] for name in ("preset", "batch", "threads")}
    return [
        {
            **point, "best_peer": best, "times_best_peer": against_best, "goal": goal,
            "times_pytorch": against_torch, "met": met,
            "times_int8_attention": peers[best] / integers if integers else None,
        }
    ]  # fmt: skip


def process_row(preset: str, name: str, folder: Path, batch: int) -> dict[str, Any]:
    """Run a contender in processes of its own: peak memory, time to the first answer.

    Its files and this engine's machine code have been used before: what a second start takes.
    """
    config = find_preset(preset)
    size = (batch, config.image_size, config.image_size, config.channels)
    starts, peaks = [], []
    for _ in range(STARTS):
        begin = time.time()
        done = subprocess.run(
            [sys.executable, "-c", "from tinyternary.bench.infer_probe import probe; probe()",
             name, str(folder), *map(str, size)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found = json.loads(done.stdout.splitlines()[-1])
        starts.append(found["answered"] - begin)
        peaks.append(found["peak_mb"])
    return {
        "preset": preset, "batch": batch, "contender": name, "peak_mb": max(peaks),
        "start_s": float(np.median(starts)),
    }  # fmt: skip
