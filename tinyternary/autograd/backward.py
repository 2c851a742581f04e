"""Backward: the chain rule over the graph, in reverse topological order (lesson 02).

Nothing here recurses, and each node is visited once: a chain of 10,000
operations or 64 residual blocks cost linear time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd.function import Context
from tinyternary.autograd.modes import no_grad
from tinyternary.autograd.tensor import Tensor
from tinyternary.compiled.twins import with_twin
from tinyternary.errors import ShapeError, TinyTernaryError

Array = NDArray[Any]


def topological_order(root: Context) -> list[Context]:
    """All nodes that `root` was made from, each after everything it was made from."""
    order: list[Context] = []
    seen = {id(root)}
    # a node is left open, with an iterator on its inputs, until all of them are done
    stack = [(root, iter(root.edges))]
    while stack:
        node, edges = stack[-1]
        for edge in edges:
            if isinstance(edge, tuple) and id(edge[0]) not in seen:
                seen.add(id(edge[0]))
                stack.append((edge[0], iter(edge[0].edges)))
                break
        else:
            order.append(node)
            stack.pop()
    return order


def backward_pass(tensor: Tensor, grad: Any, retain_graph: bool) -> None:
    """Do the work of `Tensor.backward`."""
    if not tensor.requires_grad:
        raise TinyTernaryError(
            "backward: nothing here requires a gradient; create a leaf with "
            "Tensor(array, requires_grad=True), outside no_grad()"
        )
    start = _first_gradient(tensor, grad)
    hooked: dict[int, tuple[Tensor, Array]] = {}
    if tensor._node is None:
        _add_to_leaf(tensor, start, hooked)
        _run_leaf_hooks(hooked)
        return
    order = topological_order(tensor._node)
    if any(node.freed for node in order):
        raise TinyTernaryError(
            "backward: this graph was freed by an earlier backward(); "
            "pass retain_graph=True to that one, or compute the result again"
        )
    _add_to_output(tensor._node, tensor._index, start)
    with no_grad():
        try:
            while order:
                node = order.pop()  # from the result back to the leaves
                _send_back(node, hooked)
                if not retain_graph:
                    node.free()
        finally:
            for node in order:  # after an error: no half-done gradients stay behind
                node.grads = [None] * len(node.grads)
        _run_leaf_hooks(hooked)


def _first_gradient(tensor: Tensor, grad: Any) -> Array:
    if grad is None:
        if tensor.data.size != 1:
            raise ShapeError(
                f"backward: a tensor of shape {tensor.shape} needs a gradient of that shape, "
                "or reduce it to one number first (.sum(), .mean())"
            )
        return np.ones_like(tensor.data)
    array = np.asarray(grad.data if isinstance(grad, Tensor) else grad, tensor.dtype)
    if array.shape != tensor.shape:
        raise ShapeError(
            f"backward: grad has shape {array.shape}, the tensor has shape {tensor.shape}"
        )
    return array


def _send_back(node: Context, hooked: dict[int, tuple[Tensor, Array]]) -> None:
    """Run one node's backward and hand the results to what it was made from."""
    grads, node.grads = node.grads, [None] * len(node.grads)
    node.owned = [False] * len(grads)
    if all(g is None for g in grads):
        return
    if node.hooks is not None:
        for index, hooks in node.hooks.items():
            for hook in list(hooks):
                grad = grads[index]
                if grad is not None:
                    changed = hook(grad)
                    grads[index] = grad if changed is None else np.asarray(changed, grad.dtype)
    results = node.face.backward(node, *grads)
    del grads
    if not isinstance(results, tuple):
        results = (results,)
    if len(results) != len(node.edges):
        raise TinyTernaryError(
            f"{node.name}.backward returned {len(results)} gradients for {len(node.edges)} inputs"
        )
    for number, (edge, result) in enumerate(zip(node.edges, results)):
        if edge is None or result is None:
            continue
        if result.shape != node.input_shapes[number]:
            raise ShapeError(
                f"{node.name}.backward: gradient {number} has shape {result.shape}, "
                f"its input has shape {node.input_shapes[number]}"
            )
        if result.dtype != node.input_dtypes[number]:
            result = result.astype(node.input_dtypes[number])
        if isinstance(edge, tuple):
            _add_to_output(edge[0], edge[1], result)
        else:
            _add_to_leaf(edge, result, hooked)


@with_twin("Accumulate")
def _sum(before: Array | None, grad: Array, into: Array | None = None) -> Array:
    """Add a gradient to what came before; None is nothing, and gives a copy."""
    return grad.copy() if before is None else np.add(before, grad, out=into)


def _add_to_output(node: Context, index: int, grad: Array) -> None:
    before = node.grads[index]
    if before is None:
        node.grads[index] = grad  # may be shared with another edge: not ours to change
    elif node.owned[index]:
        _sum(before, grad, before)
    else:
        node.grads[index] = _sum(before, grad)
        node.owned[index] = True


def _add_to_leaf(leaf: Tensor, grad: Array, hooked: dict[int, tuple[Tensor, Array]]) -> None:
    if leaf._hooks:  # these want the sum over all uses: kept until the end of the pass
        before = hooked.get(id(leaf))
        hooked[id(leaf)] = (leaf, grad if before is None else before[1] + grad)
    elif leaf.grad is None:
        leaf.grad = _sum(None, grad)  # it may be shared: .grad belongs to the leaf
    else:
        leaf.grad += grad


def _run_leaf_hooks(hooked: dict[int, tuple[Tensor, Array]]) -> None:
    for leaf, grad in hooked.values():
        for hook in list(leaf._hooks or ()):
            changed = hook(grad)
            grad = grad if changed is None else np.asarray(changed, leaf.dtype)
        leaf.grad = grad.copy() if leaf.grad is None else leaf.grad + grad


def add_hook(tensor: Tensor, hook: Callable[[Array], Array | None]) -> Callable[[], None]:
    """Do the work of `Tensor.register_hook`."""
    if not tensor.requires_grad:
        raise TinyTernaryError("register_hook: this tensor does not require a gradient")
    if tensor._node is not None:
        if tensor._node.hooks is None:
            tensor._node.hooks = {}
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
    if tensor._node is None:
        return tensor  # a leaf keeps its gradient anyway
    target = ref(tensor)  # the graph must not keep its own results alive

    def keep(grad: Array) -> None:
        kept = target()
        if kept is not None:
            kept.grad = grad.copy() if kept.grad is None else kept.grad + grad

    add_hook(tensor, keep)
    return tensor
