"""What answers are worth: metrics, intervals, calibration, thresholds, maps (lessons 03, 11)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
