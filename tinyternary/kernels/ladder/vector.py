"""Rung 6 of 15: register tiles in portable vector instructions.

What it adds: codes interleaved so that one wide load feeds many outputs (`simd.layout`), and a tile
of 4 rows x 4 outputs whose sums stay in registers (`simd.gemm`): a decoded vector of codes serves
four rows. Written as vector IR, from which LLVM makes the instructions of any processor: products
in 16 bits, emptied into 32 before they can overflow.
Bytes per MAC: 0.25 / 4 for the codes, 1 / 4 for the activations. Operations per MAC: two
widenings, a multiplication and an addition on 16 lanes.
How fast that should be: what a vector of 128 bits does, 8 to 16 MAC per cycle. It was 15: as fast
as float BLAS, on a sixteenth of its bytes.
(lesson 08_packing_and_kernels)
"""

from tinyternary.kernels.simd.rung import SimdRung
from tinyternary.kernels.simd.targets import VECTOR

rung = SimdRung(VECTOR)
