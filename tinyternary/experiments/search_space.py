"""What a search tries: a range or a choice for each of some fields of an experiment (lesson 12)."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Range(BaseModel):
    """Numbers from `low` to `high`: whole ones if both are, evenly on a log scale with `log`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Range:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"expected low < high (above 0 on a log scale), got {self}")
        return self


class Search(BaseModel):
    """How to search.

    Attributes
    ----------
    trials : int
    score : {"auc", "acc", "balanced_accuracy"}
        Of the student on validation images, mean over the sweep's runs: the higher the better.
    seed : int
        Of what is tried.
    space : dict
        Field (``"teacher.lr"``) to a list of values or a `Range`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    trials: int = Field(ge=1)
    score: Literal["auc", "acc", "balanced_accuracy"] = "auc"
    seed: int = Field(default=0, ge=0)
    space: dict[str, Range | list[bool | int | float | str]] = Field(min_length=1)

    @model_validator(mode="after")
    def _something_to_choose(self) -> Search:
        for name, values in self.space.items():
            if isinstance(values, list) and not values:
                raise ValueError(f"space.{name}: expected at least one value")
        return self


def with_values(change: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Put values by dotted name on top of nested changes.

    Examples
    --------
    >>> with_values({"teacher": {"epochs": 2}}, {"teacher.lr": 0.001})
    {'teacher': {'epochs': 2, 'lr': 0.001}}
    """
    found = deepcopy(dict(change))
    for name, value in values.items():
        *groups, last = name.split(".")
        table = found
        for group in groups:
            table = table.setdefault(group, {})
        table[last] = value
    return found
