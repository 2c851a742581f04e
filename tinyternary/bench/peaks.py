"""What this machine can do at most: the roofs that the cost model's bounds rest on.

Three numbers of one core, each the best of several runs: int8 multiply-accumulates of the
processor's dot-product instruction with everything in registers, float32 fused
multiply-adds likewise, and bytes read from a buffer far larger than the caches. Measured
in assembly-like loops and not with the kernels themselves, so that a bound is not just
the kernel's own best time.
"""

from __future__ import annotations

import functools
import platform
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tinyternary.bench.machine import cpu_name
from tinyternary.cost import Device
from tinyternary.cost.device import Cache
from tinyternary.errors import ConfigError

_CHAINS = 12  # independent accumulators: latency (4-5 cycles) times issue width, in 16 registers
_UNROLL = 8


def this_machine(runs: int = 50) -> Device:
    """Measure one core of this machine, and describe it as a device of the cost model.

    Parameters
    ----------
    runs : int
        How often each loop is timed; the fastest counts.

    Raises
    ------
    ConfigError
        If nothing is compiled (``TINYTERNARY_JIT=0``, or no Numba).
    """
    from tinyternary.compiled.switch import jit_enabled, why_not

    if not jit_enabled():
        raise ConfigError(f"measuring this machine needs compiled code, and {why_not()}")
    fp32 = _best_rate(*_fma_loop(), runs)
    return Device(
        name="this-machine",
        title=f"this machine, one core ({cpu_name()})",
        source="measured here: register-only loops, and a pass over a large buffer",
        peak={"int8": _best_rate(*_dot_loop(), runs), "fp16": fp32, "fp32": fp32},
        caches=caches(),
        dram_bytes_per_second=_read_rate(runs),
        watts=None,  # not measured, so not claimed
    )


def caches() -> tuple[Cache, ...]:
    """Return the data caches of core 0 as Linux gives them, smallest first.

    On other systems: 32 KB and 1 MB, which the energy tables price.
    """
    found = {}
    for folder in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        try:
            if (folder / "type").read_text().strip() == "Instruction":
                continue
            level = (folder / "level").read_text().strip()
            size = re.fullmatch(r"(\d+)([KMG])", (folder / "size").read_text().strip())
        except OSError:
            continue  # a level that the system does not describe
        if size is not None:
            scale = {"K": 2**10, "M": 2**20, "G": 2**30}[size[2]]
            found[f"L{level}"] = Cache(f"L{level}", int(size[1]) * scale)
    default = (Cache("L1", 32768), Cache("L2", 1048576))
    return tuple(sorted(found.values(), key=lambda cache: cache.capacity)) or default


def _best_rate(run: Callable[[int], Any], macs_per_turn: int, runs: int) -> float:
    """Return the best MAC/s of a compiled loop."""
    run(1)
    turns = 1000
    while _seconds(run, turns) < 2e-3:  # long enough for the clock to be fine enough
        turns *= 2
    best = float("inf")
    for _ in range(runs):
        best = min(best, _seconds(run, turns))
    return turns * macs_per_turn / best


def _seconds(run: Callable[[int], Any], turns: int) -> float:
    start = time.perf_counter()
    run(turns)
    return time.perf_counter() - start


def dot_burst(turns: int = 4000) -> tuple[Callable[[], Any], int]:
    """Return a run of dot products to time in turns with others, and how many MACs it does."""
    run, macs = _dot_loop()
    return functools.partial(run, turns), turns * macs


@functools.cache
def _dot_loop() -> tuple[Callable[[int], Any], int]:
    """Return a loop of dot-product instructions, and the MACs of one turn."""
    from llvmlite import ir

    from tinyternary.kernels.simd.targets import I16, TARGETS, VECTOR, cpu_features

    target = next(t for t in TARGETS if set(t.needs) <= cpu_features())
    if target is VECTOR:  # widened to 16 bits ahead, as a tile shares that among its rows
        short = ir.VectorType(I16, 8)

        def multiply(builder: Any, total: Any, left: Any, right: Any) -> Any:
            return builder.add(total, builder.mul(left, right))

        return _register_loop(short, short, multiply), _CHAINS * _UNROLL * short.count

    def step(builder: Any, total: Any, left: Any, right: Any) -> Any:
        return target.dot(builder, total, left, right)

    # one code vector of `width` bytes meets as many activations: `width` MACs
    loop = _register_loop(target.partial, target.words, step)
    return loop, _CHAINS * _UNROLL * target.width


@functools.cache
def _fma_loop() -> tuple[Callable[[int], Any], int]:
    """Return a loop of float32 fused multiply-adds, and the MACs of one turn."""
    from llvmlite import ir

    from tinyternary.kernels.simd.targets import cpu_features

    features = cpu_features()
    lanes = 16 if "avx512f" in features else 8 if "avx2" in features else 4
    vector = ir.VectorType(ir.FloatType(), lanes)

    def step(builder: Any, total: Any, left: Any, right: Any) -> Any:
        if not features & {
            "fma",
            "neon",
        }:  # fma would be a function call
            return builder.fadd(builder.fmul(left, right), total)
        kind = ir.FunctionType(vector, [vector] * 3)
        name = f"llvm.fma.v{lanes}f32"
        function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        return builder.call(function, [left, right, total])

    return _register_loop(vector, vector, step), _CHAINS * _UNROLL * lanes


def _register_loop(
    total: Any, operand: Any, step: Callable[[Any, Any, Any, Any], Any]
) -> Callable[[int], Any]:
    """Compile ``for turn in range(n): acc[c] = step(acc[c], a, b)`` with all in registers."""
    from llvmlite import ir
    from numba import njit, types
    from numba.core import cgutils
    from numba.extending import intrinsic

    @intrinsic
    def body(typing_context: Any, turns: Any, seed: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            # operands come from an argument: constants would be folded away
            scalar = args[1]
            if isinstance(operand.element, ir.FloatType):
                scalar = builder.sitofp(scalar, operand.element)
            else:
                scalar = builder.trunc(scalar, operand.element)
            slot = ir.Constant(operand, ir.Undefined)
            for lane in range(operand.count):
                slot = builder.insert_element(slot, scalar, ir.Constant(ir.IntType(32), lane))
            place_for = cgutils.alloca_once
            sums = [place_for(builder, total) for _ in range(_CHAINS)]  # type: ignore[no-untyped-call]
            for chain, place in enumerate(sums):
                # each starts elsewhere: equal chains would be merged into one
                builder.store(ir.Constant(total, [chain] * total.count), place)
            with cgutils.for_range(builder, args[0]):
                for _ in range(_UNROLL):
                    for place in sums:
                        # a product without sum in the same instruction (AVX2, portable code)
                        # would be computed once for all chains and turns
                        slot = _opaque(builder, slot)
                        value = step(builder, builder.load(place), slot, slot)
                        builder.store(value, place)
            # every accumulator must be used, or its chain would be removed
            add = builder.fadd if isinstance(total.element, ir.FloatType) else builder.add
            result = builder.load(sums[0])
            for place in sums[1:]:
                result = add(result, builder.load(place))
            first = builder.extract_element(result, ir.Constant(ir.IntType(32), 0))
            if isinstance(total.element, ir.FloatType):
                return builder.fptosi(first, ir.IntType(64))
            return builder.sext(first, ir.IntType(64))

        return types.int64(types.int64, types.int64), emit

    @njit(nogil=True)
    def run(turns: int) -> int:
        return body(turns, turns)  # type: ignore[call-arg]

    return run


def _opaque(builder: Any, value: Any) -> Any:
    """Return a vector that the compiler takes for another one: an empty piece of assembly."""
    from llvmlite import ir

    register = {"x86_64": "x", "AMD64": "x", "aarch64": "w", "arm64": "w"}.get(platform.machine())
    if register is None:
        return value
    kind = ir.FunctionType(value.type, [value.type])
    return builder.asm(kind, "", f"={register},0", [value], side_effect=False)


def _read_rate(runs: int, megabytes: int = 256) -> float:
    """Return the best bytes per second of a pass over a buffer larger than any cache."""
    from numba import njit

    @njit(nogil=True)
    def total(values: Any) -> Any:
        sums = np.int64(0)
        for i in range(values.size):
            sums ^= values[i]
        return sums

    values = np.ones(megabytes * 2**20 // 8, np.int64)
    total(values)
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        total(values)
        seconds.append(time.perf_counter() - start)
    return float(values.nbytes / min(seconds))
