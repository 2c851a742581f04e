"""Rung 11 of 15: five trits in a byte, 1.6 bits each, unpacked by tables in registers.

What it adds: a fifth of the bytes less. `vpermi2b` looks 64 bytes up, two lookups for 320 trits;
a panel of 2-bit codes stays in the first-level cache for all rows (`simd.five` has the account).
Bytes per MAC: 0.2 / M for W, and 0.25 / 4 from the cache. Operations per MAC: 1 / 64, 5 / 320 M.
How fast that should be: 0.99 of rung 12, `avx512`, at 64 rows, whose work it does. It was 0.97 to
0.99 of it, at 256 rows 0.95 to 1.00, and 0.6 to 0.7 at one row. (lesson 08_packing_and_kernels)
"""

from tinyternary.kernels.simd.rung import SimdRung
from tinyternary.kernels.simd.targets import FIVE

rung = SimdRung(FIVE)
