"""Rung 13 of 15: tables of sums in registers, for activations of seven bits.

What it adds: rung 3's idea where a table costs nothing to read: four tables of 16 sums fill a
register, one byte permutation, `vpermb`, looks 64 of them up, and a dot product with ones adds
neighbours. A sum of two activations has to fit int8, hence |x| <= 63. Rows that do not fill a tile
of eight are rung 12's.
Bytes per MAC: 0.25 / 8 for the codes, and 2 / 4 for tables in the first-level cache. Operations per
MAC: 2 / 128.
How fast that should be: 128 MAC for two instructions of which three start in a cycle: 192. Whole
layers reached 1.19 to 1.22 times the peak of rung 12; `simd.tables` has the account.
(lesson 08_packing_and_kernels)
"""

from tinyternary.kernels.simd.rung import SimdRung
from tinyternary.kernels.simd.targets import LOOKUP7

rung = SimdRung(LOOKUP7)
