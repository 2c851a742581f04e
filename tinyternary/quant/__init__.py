"""Ternary weights and small activations: rules, straight-through estimators, BitLinear.

Plain NumPy quantisers (`absmean`, `twn`, ...) come first; lesson 01 builds them.
`ternarize` puts them into a model as `BitLinear` layers (lesson 06).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
