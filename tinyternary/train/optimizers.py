"""Optimisers with parameter groups: SGD with momentum and AdamW (lesson 03).

A group is a set of parameters that share a weight decay; `parameter_groups`
makes the two that a ViT wants.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd import Tensor
from tinyternary.brief import Brief
from tinyternary.compiled.twins import with_twin
from tinyternary.errors import CheckpointError, ConfigError
from tinyternary.nn import Module
from tinyternary.train.recipe import Recipe

_NO_DECAY = {
    "pos_embed",
    "cls_token",
    "dist_token",
    "reg_token",
    "mask_token",
    "quantizer",
    "activation",
}


@dataclass(repr=False)
class ParameterGroup(Brief):
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


Groups = Sequence[ParameterGroup] | Iterable[Tensor]


class Optimizer:
    """What optimisers share: groups, a step count and a state of named arrays.

    Parameters
    ----------
    groups : sequence of ParameterGroup, or iterable of Tensor
        Plain parameters become one group named by position.
    lr : float
        Learning rate; a schedule writes ``optimiser.lr`` before each step.
    weight_decay : float
        Decay of plain parameters; groups bring their own.
    """

    slots: tuple[str, ...] = ()

    def __init__(self, groups: Groups, lr: float, weight_decay: float = 0.0) -> None:
        items = list(groups)
        if items and not isinstance(items[0], ParameterGroup):
            named = {str(i): item for i, item in enumerate(items)}
            items = [ParameterGroup(named, weight_decay)]  # type: ignore[arg-type]
        self.groups: list[ParameterGroup] = items  # type: ignore[assignment]
        if not any(group.parameters for group in self.groups):
            raise ConfigError("optimiser: no parameters to update")
        decays = {f"weight_decay of group {i}": g.weight_decay for i, g in enumerate(self.groups)}
        for name, value in {"lr": lr, **decays}.items():
            if not 0 <= value < np.inf:
                raise ConfigError(f"{name}: expected a number of at least 0, got {value}")
        self.lr = float(lr)
        self.decay_scale = 1.0  # a schedule may turn weight decay off late in training
        self.steps = 0
        self.state: dict[str, dict[str, NDArray[Any]]] = {}
        for group in self.groups:
            for name, parameter in group.parameters.items():
                if name in self.state:
                    raise ConfigError(f"optimiser: parameter {name!r} stands in two groups")
                self.state[name] = {slot: np.zeros_like(parameter.data) for slot in self.slots}

    def __repr__(self) -> str:
        names = self.parameters()
        return f"{type(self).__name__}({len(names)} parameters, lr={self.lr:g}, {self.steps} steps)"

    def parameters(self) -> dict[str, Tensor]:
        """All parameters by name, in the order of the groups."""
        return {n: p for group in self.groups for n, p in group.parameters.items()}

    def zero_grad(self) -> None:
        """Set every parameter's gradient to None."""
        for parameter in self.parameters().values():
            parameter.grad = None

    def step(self) -> None:
        """Update every parameter that has a gradient."""
        self.steps += 1
        for group in self.groups:
            lr = self.lr * group.lr_scale
            decay = group.weight_decay * self.decay_scale
            for name, parameter in group.parameters.items():
                if parameter.grad is not None:
                    self._update(parameter.data, parameter.grad, self.state[name], lr, decay)

    def _update(
        self,
        weight: NDArray[Any],
        grad: NDArray[Any],
        state: dict[str, NDArray[Any]],
        lr: float,
        decay: float,
    ) -> None:
        raise NotImplementedError(f"{type(self).__name__} does not say how it updates")

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """State arrays by ``"<parameter>.<slot>"``; `steps` is kept beside them."""
        return {f"{n}.{slot}": a for n, slots in self.state.items() for slot, a in slots.items()}

    def load_state_dict(self, arrays: Mapping[str, NDArray[Any]], steps: int) -> None:
        """Put saved state back.

        Raises
        ------
        CheckpointError
            If an array is missing, too many, or of another shape.
        """
        mine = self.state_dict()
        for name in sorted(mine.keys() | arrays.keys()):
            if name not in mine or name not in arrays:
                what = "missing" if name in mine else "not of this optimiser"
                raise CheckpointError(f"optimiser state {name!r} is {what}")
            if arrays[name].shape != mine[name].shape:
                raise CheckpointError(
                    f"optimiser state {name!r}: expected shape {mine[name].shape}, "
                    f"got {arrays[name].shape}"
                )
            mine[name][...] = arrays[name]
        self.steps = int(steps)


class SGD(Optimizer):
    """Stochastic gradient descent: v = mu v + g + wd w, w = w - lr v, as PyTorch's.

    Parameters
    ----------
    groups, lr, weight_decay
        As `Optimizer`.
    momentum : float
        mu; 0 is plain gradient descent.
    nesterov : bool
        Step along g + mu v in place of v.
    """

    slots = ("velocity",)

    def __init__(
        self,
        groups: Groups,
        lr: float = 0.1,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(groups, lr, weight_decay)
        _check_share("momentum", momentum)
        if nesterov and not momentum:
            raise ConfigError("nesterov: expected momentum to look ahead along, got 0")
        self.momentum, self.nesterov = momentum, nesterov

    def _update(
        self,
        weight: NDArray[Any],
        grad: NDArray[Any],
        state: dict[str, NDArray[Any]],
        lr: float,
        decay: float,
    ) -> None:
        gradient = grad + decay * weight if decay else grad
        velocity = state["velocity"]
        velocity *= self.momentum
        velocity += gradient
        weight -= lr * (gradient + self.momentum * velocity if self.nesterov else velocity)


def _check_share(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ConfigError(f"{name}: expected a value in [0, 1), got {value}")


@with_twin("AdamW")
def _adamw(
    weight: NDArray[Any], grad: NDArray[Any], mean: NDArray[Any], square: NDArray[Any],
    lr: float, beta1: float, beta2: float, eps: float, decay: float, step: int,
) -> None:  # fmt: skip
    kind = weight.dtype.type
    weight *= kind(1.0 - lr * decay)
    mean += kind(1.0 - beta1) * (grad - mean)
    square += kind(1.0 - beta2) * (grad * grad - square)
    root = np.sqrt(square)
    root *= kind((1.0 - beta2**step) ** -0.5)
    root += kind(eps)
    weight -= kind(lr / (1.0 - beta1**step)) * (mean / root)


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019, algorithm 2).

    Parameters
    ----------
    groups, lr, weight_decay
        As `Optimizer`; the decay per step is lr * weight_decay, as in PyTorch.
    betas : (float, float)
        Decay rates of the mean gradient and of the mean squared gradient.
    eps : float
        Added to the root of the mean squared gradient.
    """

    slots = ("mean", "square")

    def __init__(
        self,
        groups: Groups,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(groups, lr, weight_decay)
        if len(betas) != 2:
            raise ConfigError(f"betas: expected two numbers, got {betas!r}")
        for beta in betas:
            _check_share("betas", beta)
        if not 0 <= eps < np.inf:
            raise ConfigError(f"eps: expected a number of at least 0, got {eps}")
        self.betas, self.eps = betas, eps

    def _update(
        self,
        weight: NDArray[Any],
        grad: NDArray[Any],
        state: dict[str, NDArray[Any]],
        lr: float,
        decay: float,
    ) -> None:
        _adamw(
            weight, grad, state["mean"], state["square"],
            lr, self.betas[0], self.betas[1], self.eps, decay, self.steps,
        )  # fmt: skip


def make_optimizer(parameters: Mapping[str, Tensor], recipe: Recipe) -> Optimizer:
    """Make the optimiser that a recipe asks for, with decay for matrices only."""
    wanted = recipe.optimizer
    groups = parameter_groups(parameters, wanted.weight_decay)
    if wanted.kind == "sgd":
        return SGD(groups, wanted.lr, wanted.momentum)
    return AdamW(groups, wanted.lr, wanted.betas)


def gradient_norm(parameters: Iterable[Tensor]) -> float:
    """Euclidean norm of all gradients taken as one vector."""
    total = 0.0
    for parameter in parameters:
        if parameter.grad is not None:
            flat = parameter.grad.reshape(-1)
            total += float(np.dot(flat, flat))
    return float(np.sqrt(total))


def clip_gradients(parameters: Iterable[Tensor], limit: float) -> float:
    """Scale all gradients together so that their joint norm is at most `limit`.

    Returns
    -------
    float
        The norm before clipping.

    Raises
    ------
    ConfigError
        If `limit` is not positive.
    """
    if limit <= 0:
        raise ConfigError(f"clip norm: expected a positive number, got {limit}")
    kept = list(parameters)
    norm = gradient_norm(kept)
    if norm > limit:  # NaN compares false: left for the loop's own check
        factor = np.float32(limit / (norm + 1e-6))
        for parameter in kept:
            if parameter.grad is not None:
                parameter.grad *= factor
    return norm
