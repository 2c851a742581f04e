"""The JSON header of a packed file into data, every field checked (lesson 10).

Types are exact (``true`` is no number), numbers have ranges, names come from
lists, and a field that is unknown is as wrong as one that is missing.
"""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

from tinyternary.config import (
    LayerQuant,
    Preprocessing,
    Task,
    ViTConfig,
    is_threshold,
    vit_matrices,
)
from tinyternary.deploy.format.header import (
    ACTIVATIONS,
    FORMAT_VERSION,
    LAYOUT_VERSION,
    REST,
    STORAGES,
    LayerHeader,
    PackedHeader,
    norm_names,
)
from tinyternary.errors import ConfigError, PackedFileError

MAX_TOKENS = 65_536
"""Most tokens per image that a file may ask for: bounds what the engine allocates."""

_CHOICES: dict[str, tuple[Any, ...]] = {
    "pool": ("mean", "cls"),
    "positions": ("learned", "sinusoidal"),
    "activation": ("gelu", "gelu_tanh", "relu_squared"),
}
_LATER = {"attn_norm": True}
"""Fields of a network that older files lack, with what they were then."""


class _Fields:
    """Takes typed values out of a JSON object; errors name the file and the field."""

    def __init__(self, values: Any, where: str, prefix: str = "") -> None:
        self.where, self.prefix = where, prefix
        if not isinstance(values, dict):
            raise self.error("", values, "a JSON object")
        self.values = values

    def error(self, name: str, value: Any, expected: str) -> PackedFileError:
        label = f"{self.prefix}.{name}".strip(".") or "header"
        return PackedFileError(
            f"{self.where}: {label[:120]!s}: {repr(value)[:60]}, expected {expected}"
        )

    def take(self, name: str, kind: type | tuple[type, ...], expected: str) -> Any:
        if name not in self.values:
            raise PackedFileError(f"{self.where}: {self.prefix}{'.' if self.prefix else ''}{name}: "
                                  f"missing, expected {expected}")  # fmt: skip
        value = self.values[name]
        kinds = kind if isinstance(kind, tuple) else (kind,)
        # exact types: True is an int to isinstance
        if type(value) not in kinds:
            raise self.error(name, value, expected)
        return value

    def number(self, name: str, low: float, high: float) -> float:
        expected = f"a number in [{low:g}, {high:g}]"
        value = self.take(name, (int, float), expected)
        if not low <= value <= high:
            raise self.error(name, value, expected)
        return float(value)

    def choice(self, name: str, known: tuple[Any, ...]) -> Any:
        value = self.values.get(name)
        if (
            isinstance(value, bool)
            or not isinstance(value, str | int | float)
            or value not in known
        ):
            raise self.error(name, value, f"one of {', '.join(map(str, known))}")
        return value

    def only(self, known: set[str]) -> None:
        unknown = sorted(set(self.values) - known)
        if unknown:
            raise PackedFileError(
                f"{self.where}: {self.prefix or 'header'}: unknown field {unknown[0][:60]!r}"
            )


def parse_header(values: dict[str, Any], where: str, tensor_count: int) -> PackedHeader:
    """Check every field of the JSON header and return it as data.

    Parameters
    ----------
    values : dict
        The parsed JSON.
    where : str
        The file's name, for messages.
    tensor_count : int
        Arrays in the file: no network may claim more blocks than that, so that a
        wild depth costs nothing.

    Raises
    ------
    PackedFileError
    """
    top = _Fields(values, where)
    for name, known in (("format_version", FORMAT_VERSION), ("layout_version", LAYOUT_VERSION)):
        version = top.take(name, int, f"a version up to {known}")
        if version > known:
            made_by = str(values.get("library_version"))[:20]
            raise PackedFileError(
                f"{where}: {name}: {version}, this library reads up to {known}; the file was "
                f"written by tinyternary {made_by}: upgrade tinyternary to read it"
            )
        if version < 1:
            raise top.error(name, version, f"a version from 1 to {known}")
    config = _config(_Fields(top.values.get("config"), where, "config"), tensor_count)
    names = [matrix.name for matrix in vit_matrices(config)]
    kinds = [_layer(entry) for entry in _entries(top, "kinds")]
    layers = _chosen(top, "layers", kinds)
    if list(layers) != names:
        odd = sorted(set(layers) ^ set(names))
        found = f"{odd[0][:60]!r} is missing or unknown" if odd else "wrong order"
        raise PackedFileError(f"{where}: layers: {found}, expected the layers of the configuration")
    for matrix in vit_matrices(config):
        groups = layers[matrix.name].groups
        if groups and matrix.inputs % groups:
            raise PackedFileError(
                f"{where}: layers.{matrix.name}.groups: {groups}, expected a divisor of "
                f"{matrix.inputs}"
            )
    policy = _chosen(top, "policy", [_rule(entry) for entry in _entries(top, "rules")])
    # a norm's scale may have a rule of its own; the file holds what it multiplies by, as floats
    ruled = {*names, *norm_names(config), *(f"{name}.norm" for name in names)}
    if odd := sorted(set(policy) - ruled):
        raise PackedFileError(f"{where}: policy: {odd[0][:60]!r}, expected names of layers")
    task = Task(top.choice("task", tuple(str(task) for task in Task)))
    class_names = top.take("class_names", list, "a list of names")
    if len(class_names) != config.num_classes or not all(type(n) is str for n in class_names):
        raise top.error("class_names", class_names, f"{config.num_classes} names")
    try:
        "".join([*class_names, top.take("dataset", str, "a name")]).encode()
    except UnicodeEncodeError:  # JSON can hold halves of characters that nothing can print
        raise PackedFileError(f"{where}: class_names: not valid text") from None
    metrics = top.take("metrics", dict, "a JSON object")
    header = PackedHeader(
        config=config,
        layers=layers,
        preprocessing=_preprocessing(
            _Fields(values.get("preprocessing"), where, "preprocessing"), config
        ),
        task=task,
        class_names=tuple(class_names),
        bits=top.choice("bits", (2, 1.6)),
        rest=top.choice("rest", REST),
        policy=policy,
        threshold=_threshold(top, task, config),
        metrics=metrics,
        dataset=top.take("dataset", str, "a name"),
        library_version=top.take("library_version", str, "a version"),
    )
    top.only(set(header.to_dict()))
    return header


def _entries(top: _Fields, name: str) -> list[_Fields]:
    values = top.take(name, list, "a list")
    return [_Fields(value, top.where, f"{name}.{i}") for i, value in enumerate(values)]


def _chosen(top: _Fields, name: str, known: list[Any]) -> dict[str, Any]:
    """Replace the numbers in a map by the entries of the list that they count in."""
    numbers = top.take(name, dict, "a map of layers to numbers")
    for layer, number in numbers.items():
        if type(number) is not int or not 0 <= number < len(known):
            raise top.error(f"{name}.{layer}", number, f"a number below {len(known)}")
    return {layer: known[number] for layer, number in numbers.items()}


def _config(source: _Fields, tensor_count: int) -> ViTConfig:
    known = fields(ViTConfig)
    source.values = {**_LATER, **source.values}
    source.only({field.name for field in known})
    for field in known:
        name = field.name
        if name not in source.values:
            raise PackedFileError(f"{source.where}: config.{name}: missing")
        value = source.values[name]
        if name in _CHOICES:
            source.choice(name, _CHOICES[name])
        elif isinstance(field.default, bool):
            source.take(name, bool, "true or false")
        elif isinstance(field.default, float):
            source.number(name, 0.0, 1.0)
        elif value is None and field.default is None:
            continue
        elif type(value) is not int or not 1 <= value <= 1 << 24:
            raise source.error(name, value, "an integer from 1 to 16777216")
    if source.values["depth"] > tensor_count:
        raise source.error("depth", source.values["depth"], f"at most {tensor_count} blocks: the "
                           "file has no more arrays")  # fmt: skip
    try:
        config = ViTConfig.from_dict(source.values)
    except ConfigError as error:
        raise PackedFileError(f"{source.where}: config: {error}") from None
    if config.positions == "sinusoidal" and config.width % 4:
        raise source.error("width", config.width, "a multiple of 4 for sinusoidal positions")
    if config.tokens > MAX_TOKENS:
        raise source.error("image_size", config.image_size, f"at most {MAX_TOKENS} tokens, got "
                           f"{config.tokens}")  # fmt: skip
    return config


def _layer(source: _Fields) -> LayerHeader:
    source.only({field.name for field in fields(LayerHeader)})
    storage = source.choice("storage", STORAGES)
    groups = source.take("groups", int, "a count of scales")
    if not 0 <= groups <= 1 << 24:
        raise source.error("groups", groups, "a count of scales")
    two_scales = source.take("two_scales", bool, "true or false")
    layer = LayerHeader(
        storage=storage,
        groups=groups,
        two_scales=two_scales,
        activation=source.choice("activation", ACTIVATIONS),
        norm=source.take("norm", bool, "true or false"),
        activation_per=source.choice("activation_per", ("token", "tensor")),
        activation_threshold=source.number("activation_threshold", -1e6, 1e6),
        activation_level=source.number("activation_level", -1e6, 1e6),
    )
    if two_scales and storage != "ternary":
        raise source.error("two_scales", two_scales, f"false for {storage} storage")
    if layer.is_float and layer.activation != "none":
        raise source.error("activation", layer.activation, "none for float storage")
    if layer.is_float and groups:
        raise source.error("groups", groups, "0 for float storage")
    return layer


def _rule(source: _Fields) -> LayerQuant:
    known = fields(LayerQuant)
    source.only({field.name for field in known})
    values = dict(source.values)
    for field in known:
        value = values.get(field.name, field.default)
        if type(value) is list and field.name != "granularity":
            values[field.name] = tuple(value)
        elif type(value) not in (str, int, bool, float, type(None)):
            raise source.error(field.name, value, "a name, a number or true or false")
    try:
        return LayerQuant(**values)
    except (TypeError, ValueError) as error:
        raise PackedFileError(f"{source.where}: {source.prefix}: {error}") from None


def _preprocessing(source: _Fields, config: ViTConfig) -> Preprocessing:
    source.only({"image_size", "mean", "std"})
    size = source.take("image_size", int, "a size in pixels")
    if size != config.image_size:
        raise source.error("image_size", size, f"{config.image_size} as in the configuration")
    for name in ("mean", "std"):
        values = source.take(name, list, f"{config.channels} numbers")
        sound = all(type(v) in (int, float) and math.isfinite(v) and abs(v) < 1e6 for v in values)
        if len(values) != config.channels or not sound:
            raise source.error(name, values, f"{config.channels} finite numbers")
        if name == "std" and min(values) < 1e-6:
            raise source.error(name, values, "positive numbers")
    return Preprocessing.from_dict(source.values)


def _threshold(source: _Fields, task: Task, config: ViTConfig) -> tuple[float, ...] | None:
    values = source.values.get("threshold", 0)
    if values is None:
        return None
    count = config.num_classes if task is Task.MULTI_LABEL else 1
    if (
        type(values) is not list
        or len(values) != count
        or not all(type(v) in (int, float) and is_threshold(v) for v in values)
    ):
        raise source.error("threshold", values, f"null or {count} numbers in [0, 1]")
    return tuple(float(v) for v in values)
