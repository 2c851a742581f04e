"""exp, erf and sigmoid that LLVM turns into vector code (lesson 08).

Numba has no vector library for them in a plain install: a call of `math.exp`
inside a loop keeps the whole loop scalar. These are straight-line arithmetic
(range reduction, then a polynomial), so the loops around them vectorise.
Each states its largest error; the tests hold it over all of float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tinyternary.compiled.erf import LIMIT, P, Q
from tinyternary.compiled.switch import njit

FAST = {"contract", "reassoc", "nsz", "arcp"}
"""Fused multiply-add and reordered sums; NaN and infinity keep their meaning."""

f32 = np.float32
i32 = np.int32


@intrinsic
def _from_bits(_typing: Any, bits: Any) -> Any:
    """Read 32 integer bits as a float32."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), codegen


@njit(fastmath={"contract"})  # reordered, the two factors of 2^n would meet and overflow
def exp(x):
    """e^x: relative error below 2e-7 where e^x is a normal float; 0 below -87.3, inf above 88.7.

    Source of the polynomial: S. Moshier, Cephes, expf.
    """
    y = f32(88.8) if x > f32(88.8) else x  # NaN is not above, and stays NaN
    y = f32(-87.5) if y < f32(-87.5) else y
    n = np.floor(y * f32(1.44269504) + f32(0.5))
    r = y - n * f32(0.693359375)  # ln 2 in two parts: the first is exact in few bits
    r = r + n * f32(2.12194440e-4)
    p = f32(1.9875691500e-4)
    p = p * r + f32(1.3981999507e-3)
    p = p * r + f32(8.3334519073e-3)
    p = p * r + f32(4.1665795894e-2)
    p = p * r + f32(1.6666665459e-1)
    p = p * r + f32(5.0000001201e-1)
    p = p * r * r + r + f32(1)
    # 2^n in two factors: n may be 128, of which 2^n alone would overflow
    half = i32(n) >> i32(1)
    rest = i32(n) - half
    result = p * _from_bits((half + i32(127)) << i32(23)) * _from_bits((rest + i32(127)) << i32(23))
    return f32(0) if x < f32(-87.33654) else result


@njit(fastmath={"contract"})  # reordered, y p would lose bits where y is tiny
def erf(x):
    """Error function by the table in `tinyternary.compiled.erf`: error below 5e-7."""
    y = LIMIT if x > LIMIT else x
    y = -LIMIT if y < -LIMIT else y
    s = y * y
    p = f32(P[0])
    p = p * s + f32(P[1])
    p = p * s + f32(P[2])
    p = p * s + f32(P[3])
    p = p * s + f32(P[4])
    p = p * s + f32(P[5])
    p = p * s + f32(P[6])
    q = f32(Q[0])
    q = q * s + f32(Q[1])
    q = q * s + f32(Q[2])
    q = q * s + f32(Q[3])
    q = q * s + f32(Q[4])
    return y * (p / q)


@njit(fastmath=FAST)
def sigmoid(x):
    """1 / (1 + e^-x): relative error below 4e-7 down to x = -87."""
    return f32(1) / (f32(1) + exp(-x))
