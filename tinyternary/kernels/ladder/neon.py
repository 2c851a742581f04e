"""Rung 8 of 15: Arm's dot product, `sdot`, on 128 bits.

What it adds: one instruction that multiplies sixteen bytes and adds four at a time into 32 bits.
The loop is that of rung 6 with a tile of 4 rows x 16 outputs.
Bytes per MAC: 0.25 / 4 and 1 / 16. Operations per MAC: 1 / 16, and a shift and a mask for four of
them.
How fast that should be: 16 MAC for each `sdot` that a core starts in a cycle, which is one to four
of them. Not measured: the tests run it on an emulated processor, which has no clock.
(lesson 08_packing_and_kernels)
"""

from tinyternary.kernels.simd.rung import SimdRung
from tinyternary.kernels.simd.targets import NEON

rung = SimdRung(NEON)
