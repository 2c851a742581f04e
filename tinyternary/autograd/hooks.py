"""Hooks: functions that see a gradient, and may change it, on its way back (lesson 02)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from tinyternary.errors import ShapeError, TinyTernaryError

if TYPE_CHECKING:
    from tinyternary.autograd.tensor import Tensor

Array = NDArray[Any]
Hook = Callable[[Array], Array | None]


def hooked_by(hooks: list[Hook], grad: Array) -> Array:
    """Show a gradient to hooks in turn; what one returns takes its place."""
    for hook in list(hooks):
        changed = hook(grad)
        if changed is not None:
            if np.shape(changed) != grad.shape:
                raise ShapeError(
                    f"register_hook: a hook turned a gradient of shape {grad.shape} into one of "
                    f"shape {np.shape(changed)}"
                )
            grad = np.asarray(changed, grad.dtype)
    return grad


def add_hook(tensor: Tensor, hook: Hook) -> Callable[[], None]:
    """Do the work of `Tensor.register_hook`."""
    if not tensor.requires_grad:
        raise TinyTernaryError("register_hook: this tensor does not require a gradient")
    if tensor._node is not None:
        hooks = tensor._node.hooks.setdefault(tensor._index, [])
    else:
        tensor._hooks = hooks = [] if tensor._hooks is None else tensor._hooks
    hooks.append(hook)

    def remove() -> None:
        if hook in hooks:
            hooks.remove(hook)

    return remove


def retain(tensor: Tensor) -> Tensor:
    """Do the work of `Tensor.retain_grad`."""
    if not tensor.requires_grad:
        raise TinyTernaryError("retain_grad: this tensor does not require a gradient")
    if tensor._node is not None:  # a leaf keeps its gradient anyway
        tensor._node.hooks.setdefault(tensor._index, [])
        # by reference: the graph must not keep its own results alive
        tensor._node.retained[tensor._index] = ref(tensor)
    return tensor
