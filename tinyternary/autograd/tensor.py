"""Tensor: an array that remembers how it was made (lesson 02).

The operators and methods below only name operations; each operation, forward
and backward, stands in a module of its own kind (`arithmetic`, `elementwise`,
`reductions`, `shapes`, `products`, `activations`, ...).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd.modes import grad_enabled
from tinyternary.errors import ShapeError, TinyTernaryError

Array = NDArray[Any]
Axis: TypeAlias = int | Sequence[int] | None


class Tensor:
    """A NumPy array whose operations are recorded for backward.

    Parameters
    ----------
    data : array_like or Tensor
        float32 and float64 arrays are kept without copying, other floats and
        lists of floats become float32; integer and bool arrays stay as they
        are (labels, masks, indices).
    requires_grad : bool
        Whether `backward` collects a gradient for this tensor in ``.grad``.

    Attributes
    ----------
    data : ndarray
        The values.
    grad : ndarray or None
        Sum of the gradients of all backward passes since it was last None.

    Raises
    ------
    ShapeError
        If integers are asked for a gradient, or the data is not numeric.

    Examples
    --------
    >>> x = tt.Tensor([[1.0, -2.0]], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    array([[ 2., -4.]], dtype=float32)
    """

    __slots__ = ("__weakref__", "_hooks", "_index", "_node", "data", "grad", "requires_grad")
    __array_ufunc__ = None  # ndarray + Tensor asks Tensor.__radd__

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        self.data: Array = as_float_array(data)
        if requires_grad and self.data.dtype.kind != "f":
            raise ShapeError(
                f"requires_grad: only floats have gradients, got {self.data.dtype} data; "
                "convert it first, e.g. Tensor(x.astype(np.float32), requires_grad=True)"
            )
        self.grad: Array | None = None
        self.requires_grad = requires_grad
        self._node: Context | None = None  # the call that made it; None for a leaf
        self._index = 0  # which of that call's results it is
        self._hooks: list[Callable[[Array], Array | None]] | None = None

    # ---- what it is ----------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the entries."""
        return self.data.dtype

    @property
    def ndim(self) -> int:
        """Number of axes, as NumPy's ``ndim``."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """Number of entries over all axes."""
        return self.data.size

    @property
    def is_leaf(self) -> bool:
        """Whether no operation made this tensor."""
        return self._node is None

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        body = np.array2string(self.data, separator=", ", prefix="Tensor(", threshold=40)
        made = f", made by {self._node.name}" if self._node is not None else ""
        wants = ", requires_grad=True" if self.requires_grad and not made else ""
        dtype = "" if self.data.dtype == np.float32 else f", dtype={self.data.dtype}"
        return f"Tensor({body}, shape={self.shape}{dtype}{wants}{made})"

    def numpy(self) -> Array:
        """Return the values as a plain array (not a copy)."""
        return self.data

    def item(self) -> float:
        """Return the one entry as a Python number."""
        return self._one("item")

    def __float__(self) -> float:
        return float(self._one("float"))

    def __int__(self) -> int:
        return int(self._one("int"))

    def __bool__(self) -> bool:
        return bool(self._one("bool"))

    def __format__(self, how: str) -> str:
        return format(self._one("format"), how) if how else str(self)

    def _one(self, what: str) -> Any:
        if self.size != 1:
            raise ShapeError(
                f"{what}: a tensor of shape {self.shape} is not one number; reduce it first, "
                "or compare it and ask .any() or .all()"
            )
        return self.data.item()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if self.requires_grad and grad_enabled():
            raise TinyTernaryError(
                "this Tensor requires a gradient, which a plain array would lose: "
                "use .detach(), .numpy() or .data"
            )
        return np.array(self.data, dtype=dtype, copy=copy)

    def detach(self) -> Tensor:
        """Return a tensor of the same values that no gradient flows through."""
        return Tensor(self.data)

    def backward(self, grad: Any = None, retain_graph: bool = False) -> None:
        """Add d(self)/d(leaf) to ``.grad`` of every leaf that requires a gradient.

        Parameters
        ----------
        grad : array_like, optional
            Gradient of the final result with respect to this tensor; may be left
            out for a tensor of one entry (it is then 1).
        retain_graph : bool
            Keep what backward needs, so that it can run again.

        Raises
        ------
        ShapeError
            If `grad` is needed or has another shape.
        TinyTernaryError
            If nothing here requires a gradient, the graph was freed before, or an array
            that it needs was written to since forward.

        Examples
        --------
        >>> w = tt.Tensor([3.0], requires_grad=True)
        >>> (w * w).backward(np.array([10.0], np.float32))
        >>> w.grad
        array([60.], dtype=float32)
        """
        backward_pass(self, grad, retain_graph)

    def register_hook(self, hook: Callable[[Array], Array | None]) -> Callable[[], None]:
        """Call ``hook(grad)`` when backward has this tensor's gradient in full.

        What the hook returns, unless None, takes the gradient's place. Gives a
        function that removes the hook.
        """
        return add_hook(self, hook)

    def retain_grad(self) -> Tensor:
        """Keep ``.grad`` for this tensor although it is not a leaf; returns itself."""
        return retain(self)

    # ---- operators -----------------------------------------------------------------

    def __add__(self, other: Any) -> Tensor:
        return arithmetic.Add.apply(*operands(self, other))

    def __radd__(self, other: Any) -> Tensor:
        return arithmetic.Add.apply(*operands(other, self))

    def __sub__(self, other: Any) -> Tensor:
        return arithmetic.Subtract.apply(*operands(self, other))

    def __rsub__(self, other: Any) -> Tensor:
        return arithmetic.Subtract.apply(*operands(other, self))

    def __mul__(self, other: Any) -> Tensor:
        return arithmetic.Multiply.apply(*operands(self, other))

    def __rmul__(self, other: Any) -> Tensor:
        return arithmetic.Multiply.apply(*operands(other, self))

    def __truediv__(self, other: Any) -> Tensor:
        return arithmetic.Divide.apply(*float_operands(self, other))

    def __rtruediv__(self, other: Any) -> Tensor:
        return arithmetic.Divide.apply(*float_operands(other, self))

    def __pow__(self, exponent: Any) -> Tensor:
        return arithmetic.power(self, exponent)

    def __rpow__(self, base: Any) -> Tensor:
        return arithmetic.power(*operands(base, self))

    def __neg__(self) -> Tensor:
        return arithmetic.Negate.apply(self)

    def __matmul__(self, other: Any) -> Tensor:
        return products.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return products.matmul(other, self)

    def __getitem__(self, index: Any) -> Tensor:
        return indexing.getitem(self, index)

    def __abs__(self) -> Tensor:
        return self.abs()

    def __iter__(self) -> Iterator[Tensor]:
        if not self.ndim:
            raise TypeError("a tensor without axes cannot be iterated over")
        return (self[i] for i in range(len(self)))

    # Comparisons give plain bool arrays: they have no gradient.
    def __eq__(self, other: Any) -> Array:  # type: ignore[override]
        return np.asarray(self.data == values(other))

    def __ne__(self, other: Any) -> Array:  # type: ignore[override]
        return np.asarray(self.data != values(other))

    __hash__ = object.__hash__  # a tensor is a key by what it is, not by its values

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())

    def __lt__(self, other: Any) -> Array:
        return self.data < values(other)

    def __le__(self, other: Any) -> Array:
        return self.data <= values(other)

    def __gt__(self, other: Any) -> Array:
        return self.data > values(other)

    def __ge__(self, other: Any) -> Array:
        return self.data >= values(other)

    # ---- methods -------------------------------------------------------------------

    def exp(self) -> Tensor:
        """e to the power of each entry."""
        return elementwise.Exp.apply(floating(self))

    def log(self) -> Tensor:
        """Natural logarithm of each entry."""
        return elementwise.Log.apply(floating(self))

    def sqrt(self) -> Tensor:
        """Square root of each entry."""
        return elementwise.Sqrt.apply(floating(self))

    def tanh(self) -> Tensor:
        """Hyperbolic tangent of each entry."""
        return elementwise.Tanh.apply(floating(self))

    def sigmoid(self) -> Tensor:
        """1 / (1 + e^-x) of each entry."""
        return elementwise.Sigmoid.apply(floating(self))

    def abs(self) -> Tensor:
        """Absolute value; its slope at 0 is 0."""
        return elementwise.Abs.apply(self)

    def clip(self, low: float | None, high: float | None) -> Tensor:
        """Limit to [low, high]; the gradient is 0 outside."""
        return elementwise.clip(self, low, high)

    def relu(self) -> Tensor:
        """max(x, 0) of each entry."""
        return activations.Relu.apply(self)

    def relu_squared(self) -> Tensor:
        """max(x, 0)^2 of each entry."""
        return activations.ReluSquared.apply(self)

    def gelu(self, approximate: str = "none") -> Tensor:
        """GELU, exact or ``approximate="tanh"``."""
        return activations.gelu(self, approximate)

    def softmax(self, axis: int = -1) -> Tensor:
        """Softmax along one axis."""
        return softmax.softmax(self, axis)

    def log_softmax(self, axis: int = -1) -> Tensor:
        """Logarithm of the softmax along one axis."""
        return softmax.log_softmax(self, axis)

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Sum over one axis, several, or all."""
        return reductions.Sum.apply(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Mean over one axis, several, or all."""
        return reductions.Mean.apply(floating(self), axis=axis, keepdims=keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Maximum; equal maxima share the gradient equally."""
        return reductions.Max.apply(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Minimum; equal minima share the gradient equally."""
        return reductions.Min.apply(self, axis=axis, keepdims=keepdims)

    def argmax(self, axis: int | None = None) -> Array:
        """Where the maximum is, along an axis or of all entries: plain integers, no gradient."""
        axes = reductions.normal_axes("argmax", axis, self.ndim)
        reductions.check_entries("argmax", "a maximum", self.data, axes)
        return np.asarray(self.data.argmax(axis))

    def var(self, axis: Axis = None, keepdims: bool = False, correction: int = 0) -> Tensor:
        """Mean squared deviation; divides by (count - correction)."""
        return reductions.Var.apply(
            floating(self), axis=axis, keepdims=keepdims, correction=correction
        )

    def reshape(self, *shape: int | Sequence[int]) -> Tensor:
        """Arrange the same entries in another shape; one size may be -1."""
        return shapes.reshape(self, *shape)

    def flatten(self, first: int = 0, last: int = -1) -> Tensor:
        """Join the axes from `first` to `last` into one; all of them by default."""
        return shapes.flatten(self, first, last)

    @property
    def T(self) -> Tensor:
        """All axes in reverse order: the transpose of a matrix."""
        return shapes.permute(self, *range(self.ndim)[::-1])

    def transpose(self, a: int, b: int) -> Tensor:
        """Swap the axes a and b."""
        return shapes.transpose(self, a, b)

    def permute(self, *axes: int | Sequence[int]) -> Tensor:
        """Reorder all axes: axis i of the result is axis ``axes[i]`` here."""
        return shapes.permute(self, *axes)


def as_float_array(data: Any) -> Array:
    """Array of numbers: float32 and float64 arrays as they are, other floats as float32."""
    if isinstance(data, Tensor):
        return data.data
    array = data if isinstance(data, np.ndarray) else np.asarray(data)
    kind = array.dtype.kind
    if kind == "f":
        if array.dtype == np.float32:
            return array
        if array.dtype == np.float64 and isinstance(data, np.ndarray | np.generic):
            return array
        return array.astype(np.float32)
    if kind in "iub":
        return array
    raise ShapeError(f"data: expected numbers, got {type(data).__name__} of dtype {array.dtype}")


def values(x: Any) -> Any:
    """Return the array of a Tensor; anything else as it is."""
    return x.data if isinstance(x, Tensor) else x


# At the end, since these modules build Tensors themselves.
from tinyternary.autograd.backward import backward_pass  # noqa: E402
from tinyternary.autograd.function import Context  # noqa: E402
from tinyternary.autograd.hooks import add_hook, retain  # noqa: E402
from tinyternary.autograd.ops import (  # noqa: E402
    activations,
    arithmetic,
    elementwise,
    indexing,
    products,
    reductions,
    shapes,
    softmax,
)
from tinyternary.autograd.ops.types import float_operands, floating, operands  # noqa: E402
