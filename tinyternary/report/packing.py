"""From latent weights to trits to bytes, on one corner of a real weight matrix."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tinyternary.report.style import INK, MUTED, TRIT_COLORS, new_figure, styled

ROWS, COLUMNS = 12, 24
"""Size of the corner that is shown; four columns make one byte."""


def latent_to_bytes(
    latent: NDArray[np.float32], trits: NDArray[np.int8], codes: NDArray[np.uint8], *, name: str
) -> Figure:
    """Draw a corner of a weight matrix three times: as floats, as trits, as bytes.

    Parameters
    ----------
    latent : (N, K) float32
    trits : (N, K) int8
    codes : (N, ceil(K / 4)) uint8
        The packed matrix in plain order, four trits a byte.
    name : str
        Layer name, for the title.
    """
    floats = latent[:ROWS, :COLUMNS]
    signs = trits[:ROWS, :COLUMNS]
    packed = codes[:ROWS, : COLUMNS // 4]
    with styled():
        figure, (left, middle, right) = new_figure(
            12.0, 3.3, 1, 3, width_ratios=(COLUMNS, COLUMNS, COLUMNS * 0.62)
        )
        limit = float(np.abs(floats).max())
        left.imshow(floats, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
        left.set_title("latent weights: what the optimiser updates")
        left.set_xlabel(f"float32, {floats.size * 4:,} bytes")
        middle.imshow(
            signs, cmap=ListedColormap(list(TRIT_COLORS.values())), vmin=-1, vmax=1, aspect="auto"
        )
        middle.set_title("trits: what the network computes with")
        middle.set_xlabel("−1 blue, 0 grey, +1 orange")
        for edge in range(4, COLUMNS, 4):
            middle.axvline(edge - 0.5, color="white", linewidth=1.6)
        right.set(xlim=(-0.5, packed.shape[1] - 0.5), ylim=(ROWS - 0.5, -0.5))
        for (row, column), byte in np.ndenumerate(packed):
            right.text(
                column,
                row,
                f"{byte:02x}",
                ha="center",
                va="center",
                fontsize=9,
                family="monospace",
                color=INK,
            )
        right.set_title("bytes: four trits each")
        right.set_xlabel(f"{packed.size} bytes, {floats.size * 4 / packed.size:.0f}x less")
        for ax in (left, middle, right):
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        figure.suptitle(
            f"{name}, a corner of {ROWS} x {COLUMNS} weights",
            x=0.01,
            ha="left",
            fontsize=9,
            color=MUTED,
        )
    return figure
