"""Measurements against the peers that people would use instead; never run by the tests' clock.

Each function is a command of `tinyternary bench` and returns what that prints with ``--json``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
