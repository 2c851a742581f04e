"""Reverse-mode differentiation of NumPy arrays (lesson 02).

A `Tensor` remembers the `Function` that made it; ``backward`` walks the graph
from the result to the leaves. Nothing here knows what a neural network is.
"""

import lazy_loader

from tinyternary.autograd import tensor as _tensor  # noqa: F401 - operators before operations

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
