"""What a packed file keeps so that the engine can answer with sets of classes, or "not sure".

    set = all classes whose probability is at least the class's limit

How limits are found on validation images, and what they promise, is the business of
`tinyternary.evaluate.conformal`; the engine reads them from here, and knows nothing of that.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.errors import ConfigError
from tinyternary.text import quoted

COVERAGES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
"""Coverages that a file keeps limits for, unless it is told others."""

MOST_IMAGES = 10**9


@dataclass(frozen=True)
class SetLimits:
    """Limits of prediction sets for some coverages.

    Attributes
    ----------
    coverages : tuple of float
        Rising, in (0, 1): the share of sets that hold the true class.
    images : tuple of int
        Validation images that the limits were found on: one number for each class if each has
        limits of its own, else one in all.
    limits : tuple of tuple of float
        By coverage, each as long as `images`: the least probability in a set, in [0, 1]. 0,
        so that the class is in every set, where there are too few images for the coverage.

    Raises
    ------
    ConfigError
        If the numbers are none of this.
    """

    coverages: tuple[float, ...]
    images: tuple[int, ...]
    limits: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in pairwise((0.0, *self.coverages, 1.0)))
        if not rising or not self.coverages:
            raise ConfigError(
                f"coverages: {quoted(self.coverages)}, expected rising shares in (0, 1)"
            )
        if not self.images or not all(0 <= count <= MOST_IMAGES for count in self.images):
            raise ConfigError(f"images: {quoted(self.images)}, expected counts")
        rows = [len(row) for row in self.limits]
        if rows != [len(self.images)] * len(self.coverages):
            raise ConfigError(
                f"limits: {quoted(rows)} numbers, expected {len(self.images)} for each of "
                f"{len(self.coverages)} coverages"
            )
        for column in zip(*self.limits):
            if not all(a >= b for a, b in pairwise((1.0, *column, 0.0))):
                raise ConfigError("limits: expected numbers in [0, 1] that fall with the coverage")

    def at(self, coverage: float) -> tuple[float, NDArray[np.float64]]:
        """Return the least coverage here that is no less than this one, and its limits.

        Raises
        ------
        ConfigError
            If the coverage is not in (0, 1), or above all that are here.
        """
        if not 0 < coverage <= self.coverages[-1]:
            raise ConfigError(
                f"coverage: {coverage}, expected a share above 0, and at most "
                f"{self.coverages[-1]:g}, which is the highest that the file keeps limits for"
            )
        which = next(i for i, kept in enumerate(self.coverages) if kept >= coverage)
        return self.coverages[which], np.array(self.limits[which])

    def sets(self, probabilities: ArrayLike, coverage: float) -> NDArray[np.bool_]:
        """Return which classes are in the set of each image: (N, C).

        Parameters
        ----------
        probabilities : (N, C)
            As the file's engine states them.
        coverage : float
        """
        return np.asarray(np.asarray(probabilities, np.float64) >= self.at(coverage)[1])

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON types: tuples as lists."""
        found = {name: list(values) for name, values in asdict(self).items()}
        return {**found, "limits": [list(row) for row in self.limits]}
