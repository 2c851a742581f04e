"""One bar for a whole run: loss, validation metric, images per second, time left."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from tqdm import tqdm


class ProgressBar:
    """A bar over all steps of a run.

    Parameters
    ----------
    total : int
        Steps in all.
    done : int
        Steps done before (a resumed run).
    label : str
        What is running.
    shown : bool
        False draws nothing.
    """

    def __init__(self, total: int, done: int, label: str, shown: bool) -> None:
        self._bar: Any = tqdm(
            total=total, initial=done, desc=label, disable=not shown, unit="step",
            dynamic_ncols=True, mininterval=0.25, leave=True,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} "
            "[{elapsed}<{remaining}{postfix}]",
        )  # fmt: skip
        self._shown = shown
        self._start = time.perf_counter()
        self._images, self._loss = 0, float("nan")
        self.metric: dict[str, str] = {}

    def step(self, loss: float, images: int) -> None:
        """Count one step; the loss shown is a running mean."""
        self._images += images
        self._loss = loss if self._loss != self._loss else 0.95 * self._loss + 0.05 * loss
        if self._shown:
            rate = self._images / max(time.perf_counter() - self._start, 1e-9)
            shown = {"loss": f"{self._loss:.3f}", **self.metric, "img/s": f"{rate:.0f}"}
            self._bar.set_postfix(shown, refresh=False)
            self._bar.update(1)

    def epoch(self, row: dict[str, Any]) -> None:
        """Show the validation numbers of an epoch's row."""
        self.metric = {"epoch": str(row["epoch"])}
        for name in ("val_acc", "val_auc"):
            if row.get(name) is not None:
                self.metric[name] = f"{row[name]:.3f}"

    def note(self, message: str) -> None:
        """Write a line above the bar."""
        if self._shown:
            self._bar.write(message, file=sys.stderr)

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
