"""Arrays to train on: embedded phantoms, MedMNIST files, augmentation, corruptions, batches.

Knows nothing of gradients or networks; everything here is NumPy in, NumPy out.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
