"""Numbers that count what is done with them: how a check sees a multiplication or a load.

Reading the source for ``*`` is passed by ``operator.mul`` and refuses ``[0] * n``. A counted
array goes through NumPy like any other, and every element of every operation is written into
its `Tally`, whatever the operation was called by; so are the counted numbers taken out of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

_KINDS = {
    "add": "add", "subtract": "add", "negative": "add", "absolute": "add",
    "multiply": "multiply", "square": "multiply", "power": "multiply", "float_power": "multiply",
    "matmul": "multiply", "vecdot": "multiply", "matvec": "multiply", "vecmat": "multiply",
    "divide": "divide", "floor_divide": "divide", "remainder": "divide", "fmod": "divide",
    "divmod": "divide", "reciprocal": "divide", "true_divide": "divide",
    "left_shift": "shift", "right_shift": "shift", "ldexp": "multiply",
    "bitwise_and": "logic", "bitwise_or": "logic", "bitwise_xor": "logic", "invert": "logic",
    "greater": "compare", "greater_equal": "compare", "less": "compare", "less_equal": "compare",
    "equal": "compare", "not_equal": "compare", "maximum": "compare", "minimum": "compare",
    "exp": "function", "log": "function", "log2": "function", "sqrt": "function",
}  # fmt: skip
_PRODUCTS = frozenset(
    [
        "dot",
        "vdot",
        "inner",
        "outer",
        "einsum",
        "tensordot",
        "convolve",
        "correlate",
        "kron",
        "prod",
        "cumprod",
        "cross",
    ]
)
_COUNTS = {"bincount": "add", "histogram": "add", "trapezoid": "multiply", "interp": "multiply",
           "average": "multiply", "cov": "multiply"}  # fmt: skip


@dataclass
class Tally:
    """How often each kind of operation was done on an element.

    Attributes
    ----------
    counts : dict of str to int
        By kind: "add" (subtractions and sign changes too), "multiply", "divide", "shift",
        "logic", "compare", "function", "load", "store".
    """

    counts: dict[str, int] = field(default_factory=dict)

    def count(self, kind: str, times: int = 1) -> None:
        """Write down an operation that was done on `times` elements."""
        self.counts[kind] = self.counts.get(kind, 0) + int(times)

    def __getattr__(self, kind: str) -> int:
        if kind.startswith("_"):
            raise AttributeError(kind)
        return self.counts.get(kind, 0)


class CountedInt(int):
    """A whole number taken out of a counted array."""

    tally: Tally
    # above NumPy's scalars, which then leave `out[i] + x[j]` to us; below its arrays
    __array_priority__ = -1.0


class CountedFloat(float):
    """A number taken out of a counted array."""

    tally: Tally
    __array_priority__ = -1.0


def _number(value: Any, tally: Tally) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    made: Any = CountedInt(value) if isinstance(value, int) else CountedFloat(value)
    made.tally = tally
    return made


def _counting(name: str, kind: str) -> Any:
    def method(self: Any, *others: Any) -> Any:
        if any(isinstance(other, np.ndarray) for other in others):
            return NotImplemented  # the array counts
        base: Any = int if isinstance(self, CountedInt) else float
        plain = [base(other) if type(other) is type(self) else other for other in others]
        result = getattr(base, name)(base(self), *plain)
        if result is NotImplemented and len(plain) == 1:
            # int with float: Python asks the other side, which is a plain number here
            swapped = f"__r{name[2:]}" if not name.startswith("__r") else f"__{name[3:]}"
            other = float(plain[0]) if isinstance(plain[0], float) else plain[0]
            result = getattr(type(other), swapped, lambda *_: NotImplemented)(other, base(self))
        if result is NotImplemented:
            return result
        self.tally.count(kind)
        if isinstance(result, tuple):
            return tuple(_number(part, self.tally) for part in result)
        return _number(result, self.tally)

    return method


_METHODS = {
    "add": "add", "sub": "add", "mul": "multiply", "truediv": "divide", "floordiv": "divide",
    "mod": "divide", "divmod": "divide", "pow": "multiply", "lshift": "shift", "rshift": "shift",
    "and": "logic", "or": "logic", "xor": "logic",
}  # fmt: skip
for _name, _kind in _METHODS.items():
    for _method in (f"__{_name}__", f"__r{_name}__"):
        for _type in (CountedInt, CountedFloat):
            if hasattr(_type.__base__, _method):
                setattr(_type, _method, _counting(_method, _kind))
for _name, _kind in {"neg": "add", "abs": "add", "invert": "logic"}.items():
    for _type in (CountedInt, CountedFloat):
        if hasattr(_type.__base__, f"__{_name}__"):
            setattr(_type, f"__{_name}__", _counting(f"__{_name}__", _kind))


class CountedArray(np.ndarray):
    """An array whose operations, and those of all that is made of it, are counted."""

    tally: Tally

    def __array_finalize__(self, source: Any) -> None:
        self.tally = getattr(source, "tally", None) or Tally()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        tally = next(
            i.tally for i in (*inputs, *options.get("out", ())) if isinstance(i, CountedArray)
        )
        plain = [_uncounted(i) for i in inputs]
        if "out" in options:
            options["out"] = tuple(_uncounted(o) for o in options["out"])
        if "where" in options:
            options["where"] = _uncounted(options["where"])
        result = getattr(ufunc, method)(*plain, **options)
        kind = _KINDS.get(ufunc.__name__, "other")
        tally.count(kind, _elements(ufunc, method, plain, result))
        if ufunc.__name__ in ("matmul", "vecdot", "matvec", "vecmat"):
            tally.count("add", _elements(ufunc, method, plain, result))
        if isinstance(result, tuple):
            return tuple(_again(part, tally) for part in result)
        return _again(result, tally)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = function.__name__
        if name in _PRODUCTS or name in _COUNTS or name in ("multi_dot", "matrix_power", "det"):
            plain_args, plain_kwargs = _strip(args), _strip(kwargs)
            result = function(*plain_args, **plain_kwargs)
            largest = max((np.size(a) for a in _arrays(plain_args)), default=1)
            self.tally.count(_COUNTS.get(name, "multiply"), max(largest, np.size(result)))
            return _again(result, self.tally)
        result = super().__array_function__(function, types, args, kwargs)
        # `where` and others written in C give back plain arrays
        return _again(result, self.tally) if isinstance(result, np.ndarray) else result

    def __getitem__(self, index: Any) -> Any:
        result = super().__getitem__(_strip(index))
        self.tally.count("load", np.size(result))
        return _number(result, self.tally) if not isinstance(result, np.ndarray) else result

    def __setitem__(self, index: Any, value: Any) -> None:
        self.tally.count("store", np.size(value))
        # as a plain array: NumPy takes a part out of a subclass first, which would be a load
        self.view(np.ndarray)[_strip(index)] = _strip(value)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def tolist(self) -> Any:
        """Return a list of counted numbers."""
        return [part.tolist() if isinstance(part, CountedArray) else part for part in self]

    def item(self, *index: Any) -> Any:
        """Return one counted number."""
        return _number(super().item(*index), self.tally)

    def dot(self, other: Any, out: Any = None) -> Any:
        """Return the product, counted as any other way to say it."""
        return np.matmul(self, other) if np.ndim(other) and self.ndim else self * other


def counted(array: Any, tally: Tally) -> CountedArray:
    """Return a copy of an array that counts into `tally`."""
    made = np.array(array).view(CountedArray)
    made.tally = tally
    return made


def _uncounted(value: Any) -> Any:
    if isinstance(value, CountedArray):
        return value.view(np.ndarray)
    if isinstance(value, CountedInt):
        return int(value)
    return float(value) if isinstance(value, CountedFloat) else value


def _strip(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(_strip(part) for part in value)
    if isinstance(value, dict):
        return {key: _strip(part) for key, part in value.items()}
    return _uncounted(value)


def _arrays(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [array for part in value for array in _arrays(part)]
    return [value] if isinstance(value, np.ndarray) else []


def _again(result: Any, tally: Tally) -> Any:
    if isinstance(result, np.ndarray):
        made = result.view(CountedArray)
        made.tally = tally
        return made
    return _number(result, tally)


def _elements(ufunc: Any, method: str, inputs: list[Any], result: Any) -> int:
    first = result[0] if isinstance(result, tuple) else result
    if ufunc.__name__ in ("matmul", "vecdot", "matvec", "vecmat"):
        return int(np.size(first) * np.shape(inputs[0])[-1])
    if method in ("reduce", "reduceat"):
        return max(0, int(np.size(inputs[0]) - np.size(first)))
    if method == "at":
        return int(np.size(inputs[1]))
    return int(np.size(first))
