"""Layers of a Vision Transformer, and the losses that train one (lessons 03 and 05)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
