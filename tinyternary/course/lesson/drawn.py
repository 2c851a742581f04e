"""Assignments: exercises whose numbers and rules a seed draws, so that old answers do not serve.

An assignment is written like a lesson, in `lessons/source/assignments/NN_name.py`, with one cell
more, tagged ``drawn``. It lists options, and the seed takes one of each list::

    # %% tags=["drawn"]
    FACTOR = [0.55, 0.62, 0.75, 0.81, 0.9]
    ORDER, SHIFTS = [("lowest", (0, 2, 4, 6)), ("highest", (6, 4, 2, 0))]

Wherever one of these words stands in a cell, as a name in code or in prose, what was drawn
stands in the assignment; ``SEED`` is the seed. No list gives two seeds in a row the same, nor any
two seeds that differ by less than the list is long: last year's answer is never this year's.
"""

from __future__ import annotations

import ast
import io
import random
import re
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tinyternary.course.lesson.model import Cell, Lesson, lesson_of
from tinyternary.course.parsing import parse
from tinyternary.errors import ConfigError, LessonError, unknown_name

_NAME = re.compile(r"^assignment-(\d\d)(?:-(\d{1,9}))?$")
_WORD = re.compile(r"^[A-Z][A-Z0-9_]*$")


def is_assignment(name: str) -> bool:
    """Whether a name is an assignment's, ``"assignment-01-2027"``, or its template's."""
    return _NAME.match(name) is not None


def template_of(name: str) -> str:
    """Name of an assignment without its seed, ``"assignment-01"``; other names as they are."""
    match = _NAME.match(name)
    return f"assignment-{match[1]}" if match else name


def find(name: str, lessons: Mapping[str, Path], templates: Mapping[str, Path]) -> tuple[str, Path]:
    """Find what a name stands for.

    Parameters
    ----------
    name : str
        ``"01_ternary_basics"``, its number ``"01"``, or ``"assignment-01-2027"``.
    lessons, templates : mapping of str to Path
        Where the lessons and the templates of assignments lie, by their full names.

    Returns
    -------
    (str, Path)
        The full name, and the file.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    if is_assignment(name):
        if template_of(name) not in templates:
            raise unknown_name("assignment", name, [f"{known}-2027" for known in sorted(templates)])
        return name, templates[template_of(name)]
    known = sorted(lessons)
    full = next((lesson for lesson in known if name in (lesson, lesson.split("_")[0])), None)
    if full is None:
        raise unknown_name("lesson", name, known)
    return full, lessons[full]


def assignment_name(number: str, seed: int) -> str:
    """Name of the assignment that goes with lesson `number`, ``"01"``, drawn by `seed`.

    Raises
    ------
    ConfigError
        If the seed is none.
    """
    name = f"assignment-{number}-{seed}"
    if not is_assignment(name):
        raise ConfigError(f"seed {seed}: expected a whole number from 0, of at most 9 digits")
    return name


def draw(name: str, cells: Iterable[Cell], where: object = "") -> Lesson:
    """Make the assignment of that name from the cells of its template.

    Parameters
    ----------
    name : str
        ``"assignment-01-2027"``; without a seed, the template as its author wrote it.
    cells : iterable of Cell
    where : path, optional
        Named in errors.

    Raises
    ------
    LessonError
        If the options are not lists of at least two values, or a word is no capital letters.
    """
    cells = tuple(cells)
    match = _NAME.match(name)
    if match is None or match[2] is None:
        return lesson_of(name, cells, where)
    seed = int(match[2])
    words: dict[str, Any] = {"SEED": seed}
    for cell in cells:
        if cell.role == "drawn":
            words |= _drawn(cell.source, seed, where)
    rest = (cell for cell in cells if cell.role != "drawn")
    return lesson_of(name, [replace(c, **_filled(c, words)) for c in rest], where)


def _drawn(source: str, seed: int, where: object) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for node in parse(source).body:
        try:
            if not isinstance(node, ast.Assign) or len(node.targets) != 1:
                raise ValueError("expected WORD = [option, option, ...]")
            target, options = node.targets[0], ast.literal_eval(node.value)
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            words = [name.id for name in names if isinstance(name, ast.Name)]
            if len(words) != len(names) or not all(map(_WORD.match, words)):
                raise ValueError("a word is written in capital letters")
            if not isinstance(options, list) or len(options) < 2:
                raise ValueError("expected a list of two options or more")
            option = _option(options, seed, words[0])
            found |= dict(zip(words, option if len(words) > 1 else (option,), strict=True))
        except ValueError as error:
            line = ast.unparse(node)[:60]
            raise LessonError(f"{where}: options to draw from, {line!r}: {error}") from None
    return found


def _option(options: list[Any], seed: int, word: str) -> Any:
    """Take turns: the list in an order of its own, and the seed's place in it."""
    order = list(range(len(options)))
    random.Random(word).shuffle(order)  # not all lists turn in step
    return options[order[seed % len(options)]]


def _filled(cell: Cell, words: dict[str, Any]) -> dict[str, Any]:
    fill = _fill_code if cell.kind == "code" else _fill_text
    metadata = {
        key: {k: _fill_text(v, words) if isinstance(v, str) else v for k, v in value.items()}
        if key == "variant" else value
        for key, value in cell.metadata.items()
    }  # fmt: skip
    return {"source": fill(cell.source, words), "metadata": metadata}


def _fill_text(text: str, words: dict[str, Any]) -> str:
    pattern = rf"\b({'|'.join(map(re.escape, words))})\b"
    return re.sub(pattern, lambda match: str(words[match[1]]), text)


def _fill_code(text: str, words: dict[str, Any]) -> str:
    """Put values in place of words: as Python writes them in code, as they are in strings."""
    lines = text.splitlines(keepends=True)
    found = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and token.string in words:
            found.append((token, repr(words[token.string])))
        elif token.type != tokenize.NAME and any(word in token.string for word in words):
            found.append((token, _fill_text(token.string, words)))
    for token, value in reversed(found):
        (row, start), (end_row, end) = token.start, token.end
        rest = lines[end_row - 1][end:]
        lines[row - 1 : end_row] = [lines[row - 1][:start] + value + rest]
    return "".join(lines)
