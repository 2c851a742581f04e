"""Training: fit, distil, evaluate; optimisers, schedules, checkpoints, metrics, recipes.

Lesson 03 builds the loop, lesson 07 distillation.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
