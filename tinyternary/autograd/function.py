"""Function: one operation, its forward and its backward in one class (lesson 02)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd.modes import grad_enabled
from tinyternary.autograd.watching import Watched, watch
from tinyternary.compiled import twins
from tinyternary.errors import TinyTernaryError

Array = NDArray[Any]


class Context:
    """What one call of a `Function` leaves for its backward: a node of the graph.

    Attributes
    ----------
    function : type[Function]
        Whose call this was.
    face : type
        What computed it and will compute its backward: `function`, or its compiled twin.
    needs : tuple of bool
        For each input, whether its gradient is wanted.
    edges : tuple
        For each input, where its gradient goes: a leaf Tensor, ``(Context, output
        number)`` of the call that made it, or None.
    saved : tuple
        What forward kept by `save`.
    input_shapes, input_dtypes, output_shapes : tuple
        What a backward's answers are held against, and what drawings show.
    grads : list of ndarray or None
        For each output, the sum of the gradients that have come back so far.

    A forward may set attributes of its own (``ctx.axis = axis``) for small things.
    """

    def __init__(self, function: type[Function]) -> None:
        self.function = function
        self.face: Any = function
        self.needs: tuple[bool, ...] = ()
        self.edges: tuple[Edge, ...] = ()
        self.input_shapes: tuple[tuple[int, ...] | None, ...] = ()
        self.input_dtypes: tuple[Any, ...] = ()
        self.output_shapes: tuple[tuple[int, ...], ...] = ()
        self.grads: list[Array | None] = []
        self.owned: list[bool] = []  # whether grads[i] is ours to add to in place
        self.hooks: dict[int, list[Callable[[Array], Array | None]]] = {}  # by output number
        self.retained: dict[int, ref[Tensor]] = {}  # outputs that keep their gradient
        self.freed = False
        self._saved: tuple[Any, ...] = ()
        self.watched: list[Watched] = []

    @property
    def name(self) -> str:
        """Name of the operation, as graphs and errors show it."""
        return self.function.__name__

    def save(self, *kept: Any) -> None:
        """Keep arrays for backward; `saved` gives them back in this order."""
        self._saved = kept

    @property
    def saved(self) -> tuple[Any, ...]:
        """What `save` kept in forward, for backward to read."""
        return self._saved

    def free(self) -> None:
        """Let go of everything that backward needed."""
        self._saved = ()
        self.watched = []
        self.edges = ()
        self.freed = True


class Function:
    """An operation on arrays that knows its derivative.

    A subclass writes two static methods on plain arrays:

    - ``forward(ctx, *arrays, **static)`` returns an array (or a tuple of arrays);
    - ``backward(ctx, grad)`` returns the gradient of each input: an array of the
      input's shape, or None where there is none; one input needs no tuple.
      With several outputs, `backward` takes one gradient for each (None for an
      output that was not used). It must not change `grad`.

    ``Function.apply(*inputs, **static)`` runs it on Tensors, arrays and None. Where the
    operation has a compiled twin that takes these arrays (`tinyternary.compiled.twins`),
    the twin's forward and backward run in place of its own.
    """

    @staticmethod
    def forward(ctx: Context, *arrays: Any, **static: Any) -> Any:
        """Compute the result from arrays."""
        raise NotImplementedError

    @staticmethod
    def backward(ctx: Context, *grads: Any) -> Any:
        """Turn the gradient of the result into the gradients of the inputs."""
        raise NotImplementedError

    @classmethod
    def apply(cls, *inputs: Any, **static: Any) -> Any:
        """Run forward on Tensors or arrays and record the call.

        Returns
        -------
        Tensor or tuple of Tensor
        """
        ctx = Context(cls)
        arrays = [x.data if isinstance(x, Tensor) else x for x in inputs]
        recording = grad_enabled()
        ctx.needs = tuple([recording and isinstance(x, Tensor) and x.requires_grad for x in inputs])
        twin = _twin(cls)  # type: ignore[arg-type]  # mypy: a class has no hash
        if twin is not None and twin.fits(*arrays, **static):
            ctx.face = twin
        result = ctx.face.forward(ctx, *arrays, **static)
        recorded = any(ctx.needs)
        many = isinstance(result, tuple)
        outputs = tuple([_wrap(r) for r in (result if many else (result,))])
        if recorded:
            ctx.edges = tuple([_edge(x) if n else None for x, n in zip(inputs, ctx.needs)])
            ctx.input_shapes = tuple([getattr(a, "shape", None) for a in arrays])
            ctx.input_dtypes = tuple([getattr(a, "dtype", None) for a in arrays])
            ctx.output_shapes = tuple([t.data.shape for t in outputs])
            leaves = [x.data for x in inputs if isinstance(x, Tensor) and x._node is None]
            ctx.watched = watch(ctx._saved, leaves)
            ctx.grads = [None] * len(outputs)
            ctx.owned = [False] * len(outputs)
            for number, tensor in enumerate(outputs):
                if tensor.data.dtype.kind == "f":
                    tensor.requires_grad = True
                    tensor._node = ctx
                    tensor._index = number
        return outputs if many else outputs[0]


@cache
def _twin(function: type[Function]) -> Any:
    """Look for the twin of an operation, once."""
    # by name, so only for this package's own: a `Gelu` that somebody writes runs as written
    own = function.__module__.startswith("tinyternary.")
    return twins.twin(function.__name__) if own else None


def _wrap(result: Any) -> Tensor:
    if not isinstance(result, np.ndarray | np.generic):
        raise TinyTernaryError(
            f"forward returned {type(result).__name__}, expected an array or a tuple of arrays"
        )
    return Tensor(result)


def _edge(tensor: Tensor) -> Edge:
    return tensor if tensor._node is None else (tensor._node, tensor._index)


# At the end: Tensor's operators are Functions, and Functions return Tensors.
from tinyternary.autograd.tensor import Tensor  # noqa: E402

Edge: TypeAlias = "Tensor | tuple[Context, int] | None"
