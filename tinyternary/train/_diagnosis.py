"""Where numbers stopped being finite: a run ends there, and says where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from tinyternary.autograd import Tensor
from tinyternary.errors import TrainingError
from tinyternary.train._state import has_state, save_state

if TYPE_CHECKING:
    from tinyternary.train.loop import Loop


def stop(loop: Loop, what: str, loss: Tensor | None = None) -> NoReturn:
    """Keep the last good state and say which parameter is not finite.

    Raises
    ------
    TrainingError
        Always.
    """
    detail, harmed = offender(loop.trained | loop.extra, loss)
    if not harmed:
        save_state(loop)  # the weights are those before this step: still good
    elif loop.best:
        loop.model.load_state_dict(loop.best)
    kept = f"; last good state kept in {loop.run_dir}" if has_state(loop.run_dir) else ""
    raise TrainingError(
        f"{what} at step {loop.step + 1} of {loop.total}: {detail}{kept}; "
        "try a smaller lr or a smaller clip_norm"
    )


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
