"""Compiled twins of operations: the same mathematics, fast (lesson 08).

Every operation is written in NumPy where it is read: in `tinyternary.autograd.ops`,
`tinyternary.quant`, the inference engine. A file of this package holds the twin of one
of them, its loop, forward and backward; `twins` finds it by the operation's name.
``TINYTERNARY_JIT=0`` in the environment leaves Numba out altogether: no twin is found,
and NumPy gives the same results to rounding.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
