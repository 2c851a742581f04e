"""What a handful of seeds says about a recipe: mean, deviation, t-interval (lesson 11).

A seed changes weights, order of the images and augmentation, and nothing else: these
intervals say how far another seed could lie, not how far other test images would.
The latter is what the bootstrap of `intervals` is for (both sources of variance: Bouthillier
et al., "Accounting for variance in machine learning benchmarks", MLSys 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyternary.errors import ConfigError


def over_seeds(values: Sequence[float | None], level: float = 0.95) -> dict[str, Any]:
    """Summarise one number per seed.

    Parameters
    ----------
    values : sequence of float or None
        One per seed, at least one; a seed for which it is undefined is left out.
    level : float
        Coverage of the interval.

    Returns
    -------
    dict
        ``mean``; ``std`` (n - 1; 0 for one seed); ``interval``: mean -+ t s / sqrt(n)
        with Student's t of n - 1 degrees of freedom ("The probable error of a mean",
        Biometrika 1908), None for one seed; ``n``: seeds that count. Without any, all are
        None but ``n``.

    Raises
    ------
    ConfigError
        If there are no values, or `level` is no share.
    """
    if not len(values) or not 0 < level < 1:
        raise ConfigError(
            f"seeds: expected values and a level in (0, 1), got {len(values)} and {level}"
        )
    x = np.asarray(values, np.float64)  # NaN for None
    x = x[np.isfinite(x)]
    if not len(x):
        return {"mean": None, "std": None, "interval": None, "n": 0}
    mean = float(x.mean())
    if len(x) == 1:
        return {"mean": mean, "std": 0.0, "interval": None, "n": 1}
    from scipy.stats import t

    deviation = float(x.std(ddof=1))
    half = float(t.ppf(0.5 + level / 2, len(x) - 1)) * deviation / len(x) ** 0.5
    return {"mean": mean, "std": deviation, "interval": [mean - half, mean + half], "n": len(x)}


def shown(value: float | None, style: str = ".4f") -> str:
    """Give a number of a table as text; what is undefined is a dash."""
    return "-" if value is None else f"{value:{style}}"
