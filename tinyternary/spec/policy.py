"""Which layer gets which quantiser, as data (lesson 06)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from tinyternary.errors import ConfigError, unknown_name


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
    activation : {"int8", "int4", "ternary", "none"}
        How the layer's input is quantised, per token.
    norm : bool
        Whether the layer normalises its input by an RMSNorm of its own (BitLinear).
    ste : {"identity", "clipped", "soft"}
        Straight-through rule used in training.
    """

    weight: str = "absmean"
    granularity: Literal["tensor", "channel"] | int = "tensor"
    activation: Literal["int8", "int4", "ternary", "none"] = "int8"
    norm: bool = True
    ste: Literal["identity", "clipped", "soft"] = "identity"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, read back by ``LayerQuant(**fields)``."""
        return asdict(self)


Policy = Mapping[str, LayerQuant]
"""Glob patterns on layer names to quantisers; the first that matches counts."""

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
    # nothing stays a float matrix (FTerViT, arXiv 2605.21171)
    "everything": {
        **_ENCODER,
        "patch_embed.proj": LayerQuant(granularity="channel", norm=False),
        "head": LayerQuant(granularity="channel"),
    },
}


def resolve_policy(policy: str | Policy, layers: Iterable[str]) -> dict[str, LayerQuant]:
    """Find the quantiser of each layer.

    Parameters
    ----------
    policy : str or mapping
        A name from `POLICIES`, or glob patterns on layer names to `LayerQuant`.
    layers : iterable of str
        Names of the linear layers of a model.

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
    for pattern in policy:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ConfigError(
                f"policy pattern {pattern!r} matches no layer; layers: {', '.join(names)}"
            )
    chosen: dict[str, LayerQuant] = {}
    for name in names:
        for pattern, rule in policy.items():
            if fnmatchcase(name, pattern):
                chosen[name] = rule
                break
    return chosen
