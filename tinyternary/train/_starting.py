"""Start a student from its teacher's weights (lesson 07)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd import Tensor, no_grad
from tinyternary.errors import ConfigError
from tinyternary.nn import Module
from tinyternary.quant import BitLinear, set_strength, weight_quantizer


def start_from(
    student: Module, teacher: Module, images: NDArray[np.float32] | None = None
) -> list[str]:
    """Copy the teacher's arrays into the student where name and shape agree.

    Learned scales and thresholds of the student start anew from the copied weights.

    Parameters
    ----------
    student, teacher : Module
    images : (B, C, H, W) or (B, D) float32, optional
        Some training images, or rows. The RMSNorms inside the student's BitLinear layers, which
        the teacher has not, then start with the mean size of their inputs as weight,
        so that they change as little as possible.

    Returns
    -------
    list of str
        Names of the arrays copied.

    Raises
    ------
    ConfigError
        If no array agrees.
    """
    source, target = teacher.state_dict(), student.state_dict()
    shared = [n for n, a in target.items() if n in source and source[n].shape == a.shape]
    if not shared:
        raise ConfigError("start_from_teacher: no array of the teacher fits the student")
    taken = {n: source[n] for n in shared}
    student.load_state_dict(taken, strict=False)
    for module in student.modules():
        if isinstance(module, BitLinear):
            module.quantizer = weight_quantizer(module.rule, module.weight.data)
    student.load_state_dict(taken, strict=False)  # unless the teacher has scales of its own
    if images is not None:
        calibrate_norms(student, images, {f"{n.rsplit('.', 1)[0]}" for n in shared})
    return shared


class _Scale(Module):
    """Passes its input on and remembers how large it is."""

    def __init__(self) -> None:
        self.size = 1.0

    def forward(self, x: Tensor) -> Tensor:
        self.size = float(np.sqrt(np.square(x.data).mean(-1)).mean())
        return x


def calibrate_norms(
    model: Module, images: NDArray[np.float32], known: set[str] | None = None
) -> dict[str, float]:
    """Set the weights of BitLinear's own norms to the mean size of their inputs.

    x / rms(x) * mean rms(x) is x, where all tokens are of one size. The sizes are
    measured with float weights and without these norms: in the float network.

    Parameters
    ----------
    model : Module
    images : (B, C, H, W) float32
    known : set of str, optional
        Norms (``"blocks.0.mlp.fc1.norm"``) to leave alone.

    Returns
    -------
    dict of str to float
        Size by layer.
    """
    layers = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, BitLinear)
        and module.norm is not None
        and f"{name}.norm" not in (known or set())
    }
    norms: dict[str, Any] = {name: layer.norm for name, layer in layers.items()}
    training = model.training
    model.eval()
    set_strength(model, 0.0)
    try:
        for layer in layers.values():
            layer.norm = _Scale()
        with no_grad():
            model(images)
        sizes = {name: layer.norm.size for name, layer in layers.items()}  # type: ignore[union-attr]
    finally:
        for name, layer in layers.items():
            layer.norm = norms[name]
        set_strength(model, 1.0)
        model.train(training)
    for name, size in sizes.items():
        weight = getattr(norms[name], "weight", None)
        if weight is not None and size > 0:
            weight.data[...] = size
    return sizes
