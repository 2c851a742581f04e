"""Figures and the HTML report: the only part of tinyternary that imports matplotlib.

Every figure function takes plain data, returns a `matplotlib.figure.Figure` and
needs no display; `save` writes one to a file, `tinyternary.report.style` holds
the colors and fonts that all of them share.
"""

import lazy_loader

from tinyternary.places import give_matplotlib_a_folder

give_matplotlib_a_folder()  # before anything here loads it

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
