"""Ternary matrices in real bytes, and the products that run on them.

`pack` makes a `PackedTernary` from trits; `matmul` and `linear` multiply by it with the
fastest kernel that this processor runs; `backends` lists the ladder of kernels. This layer
knows arrays only. (lesson 08_packing_and_kernels)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
