"""Numba's types of what loops take: ranges, rows and lines of float32."""

import numpy as np
from numba import types

I, F, void = types.int64, types.float32, types.void  # noqa: E741 - Numba's own letters
IN = types.Array(types.float32, 2, "C", readonly=True)
IN1 = types.Array(types.float32, 1, "C", readonly=True)
MAT = types.Array(types.float32, 2, "C")
VEC = types.Array(types.float32, 1, "C")
f32 = np.float32
