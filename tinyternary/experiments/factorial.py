"""What a factorial experiment says: marginal means and interactions, from one linear model.

    y = mean + main effects + interactions of two factors + residual

in sum-to-zero coding, by least squares. With one run per cell, the residual is what the
interactions of three and more factors and chance leave; intervals and tests rest on it
(Montgomery, "Design and Analysis of Experiments", chapters 5 and 6). Marginal means weigh all
levels of the other factors alike, also where cells are missing. Used in lesson 12.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.brief import Brief
from tinyternary.errors import ConfigError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """Marginal mean of one level of one factor.

    Attributes
    ----------
    factor : str
    level : Any
    mean, half : float
        Mean and half the width of its interval.
    cells : int
    """

    factor: str
    level: Any
    mean: float
    half: float
    cells: int

    @property
    def interval(self) -> tuple[float, float]:
        """Ends of the interval."""
        return self.mean - self.half, self.mean + self.half


@dataclass(frozen=True)
class Term:
    """A factor, or a pair of factors, and how much of the spread it explains.

    Attributes
    ----------
    factors : tuple of str
        One: its main effect; two: their interaction.
    freedom : int
    share : float
        Of the total sum of squares: what is lost when the term is left out.
    f, p : float
        F statistic against the residual, and its tail probability.
    size : float
        Root mean square of its effects, in units of the response.
    effects : list
        Of each level, or of each pair of levels (rows: first factor).
    """

    factors: tuple[str, ...]
    freedom: int
    share: float
    f: float
    p: float
    size: float
    effects: list[Any]


@dataclass(frozen=True, repr=False)
class Effects(Brief):
    """Main effects and interactions of a factorial experiment.

    Attributes
    ----------
    response : str
    mean : float
    residual, freedom : float, int
        Standard deviation of the residual and its degrees of freedom.
    confidence : float
        Coverage of the levels' intervals.
    levels : list of Level
    terms : list of Term
        Main effects in the factors' order, then pairs, strongest (smallest p) first.
    """

    response: str
    mean: float
    residual: float
    freedom: int
    confidence: float
    levels: list[Level]
    terms: list[Term]

    def main(self) -> list[Term]:
        """List the main effects."""
        return [term for term in self.terms if len(term.factors) == 1]

    def pairs(self) -> list[Term]:
        """List the interactions, strongest first."""
        return [term for term in self.terms if len(term.factors) == 2]

    def of(self, factor: str) -> list[Level]:
        """List the levels of one factor."""
        return [level for level in self.levels if level.factor == factor]

    def to_dict(self) -> dict[str, Any]:
        """Return terms and shares as plain JSON types."""
        return asdict(self)


def factorial_effects(
    rows: Sequence[Mapping[str, Any]],
    factors: Sequence[str],
    values: Sequence[float | None],
    response: str = "response",
    level: float = 0.95,
) -> Effects:
    """Fit main effects and pair interactions.

    Parameters
    ----------
    rows : sequence of mappings
        Level of each factor, by cell.
    factors : sequence of str
        Those with one level only are left out.
    values : sequence of float or None
        The response of each cell.
    response : str
        Its name.
    level : float
        Coverage of the intervals.

    Returns
    -------
    Effects
        Without interactions where the cells are too few to tell them from the residual.

    Raises
    ------
    ConfigError
        If there are too few cells even for main effects, or a value is not finite.
    """
    from scipy.stats import f as f_distribution, t

    y = np.asarray(values, np.float64)
    if len(y) != len(rows) or not np.isfinite(y).all():
        raise ConfigError(f"{response}: expected one finite value per cell")
    known = {name: list(dict.fromkeys(row[name] for row in rows)) for name in factors}
    known = {name: found for name, found in known.items() if len(found) > 1}
    coded = {name: _coding(len(found)) for name, found in known.items()}
    place = {name: np.array([known[name].index(row[name]) for row in rows]) for name in known}
    mains: dict[tuple[str, ...], Floats] = {(n,): coded[n][place[n]] for n in known}
    pairs: dict[tuple[str, ...], Floats] = {
        (a, b): _pairwise(mains[a,], mains[b,]) for a, b in combinations(known, 2)
    }
    for terms in ({**mains, **pairs}, mains):
        design, slices = _design(len(y), terms)
        freedom = len(y) - design.shape[1]
        if freedom > 0 and np.linalg.matrix_rank(design) == design.shape[1]:
            break
    else:
        raise ConfigError(f"{len(y)} cells are too few for the effects of {', '.join(known)}")
    beta, squares = _solve(design, y)
    variance = squares / freedom
    spread = np.linalg.inv(design.T @ design)
    quantile = float(t.ppf(0.5 + level / 2, freedom))
    levels, found_terms = [], []
    for name, options in known.items():
        for i, option in enumerate(options):
            row = np.zeros(design.shape[1])
            row[0], row[slices[name,]] = 1.0, coded[name][i]
            half = quantile * float(np.sqrt(variance * (row @ spread @ row)))
            count = int((place[name] == i).sum())
            levels.append(Level(name, option, float(row @ beta), half, count))
    total = float(((y - y.mean()) ** 2).sum()) or 1.0
    for names, where in slices.items():
        kept = np.delete(design, np.r_[where], axis=1)
        lost = _solve(kept, y)[1] - squares
        width = where.stop - where.start
        f = lost / width / variance if variance > 0 else float("inf")
        effects = _effects([coded[name] for name in names], beta[where])
        found_terms.append(
            Term(names, width, lost / total, float(f), float(f_distribution.sf(f, width, freedom)),
                 float(np.sqrt((effects**2).mean())), effects.tolist())
        )  # fmt: skip
    own = [term for term in found_terms if len(term.factors) == 1]
    joint = sorted((term for term in found_terms if len(term.factors) == 2), key=lambda t: t.p)
    return Effects(
        response, float(beta[0]), float(np.sqrt(variance)), freedom, level, levels, own + joint
    )


def _coding(levels: int) -> Floats:
    """Sum-to-zero coding: row i is level i, the last level is minus all others."""
    return np.concatenate([np.eye(levels - 1), -np.ones((1, levels - 1))])


def _pairwise(a: Floats, b: Floats) -> Floats:
    """Products of each column of `a` with each of `b`, row by row."""
    return (a[:, :, None] * b[:, None, :]).reshape(len(a), -1)


def _design(
    cells: int, terms: Mapping[tuple[str, ...], Floats]
) -> tuple[Floats, dict[tuple[str, ...], slice]]:
    """Design matrix with a column of ones first, and which columns belong to each term."""
    slices, start = {}, 1
    for names, columns in terms.items():
        slices[names] = slice(start, start + columns.shape[1])
        start += columns.shape[1]
    return np.concatenate([np.ones((cells, 1)), *terms.values()], axis=1), slices


def _solve(design: Floats, y: Floats) -> tuple[Floats, float]:
    """Least squares: coefficients and residual sum of squares."""
    beta = np.asarray(np.linalg.lstsq(design, y, rcond=None)[0], np.float64)
    return beta, float(((y - design @ beta) ** 2).sum())


def _effects(codes: list[Floats], beta: Floats) -> Floats:
    """Effects of every level, or pair of levels, from a term's coefficients."""
    if len(codes) == 1:
        return codes[0] @ beta
    a, b = codes
    return a @ beta.reshape(a.shape[1], b.shape[1]) @ b.T
