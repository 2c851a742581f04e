"""The ladder of ternary matrix products, slowest rung first (lesson 08_packing_and_kernels).

A rung is a backend, seen by its place; a file is one rung, whole from idea to measured speed:

1. `naive`: loops over trits, add or subtract or skip;
2. `packed`: the same loops on 2-bit codes;
3. `lookup`: tables of sums that pairs of trits index;
4. `tile`: rows unpacked to int8, a loop that the compiler vectorises;
5. `blas`: NumPy's float BLAS on unpacked trits, which needs no compiler;
6. `vector`: register tiles in portable vector instructions;
7. `planes`: bit planes of weights and activations, popcount;
8. `neon`: Arm's dot product, 128 bits;
9. `avx2`: pair sums in 16 bits, 256 bits;
10. `avxvnni`: the dot-product instruction, 256 bits;
11. `five`: five trits in a byte, unpacked by tables in registers;
12. `avx512`: the dot-product instruction, 512 bits;
13. `lookup7`: tables in registers, for 7-bit activations;
14. `ternary`: ternary activations, AND, XOR and popcount;
15. `cuda`: codes on a graphics processor, two rows in one multiplication.

The order is that of `tinyternary.kernels.backends()`. Every rung has ``prepare(trits) -> layout``,
called once per matrix, and ``matmul(x, layout, out)``, which fills ``out`` (M, N) int32 with
x W^T, bit for bit what `tinyternary.kernels.reference.matmul` gives. The vector rungs name their
micro-kernel in `tinyternary.kernels.simd`.
"""
