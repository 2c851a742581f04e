"""Where the time of one image goes: the stages of the compiled encoder, one by one (lesson 10).

By Amdahl's law the part that is not ternary decides in the end. Each stage runs
alone on random numbers with the network's own weights and sizes, and its fastest
run counts; what is left of a whole image is norms, sums and the calls themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tinyternary.errors import ConfigError


def infer_parts(preset: str, policy: str = "all-linear", *, repeats: int = 40) -> dict[str, Any]:
    """Time each part of one image's way through the ternary engine, on one thread.

    Parameters
    ----------
    preset : str
        A name of `tinyternary.config.PRESETS`.
    policy : str
        Which layers are ternary, and whether attention multiplies integers.
    repeats : int
        Runs of each part.

    Returns
    -------
    dict
        Plain JSON types: ``parts``, rows of ``part``, ``us`` (microseconds per image, all
        blocks together) and ``share``; ``whole_us``, a whole image.

    Raises
    ------
    ConfigError
        If this processor has no compiled encoder.
    """
    from tinyternary import deploy, models, quant
    from tinyternary.bench.infer import random_images
    from tinyternary.deploy.engine import Engine

    model = models.ViT(models.preset(preset), seed=0)
    quant.ternarize(model, policy)
    engine = Engine(deploy.pack(model).read(), 1)
    if engine.plain_because:
        raise ConfigError(f"parts cannot be timed here: {engine.plain_because}")
    images = random_images(preset, 1)
    whole = _fastest(lambda: engine(images), repeats)
    assert engine.fused is not None  # nothing stands in its way
    memory = engine.fused.memory()  # addresses in it are all that stages hold
    parts = {
        name: _fastest(run, repeats) * (1 if name == "patch embedding" else model.config.depth)
        for name, run in _stages(engine.fused, memory).items()
    }
    parts["norms, sums, calls"] = max(whole - sum(parts.values()), 0.0)
    total = sum(parts.values())
    rows = [{"part": name, "us": s * 1e6, "share": s / total} for name, s in parts.items()]
    return {"preset": preset, "policy": policy, "parts": rows, "whole_us": whole * 1e6}


def _stages(network: Any, memory: Any) -> dict[str, Callable[[], Any]]:
    """Functions that run one stage for all tokens of an image."""
    from tinyternary.compiled.switch import njit
    from tinyternary.deploy.encoder import attention as mixing, int8_steps
    from tinyternary.deploy.encoder.intrinsics import floats, target_of, view
    from tinyternary.deploy.encoder.records import LAYER, MEMORY, NETWORK
    from tinyternary.deploy.encoder.steps import Rows, linear, rows_of

    net, blocks, places = network.record, network.blocks, memory.record[0]
    key = network.target.index
    tall, chunk = network.target.rows, int(net["chunk"][0])
    rows = -(-int(net["tokens"][0]) // tall) * tall
    network_at, memory_at = network.record.ctypes.data, memory.address
    rng = np.random.default_rng(1)

    @njit(cache=False)
    def fill(address: int, values: Any) -> None:
        out = floats(address, values.size)
        for i in range(values.size):
            out[i] = values[i]

    for name, count in (("qkv", 2 * rows), ("hidden", chunk), ("normed", chunk)):
        size = count * int(places[name]["step"]) // 4
        fill(int(places[name]["at"]), rng.normal(size=size).astype(np.float32))

    @njit(cache=False)
    def layer(at: int, x: int, x_step: int, out: int, out_step: int) -> None:
        target, this, here = target_of(key), view(at, LAYER), view(memory_at, MEMORY)
        for start in range(0, rows, chunk):
            count = min(chunk, rows - start)
            linear(target, this, Rows(x, x_step), Rows(out, out_step), count, here)

    integers = blocks["int8"].all()
    lay = int8_steps.lay_int8_keys if integers else mixing.lay_keys
    mix = int8_steps.attend_int8 if integers else mixing.attend

    @njit(cache=False)
    def attention() -> None:
        target, net = target_of(key), view(network_at, NETWORK)
        here = view(memory_at, MEMORY)
        lay(target, net, rows_of(here.qkv, 0), here)
        for start in range(0, rows, chunk):
            mix(
                target, net, rows_of(here.qkv, start), rows_of(here.attended, 0),
                start, min(chunk, rows - start), here,
            )  # fmt: skip

    def apply(part: Any, x: str, out: str) -> Callable[[], Any]:
        ends = [int(places[name][field]) for name in (x, out) for field in ("at", "step")]
        return lambda: layer(part.ctypes.data, *ends)

    return {
        "patch embedding": apply(net["embedding"], "patches", "normed"),
        "qkv": apply(blocks["qkv"], "normed", "qkv"),
        "attention": attention,
        "projection": apply(blocks["proj"], "attended", "attention_out"),
        "fc1 and activation": apply(blocks["fc1"], "normed", "hidden"),
        "fc2": apply(blocks["fc2"], "hidden", "mlp_out"),
    }


def _fastest(run: Callable[[], Any], repeats: int) -> float:
    run()
    best = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - begin)
    return best
