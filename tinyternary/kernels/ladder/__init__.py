"""The ladder of ternary matrix products, slowest rung first (lesson 08_packing_and_kernels).

Every rung is a module with ``prepare(trits) -> layout``, called once per matrix, and
``matmul(x, layout, out)``, which fills ``out`` (M, N) int32 with x W^T, bit for bit what
`tinyternary.kernels.reference.matmul` gives.
"""
