"""Rung 10 of 15: the dot-product instruction, `vpdpbusd`, on 256 bits.

What it adds: four products and the addition into 32 bits in one instruction. Nothing to empty.
Bytes per MAC: 0.25 / 4 and 1 / 16. Operations per MAC: 1 / 32.
How fast that should be: two such instructions a cycle do 64 MAC. It was 55.
(lesson 08_packing_and_kernels)
"""

from tinyternary.kernels.simd.rung import SimdRung
from tinyternary.kernels.simd.targets import AVXVNNI

rung = SimdRung(AVXVNNI)
