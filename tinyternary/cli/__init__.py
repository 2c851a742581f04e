"""The command `tinyternary`: thin commands over the library, one file a group.

Every command ends with status 0, with 1 when the job failed and with 2 when it
was asked for wrongly; both failures say in one line what to do.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
