"""ternarize: give each layer of a model the quantiser that a policy says (lesson 06)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

from tinyternary.config import (
    POLICIES as POLICIES,
    LayerQuant as LayerQuant,
    Policy,
    resolve_policy,
)
from tinyternary.errors import ConfigError, unknown_name
from tinyternary.nn import Attention, LayerNorm, Linear, Module, RMSNorm
from tinyternary.quant.bitlinear import BitLinear
from tinyternary.quant.int8_attention import Int8Attention
from tinyternary.quant.registry import WEIGHTS, weight_quantizer
from tinyternary.quant.ternary_norm import TernaryNorm

M = TypeVar("M", bound=Module)

QUANTIZED = (BitLinear, TernaryNorm, Int8Attention)
"""What `ternarize` puts in the place of layers, norms and attentions."""


def ternarize(model: M, policy: str | Policy = "bitmedvit") -> M:
    """Quantise the layers of a model in place.

    Latent weights, biases and their names stay; a layer whose rule has a norm gains
    ``<layer>.norm.weight``, one with learned scales ``<layer>.quantizer.*``.

    Parameters
    ----------
    model : Module
        With Linear layers, and float so far.
    policy : str or mapping
        "bitmedvit", "bit-attention", "all-linear", "integer-attention", "everything", or glob
        patterns on layer names to a `LayerQuant`, a quantiser's name, or "float". The first
        pattern that matches a layer counts.

    Returns
    -------
    Module
        The same model; ``model.policy`` says what became of each layer.

    Raises
    ------
    ConfigError
        If the policy, a pattern or a quantiser does not exist, or the model is
        quantised already. The model is then as it was.
    NonFiniteError
        If a weight is NaN or infinite; the message names the layer.

    Examples
    --------
    >>> model = tt.quant.ternarize(tt.models.ViT(tt.models.preset("tiny")), policy="all-linear")
    >>> len(model.policy)  # four linear layers in each of four blocks
    16
    """
    for name, module in model.named_modules():
        if isinstance(module, QUANTIZED):
            raise ConfigError(f"model is quantised already ({name}); start from a float one")
    layers = dict(quantizable(model))
    inner = [f"{name}.norm" for name, module in layers.items() if isinstance(module, Linear)]
    rules = resolve_policy(policy, [*layers, *inner])
    for name, rule in rules.items():
        if rule.weight not in WEIGHTS:
            raise unknown_name(f"weight quantiser for {name}", rule.weight, WEIGHTS)
    # all are made before the first is put in: an error leaves the model as it was
    made: dict[str, Module] = {}
    chosen: dict[str, LayerQuant] = {}
    for name, module in layers.items():
        if name not in rules:
            continue
        chosen[name] = rules[name]
        if isinstance(module, Attention):
            made[name] = Int8Attention(module)
            continue
        if not isinstance(module, Linear):
            made[name] = TernaryNorm(module, rules[name], name)
            continue
        layer = made[name] = BitLinear(module, rules[name], name)
        norm_rule = rules.get(f"{name}.norm")
        if norm_rule is not None and isinstance(layer.norm, RMSNorm):
            layer.norm = TernaryNorm(layer.norm, norm_rule, f"{name}.norm")
            chosen[f"{name}.norm"] = norm_rule
    for name, module in made.items():
        replace_module(model, name, module)
    model.policy = chosen  # type: ignore[attr-defined]
    return model


def quantizable(model: Module) -> list[tuple[str, Linear | LayerNorm | RMSNorm | Attention]]:
    """List the Linear layers, norms and attentions of a model, with their names."""
    return [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, Linear | LayerNorm | RMSNorm | Attention)
    ]


def restart_scales(model: Module, loaded: Collection[str]) -> list[str]:
    """Let layers with new weights learn their scales from the start again.

    Parameters
    ----------
    model : Module
    loaded : collection of str
        Names of the parameters that have new values. A scale that is among them is kept.

    Returns
    -------
    list of str
        Names of the scales and thresholds that were set to what `ternarize` would start from.
    """
    restarted = []
    for name, module in model.named_modules():
        if not isinstance(module, BitLinear | TernaryNorm) or f"{name}.weight" not in loaded:
            continue
        weights = module.weight.data
        fresh = weight_quantizer(module.rule, weights if weights.ndim == 2 else weights[None])
        mine = dict(module.quantizer.named_parameters())
        for part, start in fresh.named_parameters():
            if f"{name}.quantizer.{part}" not in loaded:
                mine[part].data[...] = start.data
                restarted.append(f"{name}.quantizer.{part}")
    return restarted


def replace_module(model: Module, name: str, new: Module) -> None:
    """Put another module in the place of the one called `name` (``blocks.0.mlp.fc1``)."""
    parent: Any = model
    *path, last = name.split(".")
    for part in path:
        parent = parent[int(part)] if isinstance(parent, list) else getattr(parent, part)
    if isinstance(parent, list):
        parent[int(last)] = new
    else:
        setattr(parent, last, new)
