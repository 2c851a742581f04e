"""The options of `pack` checked and turned into what a file holds (lesson 10)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinyternary.config import Preprocessing, Task, ViTConfig, is_threshold
from tinyternary.errors import ConfigError, unknown_name


def preprocessing_for(given: Preprocessing | None, config: ViTConfig) -> Preprocessing:
    """Return what was given, checked, or one half as mean and deviation."""
    if given is None:
        half = (0.5,) * config.channels
        return Preprocessing(config.image_size, half, half)
    if given.image_size != config.image_size or given.channels != config.channels:
        raise ConfigError(
            f"preprocessing: {given.image_size} pixels and {given.channels} channels, the model "
            f"has {config.image_size} and {config.channels}"
        )
    # plain floats: NumPy's do not go into JSON
    return Preprocessing(
        given.image_size, tuple(map(float, given.mean)), tuple(map(float, given.std))
    )


def task_named(task: Task | str) -> Task:
    """Return the task of that name."""
    try:
        return Task(task)
    except ValueError:
        raise unknown_name("task", task, [str(t) for t in Task]) from None


def names_for(names: Sequence[str] | None, config: ViTConfig) -> tuple[str, ...]:
    """Return one name per output."""
    if names is None:
        return tuple(f"class {i}" for i in range(config.num_classes))
    if isinstance(names, str) or len(names) != config.num_classes:
        raise ConfigError(f"class_names: {len(names)}, the model has {config.num_classes} outputs")
    return tuple(str(name) for name in names)


def thresholds_for(
    threshold: float | Sequence[float] | None, task: Task, config: ViTConfig
) -> tuple[float, ...] | None:
    """Return decision thresholds, checked: one, or one per label."""
    if threshold is None:
        return None
    values = tuple(float(v) for v in np.atleast_1d(np.asarray(threshold, np.float64)))
    count = config.num_classes if task is Task.MULTI_LABEL else 1
    if task is not Task.MULTI_LABEL and config.num_classes != 2:
        raise ConfigError(
            f"threshold: {config.num_classes} classes are told apart by the largest probability; "
            f"leave it out"
        )
    if len(values) != count or not all(map(is_threshold, values)):
        raise ConfigError(f"threshold: expected {count} value(s) in [0, 1], got {values}")
    return values


def plain_json(value: Any) -> Any:
    """Turn NumPy numbers into Python's, and what is not finite into None."""
    if isinstance(value, Mapping):
        return {str(key): plain_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain_json(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ConfigError(f"metrics: {type(value).__name__} cannot be stored as JSON")
