"""Teacher beside student, one small bar chart a quantity."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from tinyternary.report.style import FLOAT, INK, MUTED, TERNARY, new_figure, styled


@dataclass(frozen=True)
class Pair:
    """One quantity of both networks, and an optional range about each value.

    Attributes
    ----------
    title : str
        What is compared, with its unit.
    teacher, student : float
    teacher_range, student_range : (float, float), optional
        Lowest and highest value.
    style : str
        Format of the number above a bar.
    """

    title: str
    teacher: float
    student: float
    teacher_range: tuple[float, float] | None = None
    student_range: tuple[float, float] | None = None
    style: str = ",.0f"


def pair_bars(pairs: Sequence[Pair], *, note: str = "") -> Figure:
    """Draw one panel per quantity, float teacher beside ternary student."""
    with styled():
        figure, axes = new_figure(2.8 * len(pairs), 3.3, 1, len(pairs), squeeze=False)
        for ax, pair in zip(axes[0], pairs):
            for x, value, spread, color in (
                (0, pair.teacher, pair.teacher_range, FLOAT),
                (1, pair.student, pair.student_range, TERNARY),
            ):
                ax.bar(x, value, color=color, width=0.62)
                if spread is not None:
                    low, high = value - spread[0], spread[1] - value
                    ax.errorbar(x, value, [[low], [high]], color=INK, capsize=3, linewidth=1)
                top = value if spread is None else spread[1]
                ax.annotate(
                    format(value, pair.style),
                    (x, top),
                    (0, 3),
                    ha="center",
                    fontsize=9,
                    textcoords="offset points",
                )
            ax.set_title(textwrap.fill(pair.title, 24), fontsize=10)
            ax.set_xticks([0, 1], ["teacher\nfloat32", f"student\nternary ({_ratio(pair)})"])
            ax.tick_params(axis="x", length=0, labelsize=8)
            ax.set_yticks([])
            ax.spines["left"].set_visible(False)
            ax.margins(y=0.15)
        if note:
            figure.supxlabel(note, fontsize=8, color=MUTED)
    return figure


def _ratio(pair: Pair) -> str:
    """Say how many times less the student takes, or more, where it does."""
    if pair.student <= pair.teacher:
        return f"{pair.teacher / pair.student:.1f}x less" if pair.student else "nothing"
    return f"{pair.student / pair.teacher:.1f}x more"
