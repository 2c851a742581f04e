"""tinyternary: a ternary Vision Transformer from nothing but NumPy.

``import tinyternary as tt`` is quick: each part is loaded when it is first
used, so that neither Numba nor matplotlib costs anything until needed.
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
