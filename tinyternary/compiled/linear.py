"""The linear layer and its two gradients (lessons 02 and 08)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled._arrays import EMPTY, as_rows, compiled
from tinyternary.compiled.buffers import empty

Array = NDArray[Any]

MAC = 10e-12
"""Seconds of a multiply-accumulate, on a core with AVX-512."""


def linear_forward_numpy(
    x: Array, weight: Array, bias: Array | None, out: Array | None = None
) -> Array:
    """X W^T + b as one product of two matrices, whatever the rank of x."""
    rows = x.reshape(-1, x.shape[-1])
    result = rows @ weight.T
    if bias is not None:
        result += bias
    result = result.reshape(*x.shape[:-1], weight.shape[0])
    if out is None:
        return result
    out[...] = result
    return out


def linear_grad_input_numpy(grad: Array, weight: Array) -> Array:
    """Gradient of the input: G W."""
    rows = grad.reshape(-1, grad.shape[-1]) @ weight
    return rows.reshape(*grad.shape[:-1], weight.shape[1])


def linear_grad_weight_numpy(grad: Array, x: Array) -> tuple[Array, Array]:
    """Gradients of weight and bias: G^T X and the column sums of G."""
    g = grad.reshape(-1, grad.shape[-1])
    return g.T @ x.reshape(-1, x.shape[-1]), g.sum(0)


def _tiles(*sizes: int) -> bool:
    """Whether these sizes are made of whole vectors."""
    from tinyternary.compiled.tiles import LANES

    return all(size % LANES == 0 for size in sizes)


def _multiply(
    x: Array, weight: Array, transposed: bool, bias: Array | None, out: Array | None
) -> Array:
    from tinyternary.compiled import _linear_loops, threads

    rows = as_rows(x)
    packed = empty((weight.size,))
    weight = np.ascontiguousarray(weight)
    if transposed:
        _linear_loops.pack_panels_transposed(weight, packed)
    else:
        _linear_loops.pack_panels(weight, packed)
    columns = weight.shape[0] if transposed else weight.shape[1]
    usable = out is not None and out.flags.c_contiguous
    target = out if out is not None and usable else empty((*x.shape[:-1], columns))
    threads.crew.run(
        _linear_loops.multiply_rows, len(rows), 64, MAC * weight.size,
        rows, packed, EMPTY if bias is None else np.ascontiguousarray(bias),
        target.reshape(-1, columns), bias is not None,
    )  # fmt: skip
    if out is not None and not usable:
        out[...] = target
        return out
    return target


def linear_forward(
    x: Array, weight: Array, bias: Array | None = None, out: Array | None = None
) -> Array:
    """X W^T + b.

    A row alone and in a batch gets the same bits where N is made of whole vectors
    (a multiple of 16 always is).

    Parameters
    ----------
    x : (..., K) float array
    weight : (N, K) float array
    bias : (N,) float array, optional
    out : (..., N) float array, optional
        Where to write.
    """
    if not compiled(x, weight, bias) or not _tiles(weight.shape[0]):
        return linear_forward_numpy(x, weight, bias, out)
    return _multiply(x, weight, True, bias, out)


def linear_grad_input(grad: Array, weight: Array) -> Array:
    """Gradient of `linear_forward` with respect to x: grad W."""
    if not compiled(grad, weight) or not _tiles(weight.shape[1]):
        return linear_grad_input_numpy(grad, weight)
    return _multiply(grad, weight, False, None, None)


def linear_grad_weight(grad: Array, x: Array) -> tuple[Array, Array]:
    """Gradients of `linear_forward` with respect to weight (N, K) and bias (N,)."""
    outputs, inputs = grad.shape[-1], x.shape[-1]
    if not compiled(grad, x) or outputs % 16 or not _tiles(inputs):
        return linear_grad_weight_numpy(grad, x)
    from tinyternary.compiled import _linear_loops, threads

    g, rows = as_rows(grad), as_rows(x)
    grad_weight, grad_bias = empty((outputs, inputs)), empty((outputs,))
    # every piece copies all of x: one for each thread
    unit = 16 * -(-outputs // (16 * threads.get_threads()))
    threads.crew.run(
        _linear_loops.weight_gradient, outputs, unit, MAC * rows.size,
        g, rows, grad_weight, grad_bias,
    )  # fmt: skip
    return grad_weight, grad_bias
