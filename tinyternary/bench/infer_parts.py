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
        Which layers are ternary.
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
    parts = {
        name: _fastest(run, repeats) * (1 if name == "patch embedding" else model.config.depth)
        for name, run in _stages(engine).items()
    }
    parts["norms, sums, calls"] = max(whole - sum(parts.values()), 0.0)
    total = sum(parts.values())
    rows = [{"part": name, "us": s * 1e6, "share": s / total} for name, s in parts.items()]
    return {"preset": preset, "policy": policy, "parts": rows, "whole_us": whole * 1e6}


def _stages(engine: Any) -> dict[str, Callable[[], Any]]:
    """Functions that run one stage for all tokens of an image."""
    from tinyternary.compiled.switch import njit
    from tinyternary.deploy.encoder import attention as mixing, plan as places, stages

    network = engine.fused
    work = network.workspace()
    at = network.shape.tolist()
    tall = network.target.rows
    key = network.target.index + 16 * places.fingerprint()
    tokens, chunk, wide, joined, hidden, value = (
        at[i] for i in (places.TOKENS, places.CHUNK, places.STREAM, places.JOINT, places.HIDDEN,
                        places.VALUE)
    )  # fmt: skip
    heads, kv_heads, head = at[places.HEADS], at[places.KV_HEADS], at[places.HEAD]
    rows = -(-tokens // tall) * tall
    rng = np.random.default_rng(1)
    for array in (work.joint, work.rows_a, work.rows_b):
        array[...] = rng.normal(size=array.shape)

    @njit(cache=False)
    def layer(
        plan: Any, number: int, codes: Any, floats: Any, source: Any, stride: int, out: Any,
        out_stride: int, activation: int, row_codes: Any, sums: Any, row_scales: Any, normed: Any,
    ) -> None:  # fmt: skip
        zero = np.int64(0)
        for start in range(0, rows, chunk):
            stages.apply_layer(key, plan, number, codes, floats, source, zero, stride,
                               min(chunk, rows - start), out, zero, out_stride, activation,
                               row_codes, sums, row_scales, normed)  # fmt: skip

    @njit(cache=False)
    def attention(qkv: Any, keys: Any, values: Any, scores: Any, out: Any) -> None:
        mixing.lay_keys(key, qkv, joined, np.int64(0), tokens, heads, kv_heads, head, tokens,
                        keys, values, value, np.float32(0.1))  # fmt: skip
        for start in range(0, rows, chunk):
            mixing.attend(key, qkv, joined, start, min(chunk, rows - start), heads, kv_heads, head,
                          tokens, keys, values, value, scores, out, wide)  # fmt: skip

    def apply(
        number: int, source: Any, stride: int, out: Any, out_stride: int, activation: int
    ) -> Any:
        return lambda: layer(
            network.plan, number, network.codes, network.floats, source, stride, out, out_stride,
            activation, work.row_codes, work.sums, work.row_scales, work.normed,
        )  # fmt: skip

    a, b, qkv = work.rows_a, work.rows_b, work.joint[0]
    patch = -(-int(network.plan[0, places.INPUTS]) // 16) * 16
    return {
        "patch embedding": apply(0, b, patch, a, wide, 0),
        "qkv": apply(1, a, wide, qkv, joined, 0),
        "attention": lambda: attention(qkv, work.keys, work.values, work.scores, a),
        "projection": apply(2, a, wide, b, wide, 0),
        "fc1 and activation": apply(3, a, wide, b, hidden, at[places.ACTIVATION]),
        "fc2": apply(4, b, hidden, a, wide, 0),
    }


def _fastest(run: Callable[[], Any], repeats: int) -> float:
    run()
    best = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - begin)
    return best
