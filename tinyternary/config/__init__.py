"""What a network is, as plain data: no arrays, no arithmetic, no NumPy engine.

The models build themselves from a `ViTConfig`, the cost model counts one, the
packed file carries one and the inference engine runs one: all read it here.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
