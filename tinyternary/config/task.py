"""The four kinds of classification task, as MedMNIST names them."""

from __future__ import annotations

from enum import StrEnum


class Task(StrEnum):
    """What the labels of a data set mean, and so which loss and metric apply.

    ``MULTI_LABEL`` labels are a 0/1 vector per image (N, L); all others are one
    class number per image (N,).
    """

    BINARY = "binary-class"
    MULTI_CLASS = "multi-class"
    ORDINAL = "ordinal-regression"
    MULTI_LABEL = "multi-label"
