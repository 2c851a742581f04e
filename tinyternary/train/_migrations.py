"""Files of earlier versions: what is called otherwise today. Readers call this, nothing else.

Format 1 spelled keys in British English, called a threshold beta, and kept a single number,
such as the learned scale of a whole matrix, as an array of one. Fields that came later have
defaults that say what there was before them, see `current_settings`; recipes that are not in
groups are read by `tinyternary.train.recipe.grouped`, as arguments are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

_KEYS = {
    "optimiser": "optimizer",
    "optimiser_steps": "optimizer_steps",
    "quantiser": "quantizer",
}
_ARRAYS = {
    "optimiser/": "optimizer/",
    ".quantiser.": ".quantizer.",
    ".quantizer.beta": ".quantizer.delta",
}


def current(value: Any) -> Any:
    """Spell the keys of JSON or TOML values, however deep, as they are spelled now."""
    if isinstance(value, Mapping):
        return {_KEYS.get(key, key): current(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [current(inner) for inner in value]
    return value


def current_arrays(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Give a checkpoint's arrays the names that they have now."""
    found = {}
    for name, array in arrays.items():
        for old, new in _ARRAYS.items():
            name = name.replace(old, new)
        found[name] = array
    return found


def numbers(
    arrays: Mapping[str, NDArray[Any]], like: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """Make a number of each array of one element that is a number in `like`."""
    single = {n for n, a in arrays.items() if a.size == 1 and n in like and like[n].ndim == 0}
    return {name: a.reshape(()) if name in single else a for name, a in arrays.items()}
