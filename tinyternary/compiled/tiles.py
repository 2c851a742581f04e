"""Small matrix products as register tiles, for use inside compiled loops (lesson 08).

BLAS is made for large matrices; attention multiplies many small ones whose rows
stand far apart. `product` computes C (m, n) = A (m, k) B (k, n) with A read from
anywhere (any row and column stride), B and C with contiguous rows. A tile of C
stays in vector registers while the loop over k runs.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tinyternary.compiled.switch import njit


def _vector_floats() -> int:
    """Floats in a vector register of this CPU: 16 with AVX-512, else 8."""
    return 16 if llvm.get_host_cpu_features().get("avx512f") else 8


LANES = _vector_floats()
TALL = 4
"""Rows of a tile: 4 rows of 2 vectors keep both multipliers of a core busy."""

_I64, _F32 = ir.IntType(64), ir.FloatType()


def _tile(rows: int, vectors: int) -> Any:
    """Make the intrinsic for a tile of `rows` x (`vectors` x LANES)."""

    @intrinsic
    def tile(
        _typing: Any, a: Any, a_at: Any, a_row: Any, a_col: Any, b: Any, b_at: Any, b_row: Any,
        c: Any, c_at: Any, c_row: Any, k: Any,
        begin: Any, begin_at: Any, begin_row: Any, begins: Any,
    ) -> Any:  # fmt: skip
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vector = ir.VectorType(_F32, LANES)

            def base(number: int) -> Any:
                array = context.make_array(signature.args[number])(context, builder, args[number])
                return builder.bitcast(array.data, _F32.as_pointer())

            a_ptr, b_ptr, c_ptr, begin_ptr = base(0), base(4), base(7), base(11)
            a_from, a_rows, a_cols, b_from, b_rows = args[1], args[2], args[3], args[5], args[6]
            c_from, c_rows, depth = args[8], args[9], args[10]
            begin_from, begin_rows, begins_with = args[12], args[13], args[14]

            def number(value: int) -> Any:
                return ir.Constant(_I64, value)

            def load(pointer: Any, at: Any) -> Any:
                where = builder.bitcast(builder.gep(pointer, [at]), vector.as_pointer())
                return builder.load(where, align=4)

            def places(first: Any, stride: Any) -> list[Any]:
                return [
                    builder.add(
                        first, builder.add(builder.mul(stride, number(i)), number(j * LANES))
                    )
                    for i in range(rows)
                    for j in range(vectors)
                ]

            # sums start from given values (a bias, or what C holds so far) or from 0
            before = builder.block
            old = builder.append_basic_block("old")
            head = builder.append_basic_block("head")
            body = builder.append_basic_block("body")
            done = builder.append_basic_block("done")
            adds = builder.icmp_signed("!=", begins_with, number(0))
            builder.cbranch(adds, old, head)
            builder.position_at_end(old)
            found = [load(begin_ptr, place) for place in places(begin_from, begin_rows)]
            builder.branch(head)

            builder.position_at_end(head)
            step = builder.phi(_I64)
            sums = [builder.phi(vector) for _ in range(rows * vectors)]
            step.add_incoming(number(0), before)
            step.add_incoming(number(0), old)
            zero = ir.Constant(vector, [0.0] * LANES)
            for phi, value in zip(sums, found):
                phi.add_incoming(zero, before)
                phi.add_incoming(value, old)
            builder.cbranch(builder.icmp_signed("<", step, depth), body, done)

            builder.position_at_end(body)
            b_here = builder.add(b_from, builder.mul(step, b_rows))
            b_now = [load(b_ptr, builder.add(b_here, number(j * LANES))) for j in range(vectors)]
            a_here = builder.add(a_from, builder.mul(step, a_cols))
            none = ir.Constant(vector, ir.Undefined)
            mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
            new = []
            for i in range(rows):
                at = builder.add(a_here, builder.mul(a_rows, number(i)))
                one = builder.load(builder.gep(a_ptr, [at]), align=4)
                one = builder.insert_element(none, one, ir.Constant(ir.IntType(32), 0))
                one = builder.shuffle_vector(one, none, mask)
                for j in range(vectors):
                    term = builder.fmul(one, b_now[j], flags=("contract",))  # fused below
                    new.append(builder.fadd(sums[i * vectors + j], term, flags=("contract",)))
            following = builder.add(step, number(1))
            last = builder.block
            step.add_incoming(following, last)
            for phi, value in zip(sums, new):
                phi.add_incoming(value, last)
            builder.branch(head)

            builder.position_at_end(done)
            for place, value in zip(places(c_from, c_rows), sums):
                where = builder.bitcast(builder.gep(c_ptr, [place]), vector.as_pointer())
                builder.store(value, where, align=4)
            return context.get_dummy_value()

        integer = types.int64
        signature = types.void(
            a, integer, integer, integer, b, integer, integer, c, integer, integer, integer,
            begin, integer, integer, integer,
        )  # fmt: skip
        return signature, codegen

    return tile


@intrinsic
def move(_typing: Any, source: Any, source_at: Any, target: Any, target_at: Any) -> Any:
    """Copy LANES floats; indices are not checked, and not read from the end."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(_F32, LANES)

        def place(number: int) -> Any:
            array = context.make_array(signature.args[number])(context, builder, args[number])
            start = builder.bitcast(array.data, _F32.as_pointer())
            return builder.bitcast(builder.gep(start, [args[number + 1]]), vector.as_pointer())

        builder.store(builder.load(place(0), align=4), place(2), align=4)
        return context.get_dummy_value()

    return types.void(source, types.int64, target, types.int64), codegen


@intrinsic
def add_lanes(_typing: Any, a: Any, a_at: Any, b: Any, b_at: Any, out: Any, out_at: Any) -> Any:
    """Write LANES sums; all is read before anything is written."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(_F32, LANES)

        def place(number: int) -> Any:
            array = context.make_array(signature.args[number])(context, builder, args[number])
            start = builder.bitcast(array.data, _F32.as_pointer())
            return builder.bitcast(builder.gep(start, [args[number + 1]]), vector.as_pointer())

        total = builder.fadd(builder.load(place(0), align=4), builder.load(place(2), align=4))
        builder.store(total, place(4), align=4)
        return context.get_dummy_value()

    return types.void(a, types.int64, b, types.int64, out, types.int64), codegen


_wide, _narrow = _tile(TALL, 2), _tile(TALL, 1)
_wide_row, _narrow_row = _tile(1, 2), _tile(1, 1)


@njit()
def product(
    a, a_at, a_row, a_col, b, b_at, b_row, c, c_at, c_row, m, n, k,
    begin, begin_at, begin_row, begins,
):  # fmt: skip
    """C = A B + begin; n must be a multiple of LANES.

    Parameters
    ----------
    a : float32 array
        A[i, p] stands at element ``a_at + i * a_row + p * a_col`` from its beginning.
    b, c : float32 arrays
        Rows from element ``b_at + p * b_row`` and ``c_at + i * c_row``.
    m, n, k : int
        C is (m, n), and k the inner size.
    begin : float32 array
        Rows from ``begin_at + i * begin_row`` (a row stride of 0 is a bias for all
        rows; `c` itself adds to what it holds); not read where `begins` is 0.
    """
    j = 0
    while j < n:
        pair = n - j >= 2 * LANES
        i = 0
        while i < m:
            tall = m - i >= TALL
            a_from, c_from = a_at + i * a_row, c_at + i * c_row + j
            s_from = begin_at + i * begin_row + j
            if tall and pair:
                _wide(a, a_from, a_row, a_col, b, b_at + j, b_row, c, c_from, c_row, k,
                      begin, s_from, begin_row, begins)  # fmt: skip
            elif tall:
                _narrow(a, a_from, a_row, a_col, b, b_at + j, b_row, c, c_from, c_row, k,
                        begin, s_from, begin_row, begins)  # fmt: skip
            elif pair:
                _wide_row(a, a_from, a_row, a_col, b, b_at + j, b_row, c, c_from, c_row, k,
                          begin, s_from, begin_row, begins)  # fmt: skip
            else:
                _narrow_row(a, a_from, a_row, a_col, b, b_at + j, b_row, c, c_from, c_row, k,
                            begin, s_from, begin_row, begins)  # fmt: skip
            i += TALL if tall else 1
        j += 2 * LANES if pair else LANES
