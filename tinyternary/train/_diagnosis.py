"""Where numbers stopped being finite."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinyternary.autograd import Tensor


def offender(parameters: Mapping[str, Tensor], loss: Tensor | None) -> tuple[str, bool]:
    """Name the first parameter, in the order of the forward pass, that is not finite.

    Parameters
    ----------
    parameters : mapping of str to Tensor
    loss : Tensor, optional
        If given, and all parameters are finite, its gradients are worked out to see
        which parameter they reach first.

    Returns
    -------
    (str, bool)
        Words for an error message, and whether the parameters themselves are harmed.
    """
    for name, parameter in parameters.items():
        if not np.isfinite(parameter.data).all():
            return f"first parameter that is not finite: {name!r}", True
    if loss is not None:
        for parameter in parameters.values():
            parameter.grad = None
        with np.errstate(all="ignore"):
            loss.backward()
    for name, parameter in parameters.items():
        if parameter.grad is not None and not np.isfinite(parameter.grad).all():
            return f"first parameter with a gradient that is not finite: {name!r}", False
    return "all parameters and their gradients are finite: look at the images", False
