"""Training histories as figures: loss and validation metric by epoch (lesson 03)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.figure import Figure

from tinyternary.report.style import (
    FLOAT,
    MUTED,
    SERIES,
    TERNARY,
    grid_behind,
    new_figure,
    styled,
)

_COLORS = {"teacher": FLOAT, "student": TERNARY, "float": FLOAT, "ternary": TERNARY}
_TITLES = {
    "val_acc": "Validation accuracy",
    "val_auc": "Validation AUC",
    "val_loss": "Validation loss, nats",
    "lr": "Learning rate",
}

Rows = Iterable[Mapping[str, Any]]


def training_curves(histories: Mapping[str, Rows], *, metric: str = "val_acc") -> Figure:
    """Draw the loss and a validation metric of one or more runs by epoch.

    Parameters
    ----------
    histories : mapping of str to rows
        Name of the run to its history (`tinyternary.train.History`, or a list of
        rows with `epoch`, `train_loss`, `val_loss` and the metric).
    metric : str
        Column of the right panel.

    Returns
    -------
    Figure
        Left: training loss (line) and validation loss (dashed). Right: the metric;
        a ring marks the best epoch. A distilled student's training loss holds the
        distillation terms too, so that it does not compare with its validation loss.
    """
    kept = {name: [dict(row) for row in rows] for name, rows in histories.items()}
    with styled():
        figure, (left, right) = new_figure(8.0, 3.2, 1, 2)
        for place, (name, rows) in enumerate(kept.items()):
            color = _COLORS.get(name, SERIES[place % len(SERIES)])
            epochs = [row["epoch"] for row in rows]
            left.plot(epochs, [row["train_loss"] for row in rows], color=color, label=name)
            _plot(left, rows, "val_loss", color=color, linestyle="--", linewidth=1.2)
            found = _plot(right, rows, metric, color=color, label=name)
            if found:
                sign = -1.0 if metric == "val_loss" else 1.0
                epoch, value = max(found, key=lambda pair: sign * pair[1])
                right.plot(
                    [epoch], [value], "o", color=color, markersize=7, markerfacecolor="white"
                )
                right.annotate(
                    f"{value:.3f}",
                    (epoch, value),
                    (0, -13),
                    color=color,
                    fontsize=8,
                    ha="center",
                    textcoords="offset points",
                )
        left.set_title("Loss (validation dashed)")
        right.set_title(_TITLES.get(metric, metric))
        for axes in (left, right):
            axes.set_xlabel("epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
            grid_behind(axes)
        if any(kept.values()):
            left.legend(loc="upper right")
        else:
            left.text(0.5, 0.5, "no epochs yet", transform=left.transAxes, ha="center", color=MUTED)
    return figure


def _plot(axes: Any, rows: list[dict[str, Any]], column: str, **style: Any) -> list[Any]:
    """Draw a column where it has values; gives the (epoch, value) pairs drawn."""
    pairs = [(row["epoch"], row[column]) for row in rows if row.get(column) is not None]
    if pairs:
        axes.plot([epoch for epoch, _ in pairs], [value for _, value in pairs], **style)
    return pairs


def schedule_curve(lr: Iterable[float], *, title: str = "Learning rate by step") -> Figure:
    """Draw a learning-rate schedule.

    Parameters
    ----------
    lr : iterable of float
        Learning rate of each step: ``map(schedule, range(schedule.total))``.
    title : str
    """
    with styled():
        figure, axes = new_figure(5.0, 2.6)
        axes.plot(list(lr), color=TERNARY)
        axes.set_title(title)
        axes.set_xlabel("step")
        grid_behind(axes)
    return figure
