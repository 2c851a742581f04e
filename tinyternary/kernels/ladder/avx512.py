"""Rung 12 of 15: the dot-product instruction, `vpdpbusd`, on 512 bits.

What it adds: twice the width, and twice as many registers, for a tile of 4 rows x 64 outputs. Each
vector of codes is decoded by a shift and a mask for four dot products; one row of activations,
which has no second product to share that with, masks codes where they stand (`simd.gemv`).
Bytes per MAC: 0.25 / 4 and 1 / 64. Operations per MAC: 1 / 64.
How fast that should be: two such instructions a cycle (Zen 5) do 128 MAC. It was 124 at M, K, N =
64, 512, 2048: the dot-product unit is the limit, and more speed takes fewer products.
(lesson 08_packing_and_kernels)
"""

from tinyternary.kernels.simd.rung import SimdRung
from tinyternary.kernels.simd.targets import AVX512

rung = SimdRung(AVX512)
