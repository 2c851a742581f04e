"""One look for every figure: colours with meanings, fonts, and how a figure becomes a file."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tinyternary.errors import CheckpointError
from tinyternary.files import replace_content
from tinyternary.text import USE

INK = "#1f2933"
MUTED = "#7b8794"
GRID = "#e4e7eb"

FLOAT = "#64748b"
"""Whatever is float: the teacher, float32 bars."""
TERNARY = "#0f8b8d"
"""Whatever is ternary: the student, packed bars."""
ACCENT = "#d9622b"
"""The one thing a figure wants to point at: a threshold, a limit."""

TRIT_COLORS = {-1: "#3b6fb6", 0: "#c3cad3", 1: "#d9622b"}
"""Colours of the trits -1, 0 and +1."""

SERIES = ("#0f8b8d", "#d9622b", "#3b6fb6", "#8a5fb0", "#b8860b", "#64748b", "#4f9d54", "#c2416b")
"""Colours for series without a meaning of their own, in order of use."""

SYNTHETIC_NOTE = "synthetic phantoms, not patients"
CLINICAL_NOTE = USE[0].lower() + USE[1:-1]

RC: Any = {
    "figure.facecolor": "white",
    "figure.dpi": 110,
    "savefig.dpi": 150,
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=SERIES),
    "grid.color": GRID,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.fonttype": "path",
}


@contextmanager
def styled() -> Iterator[None]:
    """Apply the project's look inside a ``with`` block, and nowhere else."""
    with matplotlib.rc_context(RC):
        yield


def new_figure(
    width: float = 7.0, height: float = 3.6, rows: int = 1, columns: int = 1, **subplots: Any
) -> tuple[Figure, Any]:
    """Make a figure without a display.

    Parameters
    ----------
    width, height : float
        Inches.
    rows, columns : int
        Grid of axes.
    **subplots
        Passed on to `Figure.subplots`.

    Returns
    -------
    (Figure, Axes or array of Axes)
        To be drawn on inside `styled`.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **subplots)


def grid_behind(axes: Axes, axis: str = "y") -> None:
    """Draw light grid lines behind the data along one axis ("x", "y" or "both")."""
    axes.grid(True, axis=axis, linewidth=0.8)  # type: ignore[arg-type]


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure; the suffix (.png, .svg, .pdf) says how.

    Raises
    ------
    CheckpointError
        If it cannot be written.
    """
    path, content = Path(path), io.BytesIO()
    with styled():
        figure.savefig(content, format=path.suffix[1:] or None)
    replace_content(path, content.getvalue(), CheckpointError)
    return path


def data_uri(figure: Figure) -> str:
    """Return a figure as the address of an embedded SVG image, for a page that needs no files."""
    buffer = io.BytesIO()
    # a fixed salt and no date: the same figure gives the same bytes
    with matplotlib.rc_context({**RC, "svg.hashsalt": "tinyternary"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
