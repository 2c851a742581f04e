"""What happened in each epoch, as rows that a table or a figure can take (lesson 03)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyternary.brief import Brief
from tinyternary.errors import CheckpointError, unknown_name
from tinyternary.strict_json import plain_data
from tinyternary.text import quoted
from tinyternary.train.checkpoints import read_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = (
    "epoch", "step", "lr", "train_loss", "val_loss", "val_acc", "val_auc", "seconds",
)  # fmt: skip


@dataclass(repr=False)
class History(Brief):
    """Per-epoch rows.

    Attributes
    ----------
    rows : list of dict
        Each has `epoch` (from 1), `step` (optimiser steps so far), `lr` (of the
        epoch's last step), `train_loss` (mean), `val_loss`, `val_acc`, `val_auc`
        (None without validation images, the AUC also without images of two classes)
        and `seconds`.
    best_epoch : int
        Epoch with the best monitored value; 0 before any.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __getitem__(self, column: str) -> list[Any]:
        """One column as a list, oldest first."""
        return self.column(column)

    def column(self, name: str) -> list[Any]:
        """One column as a list, oldest first.

        Raises
        ------
        ConfigError
            If no row has such a column.
        """
        known = {key: None for row in self.rows for key in row} or dict.fromkeys(COLUMNS)
        if name not in known:
            raise unknown_name("history column", name, known)
        return [row.get(name) for row in self.rows]

    def append(self, row: Mapping[str, Any]) -> None:
        """Add an epoch's row; what is no number (NaN) is None, as it will be in the file."""
        self.rows.append(plain_data(row))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, read back by `from_dict`."""
        return {"rows": self.rows, "best_epoch": self.best_epoch}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> History:
        """Rebuild from what `to_dict` gave."""
        return cls([dict(row) for row in fields["rows"]], int(fields["best_epoch"]))

    @classmethod
    def read(cls, path: str | Path) -> History:
        """Read the `history.json` of a run folder.

        Raises
        ------
        CheckpointError
            If it is missing or not a history.
        """
        found = read_json(path)
        try:
            return cls.from_dict(found)
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{path}: not a training history ({quoted(str(error))})"
            ) from None

    def plot(self, *, metric: str = "val_acc") -> Figure:
        """Draw losses and a validation metric by epoch; a notebook shows the figure.

        Parameters
        ----------
        metric : str
            Column of the right panel.

        Returns
        -------
        matplotlib.figure.Figure
        """
        # the one look upwards in the package, and only when a figure is asked for
        from tinyternary.report.curves import training_curves

        return training_curves({"run": self}, metric=metric)

    def table(self, columns: Iterable[str] = COLUMNS) -> str:
        """Rows as aligned text, for a terminal or a notebook."""
        names = list(columns)
        cells = [names] + [[_cell(row.get(name)) for name in names] for row in self.rows]
        widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
        return "\n".join(
            "  ".join(text.rjust(width) for text, width in zip(line, widths)) for line in cells
        )


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
