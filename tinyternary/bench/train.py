"""One training step here and in PyTorch eager, in turns, on the same number of threads."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.bench.machine import describe_machine
from tinyternary.bench.points import Point, Watch, measure
from tinyternary.bench.timing import interleave
from tinyternary.bench.train_peer import torch_step, why_no_compile
from tinyternary.config import ViTConfig, preset
from tinyternary.errors import ConfigError, unknown_name

SHAPES: dict[str, ViTConfig] = {
    "tiny": preset("tiny"),  # 49 tokens, width 64, depth 4
    "small": preset("small"),  # 49 tokens, width 192, depth 6
    "deit-tiny": preset("deit-tiny", pool="mean"),  # 196 tokens, width 192, depth 12
}
"""Networks that are timed, all with mean pooling."""


def bench_train(
    shapes: Sequence[str] = ("tiny", "small", "deit-tiny"),
    threads: Sequence[int] = (1, 2),
    batch: int = 64,
    seconds: float = 3.0,
    quantized: Sequence[bool] = (False, True),
    memory: bool = True,
    compiled: bool = False,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Time forward, loss, backward and AdamW here and in PyTorch.

    Parameters
    ----------
    shapes : sequence of str
        Names from `SHAPES`.
    threads : sequence of int
        Numbers of threads; both sides get the same.
    batch : int
        Images per step.
    seconds : float
        Time to spend on each side of each comparison, about.
    quantized : sequence of bool
        False times float layers, True W2A8 layers (every encoder linear).
    memory : bool
        Whether to measure each side's peak memory too, each in a process of its own.
    compiled : bool
        Whether `torch.compile` takes its turns too; it needs minutes before its first steps.
    watch : Watch, optional
        Follows what is measured; see `tinyternary.bench.points`.

    Returns
    -------
    dict
        ``machine``, ``complete``, ``blas``, and ``rows``: for each comparison the step times in
        milliseconds (median, quartiles), ``ratio`` (ours / PyTorch's), ``products``
        (share of our step spent in matrix products, attention's included), and peak
        MiB of both; ``first_s``: seconds of each side's first step, which compiles; with
        `compiled`, ``compiled_ms`` and ``compiled_ratio`` too. Where PyTorch is not installed,
        its entries are None. ``skipped``: peers that are not timed, and why.
    """
    for name in shapes:
        if name not in SHAPES:
            raise unknown_name("training shape", name, SHAPES)
    if batch < 1 or min(threads, default=0) < 1:
        raise ConfigError(f"batch {batch} and threads {list(threads)}: expected positive numbers")
    peer = importlib.util.find_spec("torch") is not None
    peers = {"pytorch": "" if peer else "not installed: torch"}
    if compiled:
        peers["torch.compile"] = why_no_compile()
    result: dict[str, Any] = {
        "machine": describe_machine(max(threads)), "blas": [], "rows": [],
        "skipped": {name: why for name, why in peers.items() if why},
    }  # fmt: skip
    usable = [name for name, why in peers.items() if not why]
    points: list[Point] = []
    for name in shapes:
        for bits in quantized:
            peaks: dict[str, float | None] = {}
            layers = f"{name}, {'W2A8' if bits else 'float'}"
            if memory:
                measured = partial(_both_peaks, peaks, name, bits, batch, peer)
                points.append((f"{layers}: memory", measured))
            for count in threads:
                row = partial(_add_row, result, peaks, name, bits, count, batch, seconds, usable)
                points.append((f"{layers}, {count} thread(s)", row))
    return measure(points, result, watch)


def _both_peaks(
    peaks: dict[str, float | None], name: str, quantized: bool, batch: int, peer: bool
) -> None:
    for side in ("tinyternary", "pytorch") if peer else ("tinyternary",):
        peaks[side] = peak_memory(side, name, quantized, batch)


def _add_row(
    result: dict[str, Any], peaks: dict[str, float | None], name: str, quantized: bool,
    threads: int, batch: int, seconds: float, peers: Sequence[str],
) -> None:  # fmt: skip
    row = _compare(name, quantized, threads, batch, seconds, peers)
    row["peak_mib"] = peaks.get("tinyternary")
    row["peer_peak_mib"] = peaks.get("pytorch")
    result["rows"].append(row)
    result["blas"] = _blas()


def _compare(
    name: str, quantized: bool, threads: int, batch: int, seconds: float, peers: Sequence[str]
) -> dict[str, Any]:
    images, labels = batch_for(SHAPES[name], batch)
    with _threads(threads, bool(peers)):
        step = own_step(SHAPES[name], quantized, images, labels)
        contenders: dict[str, Callable[[], Any]] = {"ours": step}
        for peer in peers:
            compiled = peer == "torch.compile"
            contenders[peer] = torch_step(SHAPES[name], quantized, images, labels, compiled)
        first = {contender: _seconds(run) for contender, run in contenders.items()}
        timings = interleave(contenders, seconds=seconds, rounds=(3, 200), warmup=2)
        share = _share_of_products(step)
    row: dict[str, Any] = {
        "shape": name,
        "layers": "W2A8" if quantized else "float",
        "threads": threads,
        "batch": batch,
        "ours_ms": timings["ours"].to_dict(1e-3),
        "products": share,
        "first_s": first,
    }
    for peer, ms, ratio in (
        ("pytorch", "pytorch_ms", "ratio"),
        ("torch.compile", "compiled_ms", "compiled_ratio"),
    ):
        theirs = timings.get(peer)
        row[ms] = theirs.to_dict(1e-3) if theirs else None
        row[ratio] = timings["ours"].median / theirs.median if theirs else None
    return row


def _seconds(run: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def batch_for(config: ViTConfig, batch: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Random images (B, C, H, W) and labels (B,) of a network's sizes."""
    rng = np.random.default_rng(0)
    shape = (batch, config.channels, config.image_size, config.image_size)
    return rng.standard_normal(shape, np.float32), rng.integers(0, config.num_classes, batch)


def own_step(
    config: ViTConfig, quantized: bool, images: NDArray[np.float32], labels: NDArray[np.int64]
) -> Callable[[], float]:
    """Build our model and optimiser; return a function that does one training step."""
    from tinyternary.models import ViT
    from tinyternary.nn import cross_entropy
    from tinyternary.quant import ternarize
    from tinyternary.train.optimizers import AdamW

    model = ViT(config, seed=0)
    if quantized:
        ternarize(model, policy="all-linear")
    model.train()
    optimizer = AdamW(list(model.parameters()), lr=1e-3)

    def step() -> float:
        loss = cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def _share_of_products(step: Callable[[], Any]) -> float:
    """Share of a step's time inside matrix products and attention."""
    from tinyternary.autograd.ops.packed_attention import PackedAttention
    from tinyternary.autograd.ops.products import Linear
    from tinyternary.compiled import twin

    faces = [twin(operation.__name__) or operation for operation in (Linear, PackedAttention)]
    plain = [
        (face, name, getattr(face, name)) for face in faces for name in ("forward", "backward")
    ]
    spent = 0.0

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal spent
            start = time.perf_counter()
            result = function(*args, **options)
            spent += time.perf_counter() - start
            return result

        return call

    try:
        for face, name, function in plain:
            setattr(face, name, staticmethod(timed(function)))
        start = time.perf_counter()
        for _ in range(3):
            step()
        return spent / (time.perf_counter() - start)
    finally:
        for face, name, function in plain:
            setattr(face, name, staticmethod(function))


@contextmanager
def _threads(count: int, peer: bool) -> Iterator[None]:
    """Give both sides `count` threads as in training, and put things back."""
    from tinyternary.compiled import threads

    torch: Any = importlib.import_module("torch") if peer else None
    torch_before = torch.get_num_threads() if peer else 0
    if peer:
        torch.set_num_threads(count)
    try:
        with threads.using_threads(count), threads.pool_first():
            yield
    finally:
        if peer:
            torch.set_num_threads(torch_before)


def _blas() -> list[str]:
    """Name the BLAS libraries of this process and the processor each was built for."""
    from threadpoolctl import threadpool_info

    return [
        f"{entry['internal_api']} {entry.get('version')} {entry.get('architecture')}"
        for entry in threadpool_info()
        if entry["user_api"] == "blas"
    ]


def peak_memory(side: str, shape: str, quantized: bool, batch: int) -> float | None:
    """Measure in a fresh process: most MiB that model and three steps held at once.

    None where the system does not tell (not Linux).
    """
    program = (
        "import json, sys; from tinyternary.bench.train import _measure_peak; "
        "print(json.dumps(_measure_peak(*json.loads(sys.argv[1]))))"
    )
    command = [sys.executable, "-c", program, json.dumps([side, shape, quantized, batch])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def _measure_peak(side: str, shape: str, quantized: bool, batch: int) -> float | None:
    images, labels = batch_for(SHAPES[shape], 2)
    build = own_step if side == "tinyternary" else torch_step
    build(SHAPES[shape], quantized, images, labels)()  # libraries and compiled code are loaded
    before = _status("VmRSS")
    images, labels = batch_for(SHAPES[shape], batch)
    step = build(SHAPES[shape], quantized, images, labels)
    for _ in range(3):
        step()
    after = _status("VmHWM")
    return None if before is None or after is None else after - before


def _status(field: str) -> float | None:
    """MiB of a line of /proc/self/status."""
    try:
        with open("/proc/self/status", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith(field):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass  # not Linux
    return None
