"""From a trained model to a file that runs: pack, packed file, engine, ONNX (lesson 10).

Each name is loaded when it is first used: the engine (`load`) needs NumPy, the
kernels and nothing of the training side, and importing it imports nothing else.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
