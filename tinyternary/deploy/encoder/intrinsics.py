"""Emitted code as functions that Numba code can call (lesson 08_packing_and_kernels).

What lies in memory comes as an address: an int64, counted in bytes. Operations on tiles take the
`Target` first, whose type says which processor to emit code for.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core.datamodel import models
from numba.np import arrayobj

from tinyternary.deploy.encoder import emitters, functions
from tinyternary.deploy.encoder.records import GELU
from tinyternary.kernels.simd import targets
from tinyternary.kernels.simd.epilogue import store_floats
from tinyternary.kernels.simd.gemm import emit_tile
from tinyternary.kernels.simd.targets import F32, I8, I32, I64, TARGETS
from tinyternary.kernels.simd.vectors import load

# its own annotations describe the function before decoration
intrinsic: Any = extending.intrinsic(prefer_literal=True)


# ---- the processor, known when code is compiled ----------------------------------------------


class Target(types.Type):
    """Type of a value that is nothing but its type: one for each `targets.Target`."""

    def __init__(self, target: targets.Target) -> None:
        self.target = target
        super().__init__(name=f"Target({target.name})")


extending.register_model(Target)(models.OpaqueModel)


@intrinsic
def target_of(typingctx: Any, key: Any) -> Any:
    """Return the target of this number, a literal."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        return context.get_dummy_value()

    return Target(TARGETS[key.literal_value])(key), codegen


def _constant(name: str) -> None:
    """Let compiled code read a field of a target."""

    def get(target):  # type: ignore[no-untyped-def]  # Numba compares it with the lambda
        value = int(getattr(target.target, name))
        return lambda target: value

    extending.overload_attribute(Target, name)(get)


for _name in ("rows", "outputs", "lanes"):
    _constant(_name)


# ---- views of memory -------------------------------------------------------------------------


@intrinsic
def view(typingctx: Any, address: Any, kind: Any) -> Any:
    """Return the record of dtype ``kind`` that lies at an address."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(sig.return_type))

    return kind.dtype(types.int64, kind), codegen


@intrinsic
def floats(typingctx: Any, address: Any, count: Any) -> Any:
    """Return the ``count`` float32 at an address as an array."""
    kind = types.float32[::1]

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        array = context.make_array(kind)(context, builder)
        data = builder.inttoptr(args[0], array.data.type)
        size = context.get_constant(types.intp, 4)
        # no owner: whoever calls the encoder keeps its memory alive
        arrayobj.populate_array(array, data, [args[1]], [size], size, meminfo=None)
        return array._getvalue()

    return kind(types.int64, types.int64), codegen


# ---- what emitters emit ----------------------------------------------------------------------

ADDRESS, INDEX, FLOAT = "address", types.int64, types.float32


def operation(emit: Callable[..., Any], *kinds: Any, of_target: bool = False) -> Any:
    """Make a function of compiled code out of one that emits it.

    Parameters
    ----------
    emit : callable
        Called with a builder, the target if it is ``of_target``, and a value for each of `kinds`.
    *kinds : Numba type or `ADDRESS`
        The latter is an int64 that ``emit`` gets as a pointer to bytes.
    of_target : bool
        Whether compiled code passes a `Target` first.
    """
    first = 1 if of_target else 0

    def typed(typingctx: Any, *given: Any) -> Any:
        def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
            values = [
                builder.inttoptr(value, I8.as_pointer()) if kind is ADDRESS else value
                for kind, value in zip(kinds, args[first:], strict=True)
            ]
            emit(builder, *[kind.target for kind in given[:first]], *values)
            return context.get_dummy_value()

        numbers = [INDEX if kind is ADDRESS else kind for kind in kinds]
        return types.none(*given[:first], *numbers), codegen

    # Numba would want a tuple for ``*given``
    names = ["typingctx", *(f"argument_{i}" for i in range(first + len(kinds)))]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(name, kind) for name in names])
    typed.__signature__ = signature  # type: ignore[attr-defined]
    return intrinsic(typed)


def _emit_quantize(
    builder: ir.IRBuilder, x: Any, width: Any, vectors: Any, codes: Any, scale: Any, total: Any
) -> None:
    _store_quantized(builder, x, None, width, vectors, None, codes, scale, total)


def _store_quantized(
    builder: ir.IRBuilder, x: Any, weight: Any, width: Any, vectors: Any, eps: Any, codes: Any,
    scale: Any, total: Any,
) -> None:  # fmt: skip
    found = emitters.emit_quantize(builder, x, weight, width, vectors, eps, codes)
    for value, place in zip(found, (scale, total), strict=True):
        emitters.store(builder, place, ir.Constant(I64, 0), value)


def _emit_ternary_tile(
    builder: ir.IRBuilder, target: targets.Target, codes: Any, step: Any, weights: Any,
    blocks: Any, sums: Any, row_scales: Any, scales: Any, biases: Any, out: Any, out_step: Any,
    activation: Any,
) -> None:  # fmt: skip
    def items(place: Any, kind: Any) -> list[Any]:
        return [load(builder, place, 4 * row, kind, 4) for row in range(target.rows)]

    start = [builder.neg(total) for total in items(sums, I32)]
    tile = emit_tile(builder, target, target.rows, codes, step, weights, blocks, start)
    store_floats(builder, target, tile, items(row_scales, F32), scales, biases, out, out_step)
    with builder.if_then(builder.icmp_signed("==", activation, ir.Constant(I64, GELU))):
        functions.emit_gelu(builder, target, out, out_step)


def _float_tile(columns: int | None, fresh: bool) -> Any:
    def emit(
        builder: ir.IRBuilder, target: targets.Target, a: Any, a_step: Any, b: Any, b_step: Any,
        depth: Any, out: Any, out_step: Any,
    ) -> None:  # fmt: skip
        shape = (target.rows, columns or target.columns, target.lanes)
        emitters.emit_float_tile(builder, shape, a, a_step, b, b_step, depth, out, out_step, fresh)

    kinds = (ADDRESS, INDEX, ADDRESS, INDEX, INDEX, ADDRESS, INDEX)
    return operation(emit, *kinds, of_target=True)


new_float_tile, float_tile = _float_tile(None, True), _float_tile(None, False)
"""``(target, a, a_step, b, b_step, depth, out, out_step)``: out = a b and out += a b for a tile
of out, as many columns wide as the target's ternary tile."""
new_float_strip, float_strip = _float_tile(1, True), _float_tile(1, False)
"""The same, one vector wide: for what is narrower than a tile."""
ternary_tile = operation(
    _emit_ternary_tile, ADDRESS, INDEX, ADDRESS, INDEX, ADDRESS, ADDRESS, ADDRESS, ADDRESS,
    ADDRESS, INDEX, INDEX, of_target=True,
)  # fmt: skip
"""``(target, codes, step, weights, blocks, sums, row_scales, scales, biases, out, out_step,
activation)``: a tile of integers * (row scale * column scale) + bias, and `GELU` of it if that is
the activation: others run over whole rows."""
gelu_tile = operation(functions.emit_gelu, ADDRESS, INDEX, of_target=True)
"""``(target, x, step)``: GELU of a tile in place."""
quantize_row = operation(_emit_quantize, ADDRESS, INDEX, INDEX, ADDRESS, ADDRESS, ADDRESS)
"""``(x, width, vectors, codes, scale, sum)``: int8 codes of a row, their scale and their sum."""
norm_quantize_row = operation(
    _store_quantized, ADDRESS, ADDRESS, INDEX, INDEX, FLOAT, ADDRESS, ADDRESS, ADDRESS
)
"""``(x, weight, width, vectors, eps, codes, scale, sum)``: the same of its RMSNorm."""
layer_norm_row = operation(
    emitters.emit_layer_norm, ADDRESS, ADDRESS, ADDRESS, INDEX, INDEX, FLOAT, ADDRESS
)
"""``(x, weight, bias, width, vectors, eps, out)``"""
rms_norm_row = operation(emitters.emit_rms_norm, ADDRESS, ADDRESS, INDEX, INDEX, FLOAT, ADDRESS)
"""``(x, weight, width, vectors, eps, out)``"""
softmax_row = operation(functions.emit_softmax, ADDRESS, INDEX, ADDRESS)
"""``(x, vectors, total)``: x = 2^(x - max x) in place, and 1 / their sum."""
gelu_tanh_row = operation(functions.emit_gelu_tanh, ADDRESS, INDEX)
relu_squared_row = operation(functions.emit_relu_squared, ADDRESS, INDEX)
"""``(x, vectors)``: in place."""
add_row = operation(emitters.emit_add, ADDRESS, ADDRESS, INDEX)
"""``(x, y, vectors)``: x += y."""
scale_row = operation(emitters.emit_scale, ADDRESS, INDEX, FLOAT, ADDRESS)
"""``(x, vectors, factor, out)``: out = factor x."""
transpose_block = operation(emitters.emit_transpose, ADDRESS, INDEX, FLOAT, ADDRESS, INDEX)
"""``(x, x_step, factor, out, out_step)``: out = factor x transposed, for 16 x 16 floats."""


# ---- counters that threads share -------------------------------------------------------------


def _counter(context: Any, builder: ir.IRBuilder, kind: Any, counters: Any, at: Any) -> Any:
    data = context.make_array(kind)(context, builder, counters).data
    return builder.gep(data, [at])


@intrinsic
def fetch_add(typingctx: Any, counters: Any, at: Any, amount: Any) -> Any:
    """Add to an int32 counter that other threads read and add to; return what it was."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        place = _counter(context, builder, sig.args[0], args[0], args[1])
        before = builder.atomic_rmw("add", place, builder.trunc(args[2], I32), "seq_cst")
        return builder.sext(before, I64)

    return types.int64(counters, INDEX, INDEX), codegen


@intrinsic
def load_counter(typingctx: Any, counters: Any, at: Any) -> Any:
    """Return what such a counter is now."""

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        place = _counter(context, builder, sig.args[0], args[0], args[1])
        return builder.sext(builder.load_atomic(place, "seq_cst", 4), I64)

    return types.int64(counters, INDEX), codegen
