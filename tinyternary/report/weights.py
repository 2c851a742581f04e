"""Latent weights, the threshold that cuts them, the trits and the bytes that come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tinyternary.report.style import (
    ACCENT,
    INK,
    MUTED,
    TRIT_COLORS,
    grid_behind,
    new_figure,
    styled,
)

ROWS, COLUMNS = 12, 24
"""Size of the corner that is shown; four columns make one byte."""

TRIT_NAMES = {-1: "−1", 0: "0", 1: "+1"}


def latent_histogram(
    latent: NDArray[np.float32], trits: NDArray[np.int8], scale: float, *, name: str
) -> Figure:
    """Draw the histogram of one layer's latent weights, coloured by the trit each becomes.

    Parameters
    ----------
    latent : (N, K) float32
        The weights that the optimiser updates.
    trits : (N, K) int8
        What they are rounded to.
    scale : float
        The layer's alpha: where the trits -1 and +1 stand on the axis.
    name : str
        Layer name, for the title.
    """
    values, signs = latent.ravel(), trits.ravel()
    limit = float(np.quantile(np.abs(values), 0.999)) * 1.1 or 1.0
    edges = np.linspace(-limit, limit, 121)
    threshold = _threshold(values, signs)
    with styled():
        figure, ax = new_figure(7.0, 3.4)
        for trit, color in TRIT_COLORS.items():
            share = float(np.mean(signs == trit))
            ax.hist(
                values[signs == trit],
                edges,
                color=color,
                label=f"trit {TRIT_NAMES[trit]}: {share:.1%}",
            )
        for side in (-1, 1):
            ax.axvline(side * threshold, color=ACCENT, linestyle="--", linewidth=1.2)
            ax.axvline(side * scale, color=INK, linestyle=":", linewidth=1.2)
        top = ax.get_ylim()[1] * 1.12
        ax.set_ylim(0, top)
        # both names stand to the right of the outermost line, where nothing crosses them
        beside = max(threshold, scale)
        for text, color, drop in (("threshold δ", ACCENT, -4), ("scale α", INK, -18)):
            ax.annotate(
                text,
                (beside, top),
                (5, drop),
                textcoords="offset points",
                va="top",
                color=color,
                fontsize=9,
            )
        ax.set(
            title=f"{name}: latent weights and their trits",
            xlabel="latent weight",
            ylabel="weights",
            xlim=(-limit, limit),
        )
        ax.legend(loc="upper left")
        grid_behind(ax)
    return figure


def _threshold(latent: NDArray[np.float32], trits: NDArray[np.int8]) -> float:
    """Middle of the gap between the largest weight that became 0 and the smallest that did not."""
    size = np.abs(latent)
    zero, kept = size[trits == 0], size[trits != 0]
    below = float(zero.max()) if zero.size else 0.0
    above = float(kept.min()) if kept.size else below
    return (below + above) / 2


def trit_shares(layers: Mapping[str, NDArray[np.int8]]) -> Figure:
    """Draw one stacked bar per layer with its shares of -1, 0 and +1.

    Parameters
    ----------
    layers : mapping of str to (N, K) int8
        Trits by layer name.
    """
    names: Sequence[str] = list(layers)
    with styled():
        figure, ax = new_figure(7.0, 0.8 + 0.22 * len(names))
        left = np.zeros(len(names))
        for trit, color in TRIT_COLORS.items():
            shares = np.array([np.mean(layers[name] == trit) for name in names])
            ax.barh(names, shares, left=left, color=color, height=0.75, label=TRIT_NAMES[trit])
            left += shares
        ax.invert_yaxis()
        ax.tick_params(axis="y", labelsize=8)
        ax.xaxis.set_major_formatter("{x:.0%}")
        ax.set(xlim=(0, 1), title="Shares of the trits, layer by layer")
        ax.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.02 - 0.9 / len(names)))
    return figure


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
