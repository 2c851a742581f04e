"""Ternary matrices in real bytes, and the products that run on them.

`pack` makes a `PackedTernary` from trits; `matmul` and `linear` multiply by it with the
fastest kernel that this processor runs; `backends` lists the ladder of kernels. This layer
knows arrays only. (lesson 08_packing_and_kernels)
"""

from tinyternary.jit.threads import get_threads, set_threads
from tinyternary.kernels.dispatch import Backend, backends
from tinyternary.kernels.layer import TernaryLinear
from tinyternary.kernels.packed import PackedTernary, pack
from tinyternary.kernels.products import linear, matmul
from tinyternary.kernels.warming import warmup

__all__ = [
    "Backend",
    "PackedTernary",
    "TernaryLinear",
    "backends",
    "get_threads",
    "linear",
    "matmul",
    "pack",
    "set_threads",
    "warmup",
]
