"""Python's and NumPy's complaints, in words for whoever meets them for the first time."""

from __future__ import annotations

import re
import traceback
from typing import Any

import numpy as np

from tinyternary.course.judge.watch import ANSWER, Watch

_CAUSES: tuple[tuple[str, str], ...] = (
    (r"truth value of an array", "`if` and `and` want one yes or no, and an array gives one for "
     "each entry. Use a mask (`w[w > 1]`), `np.where`, or `.any()` and `.all()`."),
    (r"NoneType", "Something is None: is a `return` missing at the end of a function?"),
    (r"could not be broadcast|not aligned|mismatch in its core dimension",
     "The shapes do not fit. Print them; `keepdims=True` keeps an axis that a sum would drop, "
     "`[:, None]` adds one."),
    (r"not enough values to unpack|too many values to unpack",
     "The number of names on the left is not the number of things on the right."),
    (r"setting an array element with a sequence|inhomogeneous",
     "An array has rows of one length: these have different ones."),
    (r"only (integer|size-1|length-1|0-dimensional)|only integers, slices",
     "One number was wanted, or a whole one as an index. `//` divides to a whole number."),
    (r"Cannot cast ufunc|same_kind", "An operation in place (`+=`) cannot change the array's "
     "type: make a new array, or convert with `.astype` first."),
    (r"out of bounds for u?int", "A number does not fit into the array's type: int8 holds -128 to "
     "127, uint8 0 to 255. Convert with `.astype`, or make plain numbers with `int`."),
    (r"out of bounds", "An index goes past the end: the last entry of n is n - 1."),
    (r"read-only", "The array must not be written to: work on a copy."),
    (r"missing \d+ required|takes .* positional|unexpected keyword",
     "The function is called with other arguments than it has: compare its first line with the "
     "exercise's text."),
    (r"has no attribute 'shape'|has no attribute 'astype'|has no attribute 'sum'",
     "This is a plain number or list. `np.asarray(...)` makes an array of it."),
    (r"not callable", "A name that should be a function holds something else: was it "
     "assigned to by mistake?"),
)  # fmt: skip
_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (UnboundLocalError, "A name that a function assigns to is its own throughout: give it a value "
     "before it is read."),
    (NameError, "A function may use its arguments, the lesson's imports, earlier exercises, and "
     "what your own cells define (not what demonstration cells define)."),
    (RecursionError, "The function calls itself without an end: which case stops it?"),
    (ZeroDivisionError, "Something is divided by zero: what should happen for an empty or "
     "all-zero input?"),
    (MemoryError, "It asked for more memory than it may have. An array of N x N x N, or a list "
     "that grows in a loop?"),
    (SystemExit, "`exit()` ends the whole notebook: use `return`."),
)  # fmt: skip


def explain(error: BaseException, watch: Watch) -> str:
    """Say what stopped an answer, where, on what input, and what usually causes it."""
    text = str(error).strip()
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    lines = [said.splitlines()[0]]
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if frame.filename.startswith(ANSWER)]
    if theirs and theirs[-1].line:
        lines[0] += f"\nIn your cell: `{theirs[-1].line}`"
    elif watch.calls:  # the check stumbled over what came back
        lines[0] = (
            f"The check could not use what your function returned, "
            f"{describe(watch.returned)}. ({lines[0]})"
        )
    if watch.last_call:
        lines.append(f"Called as `{watch.last_call}`")
    cause = _cause(error, text)
    return "\n".join([*lines, cause] if cause else lines)


def _cause(error: BaseException, text: str) -> str:
    for pattern, cause in _CAUSES:
        if re.search(pattern, text):
            return cause
    return next((cause for kind, cause in _KINDS if isinstance(error, kind)), "")


def describe(value: Any) -> str:
    """Say in a few words what a value is."""
    if value is None:
        return "None (is a `return` missing?)"
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} with shape {value.shape}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"{type(value).__name__} {str(value)[:40]!r}"
