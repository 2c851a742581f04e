"""The JSON header of a packed file into data, every field checked (lesson 10).

Types are exact (``true`` is no number), numbers have ranges, names come from
lists, and a field that is unknown is as wrong as one that is missing.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from tinyternary.config import (
    LayerQuant,
    Preprocessing,
    SetLimits,
    Task,
    ViTConfig,
    attention_names,
    is_threshold,
    vit_matrices,
)
from tinyternary.config.decision import LEAST_TEMPERATURE, MOST_TEMPERATURE
from tinyternary.config.policy import INT8_PRODUCTS
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
from tinyternary.text import is_text, named, quoted

MAX_TOKENS = 65_536
"""Most tokens per image that a file may ask for: bounds what the engine allocates."""

_RULE: dict[str, tuple[tuple[type, ...], str]] = {
    "weight": ((str,), "the name of a quantiser"),
    "granularity": ((str, int), "'tensor', 'channel' or a group size"),
    "activation": ((str,), "the name of a quantiser"),
    "norm": ((bool,), "true or false"),
    "ste": ((str,), "the name of a rule"),
    "threshold": ((int, float, type(None)), "a number or null"),
}
"""Fields of a quantiser's rule: types, and what is expected in words."""
_MOST_PIXEL = 1e6
_LEAST_STD = 1e-6
_LATER = {
    "attn_norm": True, "causal": False, "token_norm": False, "registers": 0, "embed_norm": False,
}  # fmt: skip
"""Fields of a network that older files lack, with what they were then."""


class _Fields:
    """Takes typed values out of a JSON object; errors name the file and the field."""

    def __init__(self, values: Any, where: str, prefix: str = "") -> None:
        self.where, self.prefix = where, prefix
        if not isinstance(values, dict):
            raise self.error("", values, "a JSON object")
        self.values = values

    def error(self, name: str, value: Any, expected: str) -> PackedFileError:
        field = named(f"{self.prefix}.{name}".strip(".") or "header")
        return PackedFileError(f"{self.where}: {field}: {quoted(value)}, expected {expected}")

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

    def numbers(self, name: Any, low: float, high: float) -> tuple[float, ...]:
        expected = f"numbers in [{low:g}, {high:g}]"
        values = self.take(name, list, expected)
        if not all(type(v) in (int, float) and low <= v <= high for v in values):
            raise self.error(name, values, expected)
        return tuple(float(v) for v in values)

    def choice(self, name: str, known: tuple[Any, ...]) -> Any:
        value = self.values.get(name)
        if (
            isinstance(value, bool)
            or not isinstance(value, str | int | float)
            or value not in known
        ):
            raise self.error(name, value, f"one of {', '.join(map(str, known))}")
        return value

    def text(self, name: str) -> str:
        value: str = self.take(name, str, "text")
        if not is_text(value):
            raise self.error(name, value, "valid text")
        return value

    def only(self, known: set[str]) -> None:
        unknown = sorted(set(self.values) - known)
        if unknown:
            raise PackedFileError(
                f"{self.where}: {self.prefix or 'header'}: unknown field {quoted(unknown[0])}"
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
            made_by = quoted(values.get("library_version"))
            raise PackedFileError(
                f"{where}: {name}: {quoted(version)}, this library reads up to {known}; the "
                f"file was written by tinyternary {made_by}: upgrade tinyternary to read it"
            )
        if version < 1:
            raise top.error(name, version, f"a version from 1 to {known}")
    config = _config(_Fields(top.values.get("config"), where, "config"), tensor_count)
    names = [matrix.name for matrix in vit_matrices(config)]
    kinds = [_layer(entry) for entry in _entries(top, "kinds")]
    layers = _chosen(top, "layers", kinds)
    if list(layers) != names:
        odd = sorted(set(layers) ^ set(names))
        found = f"{quoted(odd[0])} is missing or unknown" if odd else "wrong order"
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
    attentions = attention_names(config)
    if top.values["format_version"] >= 3:  # an older reader would compute attention in floats
        ruled.update(attentions)
    if odd := sorted(set(policy) - ruled):
        raise PackedFileError(f"{where}: policy: {quoted(odd[0])}, expected names of layers")
    for name in attentions:
        if policy.get(name, INT8_PRODUCTS) != INT8_PRODUCTS:
            raise PackedFileError(
                f"{where}: policy.{name}: {quoted(policy[name])}, expected {INT8_PRODUCTS}"
            )
    task = Task(top.choice("task", tuple(str(task) for task in Task)))
    header = PackedHeader(
        config=config,
        layers=layers,
        preprocessing=_preprocessing(
            _Fields(values.get("preprocessing"), where, "preprocessing"), config
        ),
        task=task,
        class_names=_class_names(top, config),
        bits=top.choice("bits", (2, 1.6)),
        rest=top.choice("rest", REST),
        policy=policy,
        threshold=_threshold(top, task, config),
        temperature=_temperature(top),
        prediction_sets=_prediction_sets(top, task, config),
        metrics=top.take("metrics", dict, "a JSON object"),
        dataset=top.text("dataset"),
        library_version=top.text("library_version"),
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
    known = [field.name for field in fields(ViTConfig)]
    source.values = {**_LATER, **source.values}
    source.only(set(known))
    for name in known:
        if name not in source.values:
            raise PackedFileError(f"{source.where}: config.{name}: missing")
    try:
        config = ViTConfig.from_dict(source.values)
    except ConfigError as error:
        raise PackedFileError(f"{source.where}: config: {error}") from None
    if config.depth > tensor_count:
        raise source.error("depth", config.depth, f"at most {tensor_count} blocks: the "
                           "file has no more arrays")  # fmt: skip
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
    source.only(set(_RULE))
    values = {name: source.take(name, *_RULE[name]) for name in source.values}
    try:
        return LayerQuant(**values)
    except ConfigError as error:
        raise PackedFileError(f"{source.where}: {source.prefix}: {error}") from None


def _preprocessing(source: _Fields, config: ViTConfig) -> Preprocessing:
    source.only({"image_size", "mean", "std"})
    size = source.take("image_size", int, "a size in pixels")
    if size != config.image_size:
        raise source.error("image_size", size, f"{config.image_size} as in the configuration")
    for name, low in (("mean", -_MOST_PIXEL), ("std", _LEAST_STD)):
        values = source.take(name, list, f"{config.channels} numbers")
        # NaN is not between anything
        sound = all(type(v) in (int, float) and low <= v <= _MOST_PIXEL for v in values)
        if len(values) != config.channels or not sound:
            expected = f"{config.channels} numbers in [{low:g}, {_MOST_PIXEL:g}]"
            raise source.error(name, values, expected)
    return Preprocessing.from_dict(source.values)


def _class_names(top: _Fields, config: ViTConfig) -> tuple[str, ...]:
    names = top.take("class_names", list, "a list of names")
    if len(names) != config.num_classes:
        raise top.error("class_names", names, f"{config.num_classes} names, not {len(names)}")
    seen: set[str] = set()
    for i, name in enumerate(names):
        if type(name) is not str or not is_text(name):
            raise top.error(f"class_names.{i}", name, "a name")
        if name in seen:  # an answer by name could be either
            raise top.error(f"class_names.{i}", name, "a name that no other class has")
        seen.add(name)
    return tuple(names)


def _temperature(source: _Fields) -> float | None:
    # format 1 has none, and its readers would answer with other probabilities
    if source.values["format_version"] < 2 or "temperature" not in source.values:
        return None
    return source.number("temperature", LEAST_TEMPERATURE, MOST_TEMPERATURE)


def _prediction_sets(top: _Fields, task: Task, config: ViTConfig) -> SetLimits | None:
    if top.values["format_version"] < 2 or "prediction_sets" not in top.values:
        return None
    source = _Fields(top.values["prediction_sets"], top.where, "prediction_sets")
    source.only({field.name for field in fields(SetLimits)})
    if task is Task.MULTI_LABEL:
        raise top.error("prediction_sets", source.values, "none in a multi-label task")
    coverages = source.numbers("coverages", 0, 1)
    images = source.take("images", list, "a list of counts")
    if len(images) not in (1, config.num_classes) or any(type(n) is not int for n in images):
        raise source.error("images", images, f"1 or {config.num_classes} counts")
    limits = source.take("limits", list, "a list of lists")
    rows = _Fields(dict(enumerate(limits)), top.where, "prediction_sets.limits")
    try:
        return SetLimits(
            coverages, tuple(images), tuple(rows.numbers(i, 0, 1) for i in rows.values)
        )
    except ConfigError as error:
        raise PackedFileError(f"{top.where}: prediction_sets: {error}") from None


def _threshold(source: _Fields, task: Task, config: ViTConfig) -> tuple[float, ...] | None:
    values = source.values.get("threshold", 0)
    if values is None:
        return None
    if task is not Task.MULTI_LABEL and config.num_classes != 2:
        raise source.error("threshold", values, f"null: {config.num_classes} classes are told "
                           "apart by the largest probability")  # fmt: skip
    count = config.num_classes if task is Task.MULTI_LABEL else 1
    if (
        type(values) is not list
        or len(values) != count
        or not all(type(v) in (int, float) and is_threshold(v) for v in values)
    ):
        raise source.error("threshold", values, f"null or {count} numbers in [0, 1]")
    return tuple(float(v) for v in values)
