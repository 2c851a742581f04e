"""What the judge says of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tinyternary.brief import Brief

Status = Literal["passed", "partly", "failed", "crashed", "not attempted"]


@dataclass(frozen=True)
class Part:
    """One part of an exercise, with points of its own."""

    name: str
    points: float
    max_points: float
    status: Status
    message: str = ""


@dataclass(frozen=True, repr=False)
class Verdict(Brief):
    """How an exercise was answered.

    Attributes
    ----------
    exercise, name : str
        ``"1.2"``, ``"best_scale"``.
    status : {"passed", "partly", "failed", "crashed", "not attempted"}
    message : str
        For the learner: what was given, what was expected, what came, the usual cause.
    points, max_points : float
    parts : tuple of Part
        Empty for an exercise that is judged as a whole.
    answer : str
        Text of the cells that were judged; empty where there is none.
    """

    exercise: str
    name: str
    status: Status
    message: str
    points: float
    max_points: float
    parts: tuple[Part, ...] = ()
    answer: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "exercise": self.exercise,
            "name": self.name,
            "status": self.status,
            "message": self.message,
            "points": self.points,
            "max_points": self.max_points,
            "parts": [vars(part) for part in self.parts],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Verdict:
        """Return the verdict of which `to_dict` made plain values."""
        fields = {name: plain[name] for name in cls.__dataclass_fields__ if name != "answer"}
        return cls(**fields | {"parts": tuple(Part(**part) for part in plain["parts"])})
