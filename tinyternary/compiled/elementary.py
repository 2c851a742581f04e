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
    """Error function, by a rational minimax approximation on [-4, 4]: error below 5e-7.

    Beyond 4 it is 1 to float32. Source of the coefficients: Eigen, `perf` for floats.
    """
    y = f32(4) if x > f32(4) else x
    y = f32(-4) if y < f32(-4) else y
    s = y * y
    p = f32(-2.72614225801306e-10)
    p = p * s + f32(2.77068142495902e-08)
    p = p * s + f32(-2.10102402082508e-06)
    p = p * s + f32(-5.69250639462346e-05)
    p = p * s + f32(-7.34990630326855e-04)
    p = p * s + f32(-2.95459980854025e-03)
    p = p * s + f32(-1.60960333262415e-02)
    q = f32(-1.45660718464996e-05)
    q = q * s + f32(-2.13374055278905e-04)
    q = q * s + f32(-1.68282697438203e-03)
    q = q * s + f32(-7.37332916720468e-03)
    q = q * s + f32(-1.42647390514189e-02)
    return y * (p / q)


@njit(fastmath=FAST)
def sigmoid(x):
    """1 / (1 + e^-x): relative error below 4e-7 down to x = -87."""
    return f32(1) / (f32(1) + exp(-x))
