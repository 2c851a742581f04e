"""Which class was taken for which."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tinyternary.report.style import INK, TERNARY, new_figure, styled

_MAP = LinearSegmentedColormap.from_list("ternary", ["#ffffff", TERNARY])


def confusion_matrix(
    counts: NDArray[np.int64], class_names: Sequence[str], *, title: str
) -> Figure:
    """Draw a confusion matrix: rows are true classes, shades are shares of the row.

    Parameters
    ----------
    counts : (C, C) int64
        ``counts[i, j]`` images of class i were called j.
    class_names : sequence of C str
    title : str
    """
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    names = [textwrap.fill(name.replace("(", " ("), 22) for name in class_names]
    # one line each below the columns, where lines of neighbours would run into each other
    short = [textwrap.shorten(name.split("(")[0], 24, placeholder="…") for name in class_names]
    size = len(names)
    with styled():
        figure, ax = new_figure(2.6 + 0.62 * size, 1.5 + 0.52 * size)
        ax.imshow(shares, cmap=_MAP, vmin=0, vmax=1)
        for i in range(size):
            for j in range(size):
                if counts[i, j]:
                    ax.text(
                        j,
                        i,
                        str(counts[i, j]),
                        ha="center",
                        va="center",
                        fontsize=9,
                        color="white" if shares[i, j] > 0.6 else INK,
                    )
        ax.set_xticks(
            range(size), short, rotation=35, ha="right", rotation_mode="anchor", fontsize=8
        )
        ax.set_yticks(range(size), names, fontsize=8)
        ax.set(title=title, xlabel="predicted", ylabel="true")
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
    return figure
