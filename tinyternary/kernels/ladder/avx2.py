"""Rung 9 of 15: pair sums in 16 bits, `vpmaddubsw`, on 256 bits.

What it adds: an instruction that multiplies 32 unsigned codes by signed activations and adds
neighbours in 16 bits. Sums are emptied into 32 bits every 256 inputs: 16 blocks of four pairs of
2 * 2 * 128 stay below 2^15.
Bytes per MAC: 0.25 / 4 and 1 / 16. Operations per MAC: (1 product + 1 addition) / 32.
How fast that should be: 32 MAC per addition, two of which start in a cycle: 64, less what emptying
and decoding take. It was 46.
(lesson 08_packing_and_kernels)
"""

from tinyternary.kernels.simd.rung import SimdRung
from tinyternary.kernels.simd.targets import AVX2

rung = SimdRung(AVX2)
