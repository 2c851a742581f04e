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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.bench.machine import describe_machine
from tinyternary.bench.timing import interleave
from tinyternary.bench.train_peer import torch_step
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

    Returns
    -------
    dict
        ``machine``, ``blas``, and ``rows``: for each comparison the step times in
        milliseconds (median, quartiles), ``ratio`` (ours / PyTorch's), ``products``
        (share of our step spent in matrix products, attention's included), and peak
        MiB of both. Where PyTorch is not installed, its entries are None.
    """
    for name in shapes:
        if name not in SHAPES:
            raise unknown_name("training shape", name, SHAPES)
    if batch < 1 or min(threads, default=0) < 1:
        raise ConfigError(f"batch {batch} and threads {list(threads)}: expected positive numbers")
    peer = importlib.util.find_spec("torch") is not None
    rows = []
    for name in shapes:
        for bits in quantized:
            peaks = {
                side: peak_memory(side, name, bits, batch)
                for side in (("tinyternary", "pytorch") if peer else ("tinyternary",))
                if memory
            }
            for count in threads:
                row = _compare(name, bits, count, batch, seconds, peer)
                row["peak_mib"] = peaks.get("tinyternary")
                row["peer_peak_mib"] = peaks.get("pytorch")
                rows.append(row)
    return {"machine": describe_machine(max(threads)), "blas": _blas(), "rows": rows}


def _compare(
    name: str, quantized: bool, threads: int, batch: int, seconds: float, peer: bool
) -> dict[str, Any]:
    images, labels = batch_for(SHAPES[name], batch)
    with _threads(threads, peer):
        step = own_step(SHAPES[name], quantized, images, labels)
        contenders: dict[str, Callable[[], Any]] = {"ours": step}
        if peer:
            contenders["pytorch"] = torch_step(SHAPES[name], quantized, images, labels)
        timings = interleave(contenders, seconds=seconds, rounds=(3, 200), warmup=2)
        share = _share_of_products(step)
    theirs = timings.get("pytorch")
    return {
        "shape": name,
        "layers": "W2A8" if quantized else "float",
        "threads": threads,
        "batch": batch,
        "ours_ms": timings["ours"].to_dict(1e-3),
        "pytorch_ms": theirs.to_dict(1e-3) if theirs else None,
        "ratio": timings["ours"].median / theirs.median if theirs else None,
        "products": share,
    }


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
    from tinyternary.autograd.ops.attention import PackedAttention
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
