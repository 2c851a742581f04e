"""Which layer gets which quantiser, as data (lesson 06)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

from tinyternary.errors import ConfigError, unknown_name
from tinyternary.text import quoted

Activation = Literal[
    "int8", "int4", "ternary", "ternary-learned", "ternary-tensor", "ternary-tensor-learned", "none"
]
StraightThrough = Literal["identity", "clipped", "soft", "scaled"]


@dataclass(frozen=True)
class LayerQuant:
    """How one linear layer is quantised.

    Attributes
    ----------
    weight : str
        Name of a weight quantiser of `tinyternary.quant` ("absmean", "twn", ...,
        "int8", "int4").
    granularity : {"tensor", "channel"} or int
        One scale per matrix, per output channel, or per group of that many inputs.
    activation : str
        How the layer's input is quantised: "int8" or "int4" absmax per token;
        "ternary" per token, or "ternary-tensor" with one threshold and scale for
        all; "-learned" after a ternary name makes both trainable; "none".
    norm : bool
        Whether the layer normalises its input by an RMSNorm of its own (BitLinear).
    ste : {"identity", "clipped", "soft", "scaled"}
        Straight-through rule used in training.
    threshold : float, optional
        For the quantisers whose threshold is given or learned: its value, or where
        it starts, in the units of the weights. By default 0.7 mean |W| at the
        moment of ternarising.

    Raises
    ------
    ConfigError
        If a field is none of these. The quantiser's name is checked by `ternarize`.
    """

    weight: str = "absmean"
    granularity: Literal["tensor", "channel"] | int = "tensor"
    activation: Activation = "int8"
    norm: bool = True
    ste: StraightThrough = "identity"
    threshold: float | None = None

    def __post_init__(self) -> None:
        size = self.granularity
        named = size in ("tensor", "channel")
        if not named and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
            raise ConfigError(
                f"granularity: expected 'tensor', 'channel' or a group size, got {quoted(size)}"
            )
        if self.activation not in get_args(Activation):
            raise unknown_name("activation quantiser", self.activation, get_args(Activation))
        if self.ste not in get_args(StraightThrough):
            raise unknown_name("straight-through rule", self.ste, get_args(StraightThrough))
        if not isinstance(self.norm, bool):
            raise ConfigError(f"norm: expected true or false, got {quoted(self.norm)}")
        if self.threshold is not None and not 0 <= self.threshold < float("inf"):
            raise ConfigError(
                f"threshold: expected a number from 0 up, got {quoted(self.threshold)}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, read back by ``LayerQuant(**fields)``."""
        return asdict(self)


Policy = Mapping[str, "LayerQuant | str | Mapping[str, Any]"]
"""Glob patterns on layer names to quantisers; the first that matches counts.

A quantiser is a `LayerQuant`, a dict of its fields, the name of a weight quantiser,
or ``"float"`` for a layer that is to stay as it is.
"""

INT8_PRODUCTS = LayerQuant(weight="int8", activation="int8", norm=False)
"""The one rule for an attention's own products, Q K^T and P V: what stands still in them, keys and
values, is rounded as weights would be, what passes by, queries and softmax, as activations."""

_BITLINEAR = LayerQuant()
_MLP: dict[str, LayerQuant] = {"blocks.*.mlp.fc?": _BITLINEAR}
_ENCODER: dict[str, LayerQuant] = {"blocks.*.attn.*": _BITLINEAR, **_MLP}

POLICIES: dict[str, dict[str, LayerQuant]] = {
    # arXiv 2510.13760: only the feed-forward network is ternary
    "bitmedvit": _MLP,
    # its second policy: the attention's linear layers as well
    "bit-attention": _ENCODER,
    # every linear layer of the encoder: the same set, by the name that says it
    "all-linear": _ENCODER,
    # and what attention itself multiplies, so that no product of the encoder is of floats
    "integer-attention": {**_ENCODER, "blocks.*.attn": INT8_PRODUCTS},
    # nothing stays a float matrix, and no norm a float scale (FTerViT, arXiv 2605.21171)
    "everything": {
        **_ENCODER,
        "patch_embed.proj": LayerQuant(granularity="channel", norm=False),
        "head": LayerQuant(granularity="channel"),
        "*norm*": LayerQuant(activation="none", norm=False),
    },
}


def resolve_policy(policy: str | Policy, layers: Iterable[str]) -> dict[str, LayerQuant]:
    """Find the quantiser of each layer.

    A pattern reaches the scale of a norm only where its last part says "norm"
    (``"*norm*"``, ``"blocks.*.norm1"``), and the products of an attention only where that is
    "attn" (``"blocks.*.attn"``): ``"blocks.*"`` means the linear layers.

    Parameters
    ----------
    policy : str or mapping
        A name from `POLICIES`, or glob patterns on layer names to quantisers.
    layers : iterable of str
        Names of the linear layers of a model, and of its norms and attentions where they count.

    Returns
    -------
    dict
        Layer name to `LayerQuant`, in the order of `layers`; float layers are absent.

    Raises
    ------
    ConfigError
        If the name is unknown or a pattern matches no layer.
    """
    names = list(layers)
    if isinstance(policy, str):
        if policy not in POLICIES:
            raise unknown_name("policy", policy, POLICIES)
        policy = POLICIES[policy]
    if not isinstance(policy, Mapping):
        raise ConfigError(
            f"policy: expected a name or a mapping of layer patterns, got {type(policy).__name__}"
        )
    rules = {pattern: _rule(pattern, rule) for pattern, rule in policy.items()}
    listed = {_kind(name) for name in names} | {"layer"}
    for pattern in rules:
        if _kind(pattern) in listed and not any(_matches(name, pattern) for name in names):
            raise ConfigError(
                f"policy pattern {pattern!r} matches no layer; layers: {', '.join(names)}"
            )
    chosen: dict[str, LayerQuant] = {}
    for name in names:
        rule = next((rules[pattern] for pattern in rules if _matches(name, pattern)), None)
        if rule is not None:
            chosen[name] = rule
    return chosen


def _kind(name: str) -> Literal["norm", "attention", "layer"]:
    last = name.rpartition(".")[2]
    return "norm" if "norm" in last else "attention" if last == "attn" else "layer"


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) and _kind(name) == _kind(pattern)


def _rule(pattern: str, rule: LayerQuant | str | Mapping[str, Any]) -> LayerQuant | None:
    if _kind(pattern) == "attention":
        return _products_rule(pattern, rule)
    if isinstance(rule, str):
        return None if rule == "float" else LayerQuant(weight=rule)
    if isinstance(rule, Mapping):
        known = {field.name for field in fields(LayerQuant)}
        for name in rule:
            if name not in known:
                raise unknown_name(f"field of policy {pattern!r}", name, known)
        return LayerQuant(**rule)
    if not isinstance(rule, LayerQuant):
        raise ConfigError(f"policy {pattern!r}: expected a quantiser, got {rule!r}")
    return rule


def _products_rule(pattern: str, rule: LayerQuant | str | Mapping[str, Any]) -> LayerQuant | None:
    """Return the one rule that there is for the products of an attention, or None for floats."""
    said = dict(rule) if isinstance(rule, Mapping) else rule
    if said == "float":
        return None
    if said not in ("int8", INT8_PRODUCTS, INT8_PRODUCTS.to_dict()):
        raise ConfigError(
            f"policy {pattern!r}: the products of an attention can be 'int8' or 'float', got "
            f"{quoted(rule)}; its linear layers are 'blocks.*.attn.*'"
        )
    return INT8_PRODUCTS
