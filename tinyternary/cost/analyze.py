"""`analyze`: from a name, a configuration or a model to a `CostReport`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np

from tinyternary.config import (
    POLICIES,
    LayerQuant,
    Policy,
    ViTConfig,
    attention_names,
    preset,
    resolve_policy,
    vit_matrices,
)
from tinyternary.config.grid import TWN_FRACTION
from tinyternary.cost.device import REFERENCE_CACHES, Device, device as find_device
from tinyternary.cost.energy import EnergyTable, energy_table, load_energy_table
from tinyternary.cost.evaluate import cost_step
from tinyternary.cost.operations import EXECUTIONS
from tinyternary.cost.report import CostReport
from tinyternary.cost.steps import Choices, Trits
from tinyternary.cost.storage import INT8_REST, REST, Rest, packed_row_bytes, weight_kind
from tinyternary.cost.vit_steps import vit_steps
from tinyternary.errors import ConfigError, unknown_name
from tinyternary.text import quoted

MAX_BATCH = 1_000_000_000
"""Most images together: counts stay far within what a float64 holds exactly."""
BASELINES: dict[str, dict[str, LayerQuant]] = {
    "float32": {},
    "float16": {},
    "int8": {"*": INT8_REST},
}
"""What a ternary network is compared with: floats, or every matrix in int8 (W8A8)."""

THRESHOLDS = {"absmean": 0.5, "twn": TWN_FRACTION}
"""Threshold of a quantiser in units of mean |W| (arXiv 2402.17764; arXiv 1605.04711)."""


def analyze(
    network: str | ViTConfig | Any,
    policy: str | Policy | None = None,
    batch: int = 1,
    bits: float = 2,
    *,
    rest: Rest | None = None,
    floats: Literal["float32", "float16"] | None = None,
    attention: Literal["float32", "float16", "int8"] | None = None,
    fused: bool = True,
    execution: str = "skip",
    zero_share: float | None = None,
    table: str | EnergyTable = "45nm",
    device: str | Device | None = None,
) -> CostReport:
    """Count what a network stores and computes, and model what it consumes.

    Parameters
    ----------
    network : str, ViTConfig or model
        The name of a preset, a plain description, or anything with a `config` (and a
        `policy`, and quantised layers whose trits are then counted).
    policy : str or mapping, optional
        Which layers are quantised: a name of `tinyternary.config.POLICIES`, "float32",
        "float16", "int8", or patterns to `LayerQuant`. By default the model's own, else
        "float32".
    batch : int
        Images processed together; weights are read once per batch. All results are per
        image.
    bits : {2, 1.6}
        Storage of a trit.
    rest : {"float32", "float16", "int8"}, optional
        Storage of what is not quantised; by default float32, or float16 under that policy.
    floats : {"float32", "float16"}, optional
        Arithmetic of float products and type of activations in memory; by default float32, or
        float16 under that policy.
    attention : {"float32", "float16", "int8"}, optional
        Arithmetic of the two attention products; by default as `floats`, and int8 under
        the policy "int8".
    fused : bool
        Whether attention runs tile by tile and non-linearities in the epilogue of the
        product before them: their results then never leave the nearest memory.
    execution : {"skip", "dense", "dot", "int8-add"}
        What stands for one ternary MAC, see `operations.ternary_matmul`.
    zero_share : float, optional
        Assumed share of zero trits; by default that of Gaussian weights under the
        layer's quantiser (absmean: 0.31).
    table : str or EnergyTable
        "45nm", "7nm", the path of a user's ``.toml`` file, or a table.
    device : str or Device, optional
        Where it runs: gives the on-chip memories and a roofline bound on time.

    Returns
    -------
    CostReport

    Raises
    ------
    ConfigError
        If a name is unknown or a number impossible.

    Examples
    --------
    >>> report = tt.cost.analyze("tiny", policy="all-linear")
    >>> report.parameters, report.macs, report.bytes_stored
    (208648, 11014144, 97376)
    """
    if isinstance(batch, bool) or not isinstance(batch, int) or not 1 <= batch <= MAX_BATCH:
        raise ConfigError(f"batch: expected an integer from 1 to {MAX_BATCH}, got {quoted(batch)}")
    if zero_share is not None and not 0.0 <= zero_share <= 1.0:
        raise ConfigError(f"zero_share: expected a value in [0, 1], got {zero_share!r}")
    if execution not in EXECUTIONS:
        raise unknown_name("execution", execution, EXECUTIONS)
    packed_row_bytes(1, bits)  # refuses any other number of bits
    name, config = _describe(network)
    label, rules = _rules(network, policy, config)
    halves: Literal["float32", "float16"] = "float16" if label == "float16" else "float32"
    rest = halves if rest is None else rest
    floats = halves if floats is None else floats
    if attention is None:
        ruled = all(name in rules for name in attention_names(config))
        attention = "int8" if label == "int8" or ruled else floats
    else:  # what is asked for counts, whatever the policy says of single blocks
        rules = {n: rule for n, rule in rules.items() if n not in attention_names(config)}
    for kind, value, known in (
        ("storage of the rest", rest, REST),
        ("float arithmetic", floats, ("float32", "float16")),
        ("attention arithmetic", attention, ("float32", "float16", "int8")),
    ):
        if value not in known:
            raise unknown_name(kind, value, known)
    trits = {} if zero_share is not None else dict(_counted_trits(network, rules))
    for layer in vit_matrices(config):
        rule = rules.get(layer.name)
        if rule is not None and weight_kind(rule) == "ternary" and layer.name not in trits:
            share = gaussian_zero_share(rule) if zero_share is None else zero_share
            trits[layer.name] = Trits.assumed(layer.weights, share)
    choices = Choices(rules, bits, rest, floats, attention, fused, execution, trits)
    energies = _table(table)
    machine = find_device(device) if isinstance(device, str) else device
    caches = REFERENCE_CACHES if machine is None else machine.caches
    layers = tuple(
        cost_step(step, caches, energies, machine, batch) for step in vit_steps(config, choices)
    )
    return CostReport(name, label, config, choices, batch, energies, machine, layers)


def gaussian_zero_share(rule: LayerQuant) -> float:
    """Return the share of zeros that a quantiser makes of Gaussian weights.

    With threshold t mean|W| and mean|W| = sigma sqrt(2 / pi), it is erf(t / sqrt(pi)):
    0.310 for absmean (t = 0.5), 0.424 for TWN (t = 0.7). A quantiser without a fixed
    threshold is taken as absmean.
    """
    return math.erf(THRESHOLDS.get(rule.weight, 0.5) / math.sqrt(math.pi))


def _describe(network: Any) -> tuple[str, ViTConfig]:
    if isinstance(network, str):
        return network, preset(network)
    if isinstance(network, ViTConfig):
        return "ViT", network
    config = getattr(network, "config", None)
    if not isinstance(config, ViTConfig):
        raise ConfigError(
            f"expected a preset name, a ViTConfig or a model with one, got {type(network).__name__}"
        )
    return type(network).__name__, config


def _rules(
    network: Any, policy: str | Policy | None, config: ViTConfig
) -> tuple[str, dict[str, LayerQuant]]:
    names = [layer.name for layer in vit_matrices(config)]
    names += attention_names(config)
    label = policy if isinstance(policy, str) else "custom"
    if policy is None:
        own = getattr(network, "policy", None)
        label, policy = ("float32", {}) if not own else ("the model's own", own)
    elif isinstance(policy, str) and policy in BASELINES:
        policy = BASELINES[policy]
    elif isinstance(policy, str) and policy not in POLICIES:
        raise unknown_name("policy", policy, [*POLICIES, *BASELINES])
    return label, resolve_policy(policy, names)


def _counted_trits(network: Any, rules: Mapping[str, LayerQuant]) -> Iterator[tuple[str, Trits]]:
    """Count the trits of a model's own quantised layers, found by their `quantized` method."""
    modules = getattr(network, "named_modules", None)
    if modules is None:
        return
    for name, module in modules():
        quantized = getattr(module, "quantized", None)
        if name in rules and weight_kind(rules[name]) == "ternary" and quantized is not None:
            trits = quantized().trits
            plus, minus = int(np.sum(trits == 1)), int(np.sum(trits == -1))
            yield name, Trits(plus, minus, int(trits.size) - plus - minus)


def _table(table: str | EnergyTable) -> EnergyTable:
    if isinstance(table, EnergyTable):
        return table
    return load_energy_table(table) if table.endswith(".toml") else energy_table(table)
