"""Small mistakes, made by rule in a solution: a check that lets one pass does not see it.

The repertoire is that of mutation testers (cosmic-ray's and mutmut's operators: comparisons,
arithmetic, numbers, conditions, statements, loops, arguments) and of those who write NumPy:
an axis, `keepdims`, a data type, `abs`, a mean for a sum, an array turned round, a slice that
ends one too early. It works on the syntax tree of the standard library: mutants come in the
order of the source, each text once, and none that reads like the original.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from tinyternary.course.parsing import parse

Operator = Callable[[Any, "Place"], Iterator[ast.AST]]


@dataclass(frozen=True)
class Mutant:
    """A solution with one mistake in it.

    Attributes
    ----------
    operator : str
        The rule that made it, a key of `OPERATORS`.
    line : int
        Where the statement begins, counted from 1 in the text of the cell.
    before, after : str
        The statement, written as `ast.unparse` writes it; of a loop, a condition or a
        function its first line.
    text : str
        The whole cell, mistake and all.
    """

    operator: str
    line: int
    before: str
    after: str
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.before} -> {self.after}"


@dataclass(frozen=True)
class Place:
    """Where a node stands in its tree.

    Attributes
    ----------
    node, parent : ast.AST
    field : str
        The parent's field that holds it.
    index : int or None
        Its position, where that field is a list.
    statement : ast.stmt
        The innermost statement that it is, or is part of.
    arguments : tuple of str
        Of the innermost function around it, without ``self``.
    """

    node: ast.AST
    parent: ast.AST
    field: str
    index: int | None
    statement: ast.stmt
    arguments: tuple[str, ...]

    def put(self, node: ast.AST) -> None:
        """Put another node in this place."""
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def mutants(text: str, lines: Collection[int] | None = None) -> list[Mutant]:
    """Make every mutant of a text.

    Parameters
    ----------
    text : str
        Python, such as the cell of a solution.
    lines : collection of int, optional
        Lines, counted from 1, in which mistakes are made; by default all.

    Returns
    -------
    list of Mutant
        In the order of the source, then of `OPERATORS`.

    Examples
    --------
    >>> from tinyternary.course.authoring.mutate import mutants
    >>> for mutant in mutants("far = x > 2"):
    ...     print(mutant.operator, "|", mutant.after)
    statement removed | pass
    comparison | far = x >= 2
    comparison | far = x <= 2
    number | far = x > 3
    number | far = x > 1
    """
    tree = parse(text)
    seen = {ast.unparse(tree)}
    found: list[Mutant] = []
    for place in _places(tree, None, ()):
        if lines is not None and getattr(place.node, "lineno", 0) not in lines:
            continue
        before = _first_line(place.statement)
        for name, operator in OPERATORS.items():
            for node in operator(place.node, place):
                place.put(node)
                changed = ast.unparse(tree)
                statement = node if place.node is place.statement else place.statement
                after = _first_line(statement)
                place.put(place.node)
                if changed in seen or not _compiles(changed):
                    continue
                seen.add(changed)
                if after == before:  # the change is further down
                    after = f"{after}  # {name}"
                found.append(Mutant(name, place.statement.lineno, before, after, changed))
    return found


def _places(
    parent: ast.AST, statement: ast.stmt | None, arguments: tuple[str, ...]
) -> Iterator[Place]:
    """Walk through expressions and statements, in the order of the source."""
    if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        given = [*parent.args.posonlyargs, *parent.args.args, *parent.args.kwonlyargs]
        arguments = tuple(a.arg for a in given if a.arg not in ("self", "cls"))
    for name, value in ast.iter_fields(parent):
        if name in ("annotation", "returns", "decorator_list", "type_params", "exc", "msg"):
            continue  # what is said of a mistake is not part of the answer
        single = not isinstance(value, list)
        for index, node in enumerate([value] if single else value):
            if not isinstance(node, ast.AST) or isinstance(node, ast.JoinedStr) or _is_text(node):
                continue
            if name == "args" and _called(parent)[0] == "reshape" and ast.unparse(node) == "-1":
                continue  # a word rather than a number: any other below zero says the same
            inner = node if isinstance(node, ast.stmt) else statement
            if isinstance(node, ast.expr | ast.stmt) and inner is not None:
                place = Place(node, parent, name, None if single else index, inner, arguments)
                yield place
            yield from _places(node, inner, arguments)


def _is_text(node: ast.AST) -> bool:
    """Whether it is a docstring, or another text that stands alone."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
        return False
    return isinstance(node.value.value, str)


def _first_line(node: ast.AST) -> str:
    """Write a statement without what stands in its blocks."""
    blocks = [f for f in ("body", "orelse", "finalbody", "handlers") if hasattr(node, f)]
    if isinstance(node, ast.stmt) and blocks:
        node = _with(node, **{field: [] for field in blocks})
        if hasattr(node, "decorator_list"):
            node.decorator_list = []
    return ast.unparse(node).strip()


def _compiles(text: str) -> bool:
    try:
        compile(text, "<mutant>", "exec")
    except SyntaxError:  # a `break` that no loop is left for
        return False
    return True


def _with(node: ast.AST, **fields: Any) -> Any:
    """Return a copy of a node with other fields; its parts are shared."""
    made = copy.copy(node)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def _changed(values: list[Any], index: int, *new: Any) -> list[Any]:
    return [*values[:index], *new, *values[index + 1 :]]


def _name(text: str) -> ast.Name:
    return ast.Name(text, ast.Load())


def _plus(node: ast.expr, step: int) -> ast.BinOp:
    return ast.BinOp(node, ast.Add() if step > 0 else ast.Sub(), ast.Constant(abs(step)))


# --- comparisons, arithmetic, numbers -------------------------------------------------

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult, ast.FloorDiv), ast.FloorDiv: (ast.Div,), ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,), ast.MatMult: (ast.Mult,), ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,), ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,),
    ast.BitXor: (ast.BitOr,),
}  # fmt: skip
_ORDERED = (ast.Sub, ast.Div, ast.MatMult)
_TWO_SIDED = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.MatMult, ast.BitAnd, ast.BitOr)
_LARGER = 1.1


def _comparison(node: Any, _: Place) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare):
        for index, sign in enumerate(node.ops):
            for new in COMPARISONS[type(sign)]:
                yield _with(node, ops=_changed(node.ops, index, new()))


def _arithmetic(node: Any, _: Place) -> Iterator[ast.AST]:
    if isinstance(node, ast.BinOp | ast.AugAssign):
        for new in ARITHMETIC[type(node.op)]:
            yield _with(node, op=new())
    if isinstance(node, ast.BinOp) and isinstance(node.op, _ORDERED):
        yield _with(node, left=node.right, right=node.left)
    if isinstance(node, ast.AugAssign):
        yield ast.Assign([node.target], node.value, lineno=node.lineno)


def _operand(node: Any, _: Place) -> Iterator[ast.AST]:
    if isinstance(node, ast.BinOp):
        yield node.left
        if isinstance(node.op, _TWO_SIDED):
            yield node.right


def _number(node: Any, _: Place) -> Iterator[ast.AST]:
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool):
        return
    if isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
        yield ast.Constant(node.value - 1)
    elif isinstance(node.value, float):
        if node.value == 0:
            yield ast.Constant(1.0)
            return
        yield ast.Constant(float(f"{node.value * _LARGER:.6g}"))
        yield ast.UnaryOp(ast.USub(), node)


def _unary(node: Any, _: Place) -> Iterator[ast.AST]:
    if isinstance(node, ast.UnaryOp):
        yield node.operand


# --- conditions, statements, loops -----------------------------------------------------


def _boolean(node: Any, _: Place) -> Iterator[ast.AST]:
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    if isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        for index in range(len(node.values)):
            rest = _changed(node.values, index)
            yield rest[0] if len(rest) == 1 else _with(node, values=rest)


def _condition(node: Any, _: Place) -> Iterator[ast.AST]:
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        if not (isinstance(node.test, ast.Compare) and len(node.test.ops) == 1):
            yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))  # else a comparison's
        yield _with(node, test=ast.Constant(False))
        if not isinstance(node, ast.While):
            yield _with(node, test=ast.Constant(True))
    if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        for index, loop in enumerate(node.generators):
            for place, test in enumerate(loop.ifs):
                for ifs in ([ast.UnaryOp(ast.Not(), test)], []):
                    made = _with(loop, ifs=_changed(loop.ifs, place, *ifs))
                    yield _with(node, generators=_changed(node.generators, index, made))


def _removed(node: Any, _: Place) -> Iterator[ast.AST]:
    simple = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Raise, ast.Assert, ast.Delete)
    if isinstance(node, simple):
        yield ast.Pass()


def _returned(node: Any, place: Place) -> Iterator[ast.AST]:
    if isinstance(node, ast.Return) and node.value is not None:
        yield ast.Return(None)
        for name in place.arguments:
            yield ast.Return(_name(name))
        if isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
            yield ast.Return(ast.Tuple(node.value.elts[::-1], ast.Load()))


def _jump(node: Any, _: Place) -> Iterator[ast.AST]:
    if isinstance(node, ast.Break | ast.Continue):
        yield ast.Continue() if isinstance(node, ast.Break) else ast.Break()
        yield ast.Pass()


def _no_turn(node: Any, _: Place) -> Iterator[ast.AST]:
    if isinstance(node, ast.For):
        yield _with(node, iter=ast.Tuple([], ast.Load()))


def _one_turn(node: Any, _: Place) -> Iterator[ast.AST]:
    if isinstance(node, ast.For | ast.While):
        yield _with(node, body=[*node.body, ast.Break()])


# --- calls and what NumPy's are given -----------------------------------------------

SWAPS = {
    "maximum": ("minimum",), "minimum": ("maximum",), "argmax": ("argmin",), "argmin": ("argmax",),
    "max": ("min",), "min": ("max",), "sum": ("mean",), "mean": ("sum",), "any": ("all",),
    "all": ("any",), "floor": ("ceil", "round"), "ceil": ("floor", "round"),
    "round": ("floor", "ceil"), "rint": ("floor", "ceil"), "zeros": ("ones",), "ones": ("zeros",),
    "zeros_like": ("ones_like",), "ones_like": ("zeros_like",), "log2": ("log",), "log": ("log2",),
    "std": ("var",), "var": ("std",), "sin": ("cos",), "cos": ("sin",),
    "hstack": ("vstack",), "vstack": ("hstack",), "median": ("mean",),
}  # fmt: skip
"""Functions and methods that are taken for each other."""
_BUILT_IN = ("max", "min", "any", "all")
_UNWRAPPED = frozenset((
    "abs", "absolute", "fabs", "sqrt", "square", "sort", "sorted", "reversed", "round", "rint",
    "floor", "ceil", "sign", "clip", "maximum", "minimum", "exp", "log", "log2", "int", "tanh",
    "cumsum", "ravel", "copy", "transpose",
))  # fmt: skip
"""Functions that are left out, so that their first argument stands there."""
_DROPPED = frozenset(
    ("astype", "copy", "ravel", "flatten", "transpose", "clip", "round", "squeeze", "cumsum")
)
"""Methods that are left out, so that what they are called on stands there."""
_MODULES = ("np", "numpy", "math")
_TYPES: tuple[tuple[str, ...], ...] = (("int8", "uint8", "int16", "int32"), ("float32", "float64"))
_AXES = (0, 1, -1)
_EITHER_WAY = frozenset(("maximum", "minimum", "max", "min", "add", "multiply", "array_equal",
                         "logical_and", "logical_or", "allclose"))  # fmt: skip
"""Functions of two things whose order makes no difference."""


def _called(node: Any) -> tuple[str, bool]:
    """Name of the function that a call calls, and whether it is a method of a value."""
    if not isinstance(node, ast.Call):
        return "", False
    if isinstance(node.func, ast.Name):
        return node.func.id, False
    if isinstance(node.func, ast.Attribute):
        base = node.func.value
        return node.func.attr, not (isinstance(base, ast.Name) and base.id in _MODULES)
    return "", False


def _function(node: Any, _: Place) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call):
        name, _method = _called(node)
        for new in SWAPS.get(name, ()):
            if isinstance(node.func, ast.Attribute):
                yield _with(node, func=_with(node.func, attr=new))
            elif name in _BUILT_IN:
                yield _with(node, func=_name(new))


def _unwrapped(node: Any, _: Place) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call):
        name, method = _called(node)
        if method and name in _DROPPED:
            yield node.func.value  # type: ignore[attr-defined]
        elif not method and name in _UNWRAPPED and node.args:
            yield node.args[0]
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value


def _order(node: Any, _: Place) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call) and _called(node)[0] in ("sort", "argsort", "sorted"):
        name, method = _called(node)
        if name == "sorted":
            if not any(keyword.arg == "reverse" for keyword in node.keywords):
                keyword = ast.keyword("reverse", ast.Constant(True))
                yield _with(node, keywords=[*node.keywords, keyword])
        elif not (method and name == "sort"):  # which sorts in place and gives nothing
            backwards = ast.Slice(step=ast.UnaryOp(ast.USub(), ast.Constant(1)))
            yield ast.Subscript(node, backwards, ast.Load())
    if (
        isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Load)
        and ast.unparse(node.slice) == "::-1"
    ):
        yield node.value


def _keyword(node: Any, _: Place) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call):
        for index in range(len(node.keywords)):
            yield _with(node, keywords=_changed(node.keywords, index))


def _axis(node: Any, _: Place) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call):
        for index, keyword in enumerate(node.keywords):
            if keyword.arg == "axis" and (now := ast.unparse(keyword.value)) in map(str, _AXES):
                for axis in _AXES:
                    if str(axis) != now:
                        made = ast.keyword("axis", ast.Constant(axis))
                        yield _with(node, keywords=_changed(node.keywords, index, made))


def _dtype(node: Any, _: Place) -> Iterator[ast.AST]:
    if isinstance(node, ast.Attribute):
        name, field = node.attr, "attr"
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        name, field = node.value, "value"
    else:
        return
    for family in _TYPES:
        if name in family:
            for other in family:
                if other != name:
                    yield _with(node, **{field: other})


def _arguments(node: Any, _: Place) -> Iterator[ast.AST]:
    if (
        isinstance(node, ast.Call)
        and _called(node)[0] not in _EITHER_WAY
        and not any(isinstance(a, ast.Starred) for a in node.args)
    ):
        # a value between bounds is a bound between that and the value
        first = 1 if _called(node) == ("clip", False) else 0
        for index in range(first, len(node.args) - 1):
            one, two = node.args[index : index + 2]
            yield _with(node, args=[*node.args[:index], two, one, *node.args[index + 2 :]])


def _bound(node: Any, _: Place) -> Iterator[ast.AST]:
    if isinstance(node, ast.Slice):
        for side in ("lower", "upper"):
            end = getattr(node, side)
            if end is None:
                continue
            if not isinstance(end, ast.Constant):  # whose number is changed as any other
                for step in (1, -1):
                    yield _with(node, **{side: _plus(end, step)})
            yield _with(node, **{side: None})
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name):
        for step in (1, -1):
            yield _with(node, slice=_plus(node.slice, step))
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
        for index, part in enumerate(node.slice.elts):
            if isinstance(part, ast.Name):
                for step in (1, -1):
                    parts = _changed(node.slice.elts, index, _plus(part, step))
                    yield _with(node, slice=_with(node.slice, elts=parts))
    if isinstance(node, ast.Call) and _called(node) == ("range", False) and node.args:
        last = 0 if len(node.args) == 1 else 1
        if not isinstance(node.args[last], ast.Constant):
            for step in (1, -1):
                moved = _plus(node.args[last], step)
                yield _with(node, args=_changed(node.args, last, moved))
        if last == 0:
            yield _with(node, args=[ast.Constant(1), *node.args])


OPERATORS: dict[str, Operator] = {
    "statement removed": _removed,
    "returned value": _returned,
    "comparison": _comparison,
    "arithmetic": _arithmetic,
    "operand dropped": _operand,
    "number": _number,
    "sign or negation dropped": _unary,
    "boolean": _boolean,
    "condition": _condition,
    "break and continue": _jump,
    "loop runs no time": _no_turn,
    "loop runs one time": _one_turn,
    "function": _function,
    "function left out": _unwrapped,
    "order": _order,
    "keyword dropped": _keyword,
    "axis": _axis,
    "data type": _dtype,
    "arguments swapped": _arguments,
    "bound": _bound,
}
"""Every rule, by name: a node and its place in, the nodes that may stand there out."""
