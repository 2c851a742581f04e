"""The options of `pack` as what a file holds (lesson 10); the reader's checks are the writer's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tinyternary.config import Preprocessing, Task, ViTConfig
from tinyternary.config.task import numbered_classes
from tinyternary.errors import ConfigError, unknown_name
from tinyternary.strict_json import plain_data
from tinyternary.text import quoted


def preprocessing_for(given: Preprocessing | None, config: ViTConfig) -> Preprocessing:
    """Return what was given, or one half as mean and deviation."""
    if given is None:
        half = (0.5,) * config.channels
        return Preprocessing(config.image_size, half, half)
    # plain numbers: NumPy's do not go into JSON
    return Preprocessing(
        given.image_size, tuple(plain_data(given.mean)), tuple(plain_data(given.std))
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
        return numbered_classes(config.num_classes)
    if isinstance(names, str):
        raise ConfigError(f"class_names: expected a list of names, got the text {quoted(names)}")
    return tuple(str(name) for name in names)


def thresholds_for(threshold: float | Sequence[float] | None) -> tuple[float, ...] | None:
    """Return decision thresholds as plain numbers."""
    found = plain_data(threshold)
    return found if found is None else tuple(found) if isinstance(found, list) else (found,)


def temperature_for(temperature: float | None) -> float | None:
    """Return a temperature as a plain number; what is not finite is no number in JSON."""
    found = plain_data(temperature)
    if temperature is not None and found is None:
        raise ConfigError(f"temperature: {temperature}, expected a number")
    return found  # type: ignore[no-any-return]


def metrics_for(metrics: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return metrics as plain JSON."""
    try:
        return dict(plain_data(metrics or {}))
    except TypeError as error:
        raise ConfigError(f"metrics: {error}") from None
