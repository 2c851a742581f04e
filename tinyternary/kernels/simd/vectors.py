"""Loads, broadcasts and addresses in vector IR, which every emitter is made of (lesson 08)."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from tinyternary.kernels.simd.targets import I8, I32, I64


def at(builder: ir.IRBuilder, pointer: Any, offset: Any, kind: ir.Type) -> Any:
    """Return ``pointer`` (bytes) moved by ``offset`` bytes, as a pointer to ``kind``."""
    if isinstance(offset, int):
        offset = ir.Constant(I64, offset)
    return builder.bitcast(builder.gep(pointer, [offset]), kind.as_pointer())


def broadcast(builder: ir.IRBuilder, scalar: Any, count: int) -> Any:
    """Return a vector with ``scalar`` in each of ``count`` lanes."""
    vector = ir.VectorType(scalar.type, count)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(I32, 0))
    zeros = ir.Constant(ir.VectorType(I32, count), [0] * count)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)


def load(builder: ir.IRBuilder, pointer: Any, offset: Any, kind: ir.Type, align: int) -> Any:
    """Load one ``kind`` from ``pointer`` (bytes) + ``offset``."""
    value = builder.load(at(builder, pointer, offset, kind))
    value.align = align
    return value


def prefetch(builder: ir.IRBuilder, pointer: Any, offset: Any) -> None:
    """Fetch the line at ``pointer`` (bytes) + ``offset`` ahead of use; a wrong one is no harm."""
    kind = ir.FunctionType(ir.VoidType(), [I8.as_pointer(), I32, I32, I32])
    name = "llvm.prefetch.p0"
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    read, near, data = (ir.Constant(I32, value) for value in (0, 2, 1))
    builder.call(function, [builder.gep(pointer, [offset]), read, near, data])


def pointer_to_bytes(builder: ir.IRBuilder, pointer: Any) -> Any:
    """Return any pointer as a pointer to bytes."""
    return builder.bitcast(pointer, I8.as_pointer())
