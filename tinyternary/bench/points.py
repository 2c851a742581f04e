"""A benchmark on its way: point by point, so that what was measured outlives what was not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol


class Watch(Protocol):
    """Whoever follows a benchmark: draws a bar, writes what there is."""

    def __call__(self, done: int, total: int, label: str, result: dict[str, Any]) -> None:
        """Take note that `done` of `total` points are in `result`, and `label` is next."""


Point = tuple[str, Callable[[], None]]
"""What is measured, in words, and the function that adds it to the result."""


def measure(
    points: Sequence[Point], result: dict[str, Any], watch: Watch | None = None
) -> dict[str, Any]:
    """Measure one point after another.

    Parameters
    ----------
    points : sequence of (str, callable)
    result : dict
        What the points add to; ``complete`` is false until all have.
    watch : Watch, optional
        Called before each point and after the last.

    Returns
    -------
    dict
        `result`.
    """
    result["complete"] = False
    for done, (label, point) in enumerate(points):
        if watch is not None:
            watch(done, len(points), label, result)
        point()
    result["complete"] = True
    if watch is not None:
        watch(len(points), len(points), "", result)
    return result
