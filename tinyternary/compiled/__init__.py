"""Compiled float kernels, each beside the plain NumPy code that it must equal.

Softmax, norms, GELU, attention and the like, on plain arrays: the autograd
engine trains with them and the inference engine runs on them.
``TINYTERNARY_JIT=0`` in the environment leaves Numba out altogether: every
function then runs its NumPy reference, with the same results to rounding.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
