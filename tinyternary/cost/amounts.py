"""Amounts with a range: low, middle and high (lesson 09).

A constant from the literature is known to within a factor at best. Every energy
therefore travels as three numbers, and a total is low only where each of its parts is.
"""

from __future__ import annotations

from typing import NamedTuple


class Range(NamedTuple):
    """A modelled amount: the lowest plausible, the middle and the highest plausible value.

    Attributes
    ----------
    low, middle, high : float
        All in one unit, which the name or the docstring of what holds them says.
    """

    low: float
    middle: float
    high: float

    def plus(self, other: Range) -> Range:
        """Add entry by entry: low to low, middle to middle, high to high."""
        return Range(self.low + other.low, self.middle + other.middle, self.high + other.high)

    def times(self, factor: float) -> Range:
        """Multiply each entry by a factor that is not negative."""
        return Range(self.low * factor, self.middle * factor, self.high * factor)

    def to_dict(self) -> dict[str, float]:
        """Return low, middle and high as plain JSON types."""
        return {"low": self.low, "middle": self.middle, "high": self.high}


NOTHING = Range(0.0, 0.0, 0.0)


def total(parts: list[Range]) -> Range:
    """Sum ranges; of no ranges, zero."""
    sum_ = NOTHING
    for part in parts:
        sum_ = sum_.plus(part)
    return sum_
