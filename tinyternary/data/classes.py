"""Labels are numbers: what they stand for is compared by name, wherever they meet a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyternary.config import Task
from tinyternary.config.task import numbered_classes
from tinyternary.data.dataset import Dataset
from tinyternary.errors import ConfigError
from tinyternary.text import quoted


def check_classes(data: Dataset, names: Sequence[str], task: Task, who: str) -> None:
    """Refuse labels whose numbers stand for other classes than a model's outputs.

    Called where a model is judged, where it teaches and where a threshold is chosen for it; the
    identity of a run holds its class names, so that none is resumed with others.

    Parameters
    ----------
    data : Dataset
    names : sequence of str
        What the model's outputs stand for, in order. Names that `numbered_classes` made say
        nothing about that: only how many there are is compared.
    task : Task
        What the model was trained for.
    who : str
        The model, for the message.

    Raises
    ------
    ConfigError
        If names or their order differ, or a label is right for several on one side only.
    """
    title = f"data set {data.name!r}"
    ours, theirs = tuple(data.class_names), tuple(names)
    if len(ours) != len(theirs):
        raise ConfigError(f"{title} has {len(ours)} classes, the {who} knows {len(theirs)}")
    several = [kind is Task.MULTI_LABEL for kind in (data.task, task)]
    if several[0] != several[1]:
        raise ConfigError(f"{title} is {data.task}, the {who} was trained for {task}")
    if ours == theirs or theirs == numbered_classes(len(theirs)):
        return
    at = next(i for i, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1])
    how = "the classes in another order" if sorted(ours) == sorted(theirs) else "other classes"
    raise ConfigError(
        f"{title} has {how} than the {who}: number {at} is {quoted(theirs[at])} to the {who} and "
        f"{quoted(ours[at])} in the data; give the data its names and numbers"
    )


def label_words(names: Sequence[str], label: Any) -> str:
    """Write a label in words: the class's name, or the names of all positive labels.

    Examples
    --------
    >>> from tinyternary.data.classes import label_words
    >>> label_words(("well", "ill"), 1), label_words(("cough", "fever"), [1, 1])
    ('ill', 'cough, fever')
    """
    if np.ndim(label) == 0:
        return str(names[int(label)])
    return ", ".join(name for name, on in zip(names, label) if on) or "none"
