"""The four kinds of classification task, as MedMNIST names them."""

from __future__ import annotations

from enum import StrEnum
from typing import NoReturn

from tinyternary.errors import unknown_name


class Task(StrEnum):
    """What the labels of a data set mean, and so which loss and metric apply.

    ``MULTI_LABEL`` labels are a 0/1 vector per image (N, L); all others are one
    class number per image (N,).
    """

    BINARY = "binary-class"
    MULTI_CLASS = "multi-class"
    ORDINAL = "ordinal-regression"
    MULTI_LABEL = "multi-label"

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        raise unknown_name("task", value, [str(task) for task in cls])


def numbered_classes(count: int) -> tuple[str, ...]:
    """Names of classes where nobody gave any: they say how many there are and no more."""
    return tuple(f"class {i}" for i in range(count))
