"""The steps of a forward pass, each for a few rows: norms, layers, sums (lesson 10_deployment).

Every row is filled up with zeros to whole vectors and panels, and rows come in whole tiles, so
that nothing has an edge.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tinyternary.compiled.switch import njit
from tinyternary.config.grid import BITLINEAR_EPS
from tinyternary.deploy.encoder.intrinsics import (
    add_row,
    float_tile,
    floats,
    gelu_tanh_row,
    gelu_tile,
    layer_norm_row,
    norm_quantize_row,
    quantize_row,
    relu_squared_row,
    rms_norm_row,
    scale_row,
    ternary_tile,
)
from tinyternary.deploy.encoder.records import GELU, GELU_TANH, RELU_SQUARED

step = njit(cache=False)
"""Steps are compiled into `encoder.run`, which is what a cache keeps."""
_EPS = np.float32(BITLINEAR_EPS)
_ONE = np.float32(1)


class Rows(NamedTuple):
    """Rows of float32: where the first begins, and how many bytes lie between one and the next."""

    at: int
    step: int


@step
def rows_of(place: Any, first: int) -> Rows:
    """Return the rows of a `records.ROWS` from ``first`` on."""
    return Rows(place.at + first * place.step, place.step)


@step
def cut_patches(net: Any, images: Any, image: int, first: int, count: int, out: Rows) -> None:
    """Write the patches of tokens from ``first`` on, normalised, as channel, row, column."""
    size, channels, patch = net.size, net.channels, net.patch
    gain, offset = floats(net.gain, channels), floats(net.offset, channels)
    wide = 16 * net.embedding.blocks
    for row in range(count):
        token = first + row - net.cls
        if token < 0 or first + row >= net.tokens:
            continue
        top = token // net.grid * net.step - net.padding
        left = token % net.grid * net.step - net.padding
        values = floats(out.at + row * out.step, wide)
        for c in range(channels):
            for i in range(patch):
                y = top + i
                place = (c * patch + i) * patch
                for j in range(patch):
                    x = left + j
                    value = np.float32(0)
                    if 0 <= y < size and 0 <= x < size:
                        pixel = np.float32(images[image, y, x, c])
                        value = pixel * gain[c] - offset[c]
                    values[place + j] = value
        for i in range(channels * patch * patch, wide):
            values[i] = np.float32(0)


@step
def add_positions(net: Any, x: Rows, first: int, count: int) -> None:
    """Put the class token in front and add its position to each token."""
    for row in range(min(count, net.tokens - first)):
        here = x.at + row * x.step
        if first + row < net.cls:
            scale_row(net.cls_token, net.vectors, _ONE, here)
        add_row(here, net.positions + (first + row) * net.vectors * 64, net.vectors)


@step
def residual(net: Any, x: Rows, update: Rows, count: int) -> None:
    """Add what a branch found to the stream: x += update, ``count`` rows of both."""
    for row in range(count):
        add_row(x.at + row * x.step, update.at + row * update.step, net.vectors)


@step
def layer_norm(net: Any, norm: Any, x: Rows, out: Rows, count: int) -> Rows:
    """Write LayerNorm(x) into ``out`` and return it; where there is none, return x."""
    if norm.weight == 0:
        return x
    for row in range(count):
        layer_norm_row(
            x.at + row * x.step, norm.weight, norm.bias, net.width, net.vectors, net.eps,
            out.at + row * out.step,
        )  # fmt: skip
    return out


@step
def mean_token(net: Any, stream: Rows, out: Rows) -> None:
    """Write the class token, or the mean of all, into ``out``."""
    scale_row(stream.at, net.vectors, _ONE, out.at)
    if net.cls == 0:
        for token in range(1, net.tokens):
            add_row(out.at, stream.at + token * stream.step, net.vectors)
        mean = floats(out.at, net.width)
        for d in range(net.width):
            mean[d] /= np.float32(net.tokens)


@step
def linear(target: Any, layer: Any, x: Rows, out: Rows, count: int, memory: Any) -> None:
    """Out = activation(x W^T + b) of a layer, after its RMSNorm if it has one (BitLinear)."""
    if layer.ternary:
        _quantize(layer, x, count, memory)
        _ternary_product(target, layer, out, count, memory)
    else:
        _float_product(target, layer, _rms_norm(layer, x, count, memory), out, count)
    if layer.activation == GELU_TANH:
        for row in range(count):
            gelu_tanh_row(out.at + row * out.step, layer.panels * target.outputs // 16)
    elif layer.activation == RELU_SQUARED:
        for row in range(count):
            relu_squared_row(out.at + row * out.step, layer.panels * target.outputs // 16)


@step
def _quantize(layer: Any, x: Rows, count: int, memory: Any) -> None:
    wide = 16 * layer.blocks
    for row in range(count):
        codes = memory.codes + row * wide
        scale, total = memory.scales + 4 * row, memory.sums + 4 * row
        here = x.at + row * x.step
        if layer.norm:
            norm_quantize_row(
                here, layer.norm, layer.inputs, layer.blocks, _EPS, codes, scale, total
            )
        else:
            quantize_row(here, layer.inputs, layer.blocks, codes, scale, total)


@step
def _ternary_product(target: Any, layer: Any, out: Rows, count: int, memory: Any) -> None:
    blocks, outputs, activation = layer.blocks, target.outputs, layer.activation
    wide, panel_bytes = 16 * blocks, 4 * blocks * outputs
    for panel in range(layer.panels):
        column = 4 * panel * outputs
        weights = layer.weights + panel * panel_bytes
        scales, biases = layer.scales + column, layer.biases + column
        for row in range(0, count, target.rows):
            ternary_tile(
                target, memory.codes + row * wide, wide, weights, blocks, memory.sums + 4 * row,
                memory.scales + 4 * row, scales, biases, out.at + row * out.step + column,
                out.step, activation,
            )  # fmt: skip


@step
def _rms_norm(layer: Any, x: Rows, count: int, memory: Any) -> Rows:
    if layer.norm == 0:
        return x
    out = Rows(memory.floats, 64 * layer.blocks)
    for row in range(count):
        rms_norm_row(
            x.at + row * x.step, layer.norm, layer.inputs, layer.blocks, _EPS,
            out.at + row * out.step,
        )  # fmt: skip
    return out


@step
def _float_product(target: Any, layer: Any, x: Rows, out: Rows, count: int) -> None:
    inputs, outputs = layer.inputs, target.outputs
    for panel in range(layer.panels):
        column = 4 * panel * outputs
        weights = layer.weights + column * inputs
        for first in range(0, count, target.rows):
            place = out.at + first * out.step + column
            for row in range(target.rows):
                scale_row(layer.biases + column, outputs // 16, _ONE, place + row * out.step)
            float_tile(
                target, x.at + first * x.step, x.step, weights, 4 * outputs, inputs, place,
                out.step,
            )  # fmt: skip
            if layer.activation == GELU:
                gelu_tile(target, place, out.step)
