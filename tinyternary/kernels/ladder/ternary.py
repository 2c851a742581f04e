"""Rung 14 of 15: ternary activations as well: XOR, AND and popcount on two planes each.

What it adds: activations of -1, 0 and +1, which the caller must be able to afford: the end
task pays in accuracy. Then 64 products are two logic operations, two counts and two additions,
whatever the width of a vector multiplies.
Bytes per MAC: 0.25 for W and 0.25 for x. Operations per MAC: 6 / 512 on 512-bit vectors.
How fast that should be: with two popcounts and four vector operations a cycle, 512 MAC in
1.5 cycles: 340 MAC per cycle, where the peak of the int8 dot product is 128. It was 270 to 310, the
more the longer K: emptying and storing sums is the rest. Whole layers, floats in and out, reached
240 to 260.
(lesson 08_packing_and_kernels)
"""

from tinyternary.kernels.simd.rung import SimdRung
from tinyternary.kernels.simd.targets import TERNARY

rung = SimdRung(TERNARY)
