"""The Vision Transformer, its presets, and pretrained weights (lesson 05)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
