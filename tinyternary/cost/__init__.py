"""What a network costs: operations, bytes and energy, from a description alone (lesson 09).

Counts (parameters, bytes stored, MACs, operations) are exact and checked against other
tools; traffic, energy and time bounds are modelled, from constants with sources and
ranges, and say so. Nothing here is timed.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
