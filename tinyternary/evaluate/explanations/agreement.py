"""Whether two networks' maps of one image have more in common than maps of any two images.

Maps of different images are alike too: objects lie in the middle, networks have favourite
corners. An agreement means something above that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from tinyternary.errors import ConfigError, ShapeError
from tinyternary.evaluate.intervals import mean_interval

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
_PAIRINGS = 10


def spearman(first: F32, second: F32) -> F64:
    """Rank correlation of two maps of each image; 0 where a map is the same everywhere.

    Parameters
    ----------
    first, second : (N, H, W)

    Returns
    -------
    (N,) float64

    Examples
    --------
    >>> rising = np.arange(4.0).reshape(1, 2, 2)
    >>> spearman(rising, rising**3), spearman(rising, -rising)
    (array([1.]), array([-1.]))
    """
    a, b = (_centred_ranks(each) for each in (first, second))
    norms = np.sqrt((a * a).sum(1) * (b * b).sum(1))
    return np.asarray((a * b).sum(1) / np.where(norms > 0, norms, 1))  # no order: all ranks 0


def _centred_ranks(maps: F32) -> F64:
    ranks = rankdata(maps.reshape(len(maps), -1), axis=1)  # equal values share the mean rank
    return np.asarray(ranks - ranks.mean(axis=1, keepdims=True))


def top_overlap(first: F32, second: F32, share: float = 0.1) -> F64:
    """Share (N,) of the most used pixels of one map that are among those of the other.

    Where values are equal at the edge of the top, each of them counts in part: it is in the top
    with the probability of a draw among them, so that equal values agree on nothing.

    Parameters
    ----------
    first, second : (N, H, W)
    share : float
        Part of the pixels that are called most used; two random maps overlap by as much.
    """
    a, b = (_in_top(each.reshape(len(each), -1), share) for each in (first, second))
    return np.asarray((a * b).sum(1) / a.sum(1))


def _in_top(flat: F32, share: float) -> F64:
    """Probability (N, P) of each pixel to be among the top `share`, equal values drawn."""
    count = max(1, round(share * flat.shape[1]))
    edge = -np.sort(-flat, axis=1)[:, count - 1 : count]
    above, level = flat > edge, flat == edge
    free = count - above.sum(1, keepdims=True)
    return np.asarray(above + level * (free / level.sum(1, keepdims=True)))


def map_agreement(
    first: F32, second: F32, *, share: float = 0.1, seed: int = 0, resamples: int = 1000
) -> dict[str, Any]:
    """Compare two networks' maps of the same images, beside those of unrelated images.

    Parameters
    ----------
    first, second : (N, H, W)
        Maps of the same images by teacher and student, say, for the same classes.
    share : float
        See `top_overlap`.
    seed, resamples : int
        Of the pairs of unrelated images, and of the bootstrap over images.

    Returns
    -------
    dict
        ``images``; ``share``; ``spearman`` and ``overlap``, each with the mean ``same`` over
        images, the mean ``unrelated`` over pairs of different images, the ``gain`` of one over
        the other, and of each an interval (``same_interval``, ...). ``constant``: images of
        which a map is the same everywhere; their rank correlation counts as 0.

    Raises
    ------
    ShapeError
        If the maps do not fit each other.
    ConfigError
        If there are fewer than two images, or `share` is not in (0, 1).

    Examples
    --------
    >>> maps = np.random.default_rng(0).random((20, 7, 7), np.float32)
    >>> found = tt.evaluate.map_agreement(maps, maps)
    >>> found["spearman"]["same"], abs(found["spearman"]["unrelated"]) < 0.1
    (1.0, True)
    """
    if first.shape != second.shape or first.ndim != 3:
        raise ShapeError(f"maps: expected twice (N, H, W), got {first.shape} and {second.shape}")
    if len(first) < 2:
        raise ConfigError("map_agreement: needs two images or more, to compare with unrelated ones")
    if not 0 < share < 1:
        raise ConfigError(f"share: expected a number between 0 and 1, got {share!r}")

    def against_unrelated(measure: Callable[[F32, F32], F64]) -> dict[str, Any]:
        other = with_unrelated(first, second, measure, seed)
        return compared(measure(first, second), other, seed, resamples)

    return {
        "images": len(first),
        "share": share,
        "spearman": against_unrelated(spearman),
        "overlap": against_unrelated(partial(top_overlap, share=share)),
        "constant": int((_constant(first) | _constant(second)).sum()),
    }


def with_unrelated(first: F32, second: F32, measure: Callable[[F32, F32], F64], seed: int) -> F64:
    """Measure (N,) each first map with second maps of other images, and take the mean."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(_PAIRINGS):
        found.append(measure(first, second[strangers(len(first), rng)]))
    return np.asarray(np.mean(found, axis=0))


def strangers(images: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Give each image the number of another: its neighbour in a random circle."""
    circle = rng.permutation(images)
    partner = np.empty_like(circle)
    partner[circle] = np.roll(circle, 1)
    return np.asarray(partner)


def compared(same: F64, other: F64, seed: int, resamples: int) -> dict[str, Any]:
    """Means of two numbers per image and of their difference, with intervals."""
    found: dict[str, Any] = {}
    for name, values in (("same", same), ("unrelated", other), ("gain", same - other)):
        found[name] = float(values.mean())
        found[f"{name}_interval"] = mean_interval(values, seed, resamples)
    return found


def _constant(maps: F32) -> NDArray[np.bool_]:
    return np.asarray(np.ptp(maps, axis=(1, 2)) == 0)
