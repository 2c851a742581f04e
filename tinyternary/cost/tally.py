"""Numbers and arrays that count what is done with them (lesson 09).

Run a kernel's plain Python loop on these, and the operation counts of the cost model can
be checked against what really happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Tally(Counter[str]):
    """Counts of "add", "subtract", "multiply", "compare", "load" and "store"."""


class CountingNumber:
    """An integer that adds one to a tally for every operation on it.

    Parameters
    ----------
    value : int
    tally : Tally
        Shared by all numbers of one run.
    """

    __slots__ = ("tally", "value")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: int, tally: Tally) -> None:
        self.value = int(value)
        self.tally = tally

    def _do(
        self, name: str, rule: Callable[[int, int], int], left: Any, right: Any
    ) -> CountingNumber:
        self.tally[name] += 1
        return CountingNumber(rule(plain(left), plain(right)), self.tally)

    def __add__(self, other: Any) -> CountingNumber:
        return self._do("add", lambda a, b: a + b, self, other)

    def __radd__(self, other: Any) -> CountingNumber:
        return self._do("add", lambda a, b: a + b, other, self)

    def __sub__(self, other: Any) -> CountingNumber:
        return self._do("subtract", lambda a, b: a - b, self, other)

    def __rsub__(self, other: Any) -> CountingNumber:
        return self._do("subtract", lambda a, b: a - b, other, self)

    def __mul__(self, other: Any) -> CountingNumber:
        return self._do("multiply", lambda a, b: a * b, self, other)

    def __rmul__(self, other: Any) -> CountingNumber:
        return self._do("multiply", lambda a, b: a * b, other, self)

    def __eq__(self, other: object) -> bool:
        self.tally["compare"] += 1
        return self.value == plain(other)

    def __lt__(self, other: Any) -> bool:
        self.tally["compare"] += 1
        return self.value < plain(other)

    def __gt__(self, other: Any) -> bool:
        self.tally["compare"] += 1
        return self.value > plain(other)

    def __int__(self) -> int:
        return self.value

    def __repr__(self) -> str:
        return f"CountingNumber({self.value})"


class CountingArray:
    """An array whose entries are `CountingNumber`, and whose reads and writes are counted.

    Parameters
    ----------
    values : (N, ...) integer array
    tally : Tally
    name : str
        Goes into the tally: ``"load x"``, ``"store x"``.
    """

    def __init__(self, values: NDArray[Any], tally: Tally, name: str) -> None:
        self.values = np.array(values, np.int64)
        self.tally = tally
        self.name = name

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.values.shape

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int | Sequence[int]) -> CountingNumber:
        self.tally[f"load {self.name}"] += 1
        return CountingNumber(int(self.values[index]), self.tally)

    def __setitem__(self, index: int | Sequence[int], value: Any) -> None:
        self.tally[f"store {self.name}"] += 1
        self.values[index] = plain(value)


def plain(value: Any) -> int:
    """Return the integer inside a counting number, or the number itself."""
    return value.value if isinstance(value, CountingNumber) else int(value)
