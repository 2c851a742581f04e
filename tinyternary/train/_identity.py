"""What decides a run: two that agree in all of it end with the same bits (lesson 03).

Network, policy, preprocessing, task, recipe, seed and teacher are written down as they are;
images and starting weights as checksums. A run folder holds them (`config.json`, and each
checkpoint's ``settings``), and whoever comes to it with anything else is refused.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import ViTConfig
from tinyternary.data import Dataset, Splits
from tinyternary.errors import CheckpointError
from tinyternary.nn import Module
from tinyternary.train.recipe import make_recipe

START = "starting_weights"
CHECKSUMS = (START, "data", "validation_images", "test_images")
"""Entries that earlier versions did not write everywhere: what is not there is not compared."""


def checksums(model: Module, data: Splits) -> dict[str, str]:
    """Checksums of what a run's configuration cannot spell out."""
    return {START: weights_checksum(model), **image_checksums(data)}


def image_checksums(data: Splits) -> dict[str, str]:
    """Checksums of training, validation and test images with their labels."""
    return dict(zip(CHECKSUMS[1:], map(fingerprint, data), strict=True))


def fingerprint(data: Dataset) -> str:
    """Checksum images and labels, to tell data sets of one name apart."""
    images = np.ascontiguousarray(data.images)
    return f"{zlib.crc32(data.labels.tobytes(), zlib.crc32(images.tobytes())):08x}/{len(data)}"


def weights_checksum(model: Module | Mapping[str, NDArray[Any]]) -> str:
    """Checksum all weights of a model, or arrays by name."""
    arrays = model.state_dict() if isinstance(model, Module) else model
    value = 0
    for name, array in sorted(arrays.items()):
        value = zlib.crc32(np.ascontiguousarray(array).tobytes(), zlib.crc32(name.encode(), value))
    return f"{value:08x}"


def check_settings(saved: Mapping[str, Any], mine: Mapping[str, Any], path: Path) -> None:
    """Refuse a state of another run, naming the first setting that differs.

    Raises
    ------
    CheckpointError
        If any setting differs.
    """
    other = differing_setting(current_settings(saved), current_settings(mine))
    if other is not None:
        name, theirs, ours = other
        raise CheckpointError(
            f"{path} belongs to another run: {name} was {theirs!r}, now {ours!r}; choose another "
            "run folder, or delete this one to start over"
        )


def current_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give settings in today's form; fields that came later have their defaults: what they were."""
    found = dict(settings)
    if "recipe" in found:
        found["recipe"] = make_recipe(found["recipe"]).to_dict()
        del found["recipe"]["save_seconds"]  # how often state is saved changes no result
    if "model" in found and "kind" not in found["model"]:  # a ViT, see `describe_model`
        found["model"] = ViTConfig.from_dict(dict(found["model"])).to_dict()
    if isinstance(found.get("teacher"), Mapping):
        found["teacher"] = current_settings(found["teacher"])
    return found


def differing_setting(
    saved: Mapping[str, Any], mine: Mapping[str, Any]
) -> tuple[str, Any, Any] | None:
    """Find the first entry, by name, in which two nested settings differ: (name, theirs, ours)."""
    theirs, ours = dict(_flat(saved)), dict(_flat(mine))
    for name in sorted(theirs.keys() | ours.keys()):
        unknown = name not in theirs or name not in ours
        if unknown and name.rpartition(".")[2] in CHECKSUMS:
            continue
        if theirs.get(name) != ours.get(name):
            return name, theirs.get(name), ours.get(name)
    return None


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else str(key))
    else:
        yield name, list(value) if isinstance(value, tuple) else value
