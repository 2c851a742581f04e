"""Which parameters share an update rule: matrices decay, norms and positions do not (lesson 03)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from tinyternary.autograd import Tensor
from tinyternary.nn import Module

_NO_DECAY = {"pos_embed", "cls_token", "mask_token", "quantizer", "activation"}


@dataclass
class ParameterGroup:
    """Parameters that are updated by the same rule.

    Attributes
    ----------
    parameters : dict of str to Tensor
        By name; the names are the keys of the optimiser's state.
    weight_decay : float
        Decoupled decay per unit of learning rate.
    lr_scale : float
        Factor on the optimiser's learning rate.
    """

    parameters: dict[str, Tensor]
    weight_decay: float = 0.0
    lr_scale: float = 1.0


def decays(name: str, array: NDArray[Any]) -> bool:
    """Whether weight decay makes sense: matrices only, no positions, no learned scales."""
    return array.ndim >= 2 and _NO_DECAY.isdisjoint(name.split("."))


def parameter_groups(
    model: Module | Mapping[str, Tensor], weight_decay: float
) -> list[ParameterGroup]:
    """Split a model's parameters into those that decay and those that do not.

    Pulling a norm's scale, a bias or a position towards zero regularises nothing.

    Parameters
    ----------
    model : Module or mapping of str to Tensor
        Its trainable parameters are taken, by name.
    weight_decay : float
        Decay of the first group (weight matrices); the second (norms, biases,
        positions, class token) has none.

    Returns
    -------
    list of ParameterGroup
        Two groups; together they hold each trainable parameter once.
    """
    named = model.named_parameters() if isinstance(model, Module) else model.items()
    decay: dict[str, Tensor] = {}
    plain: dict[str, Tensor] = {}
    for name, parameter in named:
        if parameter.requires_grad:
            (decay if decays(name, parameter.data) else plain)[name] = parameter
    return [ParameterGroup(decay, weight_decay), ParameterGroup(plain, 0.0)]
