"""Backward: the chain rule over the graph, in reverse topological order (lesson 02).

Nothing here recurses, and each node is visited once: a chain of 10,000
operations or 64 residual blocks cost linear time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd.function import Context
from tinyternary.autograd.hooks import hooked_by
from tinyternary.autograd.modes import no_grad
from tinyternary.autograd.tensor import Tensor
from tinyternary.autograd.watching import check
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
    for node in order:
        check(node.name, node.watched)
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
    if node.hooks:
        _run_hooks(node, grads)
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
        result = np.asarray(result)  # NumPy makes numbers of arrays without axes
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
    if before is None:
        return grad.copy()
    return np.asarray(np.add(before, grad, out=into))  # a number, without axes


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
        hooked[id(leaf)] = (leaf, grad if before is None else _sum(before[1], grad))
    else:
        _keep(leaf, grad)


def _keep(tensor: Tensor, grad: Array) -> None:
    """Add to the gradient that users see, an array that is the tensor's alone."""
    if tensor.grad is None:
        tensor.grad = _sum(None, grad)
    else:
        tensor.grad += grad


def _run_hooks(node: Context, grads: list[Array | None]) -> None:
    for index, hooks in node.hooks.items():
        grad = grads[index]
        if grad is not None:
            grads[index] = grad = hooked_by(hooks, grad)
            kept = node.retained[index]() if index in node.retained else None
            if kept is not None:  # last: what is kept is what goes on
                _keep(kept, grad)


def _run_leaf_hooks(hooked: dict[int, tuple[Tensor, Array]]) -> None:
    for leaf, grad in hooked.values():
        _keep(leaf, hooked_by(leaf._hooks or [], grad))
