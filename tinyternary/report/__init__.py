"""Figures and the HTML report: the only part of tinyternary that imports matplotlib.

Every figure function takes plain data, returns a `matplotlib.figure.Figure` and
needs no display; `save` writes one to a file, `tinyternary.report.style` holds
the colours and fonts that all of them share.
"""
