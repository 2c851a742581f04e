"""The table of micro-kernels: all that the one driver knows of each (lesson 08).

A micro-kernel multiplies a tile of rows by a panel of outputs in registers. It says how weights
lie in memory, what becomes of a row of activations, and emits the sums of a tile. Loops around
it, scales, biases and activations are `driver`'s and the same for all.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from tinyternary.kernels.simd import five, popcount, quantize
from tinyternary.kernels.simd.gemm import emit_tile, emit_unpack
from tinyternary.kernels.simd.gemv import emit_gemv
from tinyternary.kernels.simd.layout import interleave
from tinyternary.kernels.simd.targets import AVX2, AVX512, AVXVNNI, FIVE, TARGETS, TERNARY, Target


@dataclass(frozen=True)
class MicroKernel:
    """One way to multiply.

    Attributes
    ----------
    target : Target
        Shape of its tiles, and the processors that it is for.
    prepare : callable
        ``(trits, target) -> layout``: panels of outputs, each blocks of inputs.
    block_bytes : int
        Bytes of one block of a panel. A block of a row of activations takes 16.
    emit_floats, emit_integers : callable
        ``(builder, target, x, k, row, notes)``: write a row of activations as the tile reads it,
        and note its scale (floats) and the sum of its codes, if that is needed.
    emit_sums : callable
        ``(builder, target, rows, x, stride, weights, blocks, start, ahead) -> sums``: int32,
        [row][vector of outputs]; as `gemm.emit_tile`.
    emit_unpack : callable, optional
        ``(builder, packed, blocks, panel)``: write a panel as tiles read it, if that is not how
        it lies in memory. It stays in the cache for a chunk of rows.
    unpacked_bytes : int
        Bytes of one block of such a panel.
    emit_unpacked_sums : callable, optional
        As `emit_sums`, from an unpacked panel: for many rows, where `plans` says so. Without it
        `emit_sums` reads unpacked panels and no others.
    """

    target: Target
    prepare: Callable[..., Any]
    block_bytes: int
    emit_floats: Callable[..., None]
    emit_integers: Callable[..., None]
    emit_sums: Callable[..., list[list[Any]]]
    emit_unpack: Callable[..., None] | None = None
    unpacked_bytes: int = 0
    emit_unpacked_sums: Callable[..., list[list[Any]]] | None = None


def emit_dots(
    builder: ir.IRBuilder, target: Target, rows: int, x: Any, stride: Any, weights: Any,
    blocks: Any, start: list[Any], ahead: Any,
) -> list[list[Any]]:  # fmt: skip
    """Emit a tile of dot products, or the leaner loop that is enough for one row."""
    if rows == 1:
        return [emit_gemv(builder, target, x, weights, blocks, start[0])]
    return emit_tile(builder, target, rows, x, stride, weights, blocks, start, ahead)


def _codes(target: Target) -> MicroKernel:
    return MicroKernel(
        target, interleave, target.columns * target.width, quantize.emit_row, quantize.emit_copy,
        emit_dots,
    )  # fmt: skip


_PLANES = MicroKernel(
    TERNARY, popcount.prepare, popcount.PLANES * TERNARY.outputs, popcount.emit_quantize,
    popcount.emit_planes, popcount.emit_counts,
)  # fmt: skip

_FIVES = dataclasses.replace(
    _codes(FIVE), prepare=five.interleave, emit_unpack=five.emit_unpack,
    unpacked_bytes=_codes(FIVE).block_bytes,
)  # fmt: skip


def _by_bytes(target: Target) -> MicroKernel:
    """`_codes`, or a byte for each code of a panel that many rows share."""
    codes = _codes(target)
    return dataclasses.replace(
        codes,
        emit_unpack=functools.partial(emit_unpack, target=target),
        unpacked_bytes=4 * codes.block_bytes,
        emit_unpacked_sums=functools.partial(emit_tile, unpacked=True),
    )


_SPECIAL = {
    "ternary": _PLANES, "five": _FIVES,
    **{target.name: _by_bytes(target) for target in (AVX512, AVXVNNI, AVX2)},
}  # fmt: skip
MICRO_KERNELS = tuple(_SPECIAL.get(target.name) or _codes(target) for target in TARGETS)
"""By index, as `TARGETS`. That of "lookup7" is for the rows that its tables do not take."""
