"""Recipes, and what is done with them: reproduce, ablate, cross-validate, sweep (lesson 12)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
